"""Processing jobs: moto's CreateProcessingJob made to run the container's program."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeProcessingJob, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import wrap
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import Platform
from local_aws.sagemaker.jobs import processing_spec
from local_aws.sagemaker.jobs.job_lists import (
    PROCESSING,
    job_of,
    mend_list,
    not_stoppable,
    require_new,
)
from local_aws.sagemaker.jobs.processing import ProcessingRun
from local_aws.sagemaker.jobs.processing_spec import ProcessingEnd, ProcessingSpec, check_request
from local_aws.sagemaker.names import require_resource_name
from local_aws.sagemaker.state_events import processing_job_changed
from local_aws.state.stores import outcome

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
# A FakeProcessingJob, with the attributes that moto's lacks.
ProcessingRecord = Any
# The request's fields, and the record's names for them.
FIELDS = {
    "AppSpecification": "app_specification",
    "ExperimentConfig": "experiment_config",
    "NetworkConfig": "network_config",
    "ProcessingInputs": "processing_inputs",
    "ProcessingJobName": "processing_job_name",
    "ProcessingOutputConfig": "processing_output_config",
    "RoleArn": "role_arn",
    "StoppingCondition": "stopping_condition",
    "Tags": "tags",
}
_KEPT = {"ProcessingResources": "processing_resources", "Environment": "environment"}


class ProcessingJobs:
    """The jobs that run, and what happens to moto's record of each."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._runs: dict[str, ProcessingRun] = {}

    def create(
        self, backend: SageMakerModelBackend, request: Mapping[str, Any], **more: Any
    ) -> ProcessingRecord:
        """Return the record of a job that runs from now on; `more` are attributes of it.

        Raises AWSValidationException where the request cannot be a job.
        """
        name = request["ProcessingJobName"]
        require_new(backend.processing_jobs, name)
        try:
            require_resource_name("processingJobName", name)
            check_request(request)
        except (LocalAwsError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        given: dict[str, Any] = {field: request.get(key) for key, field in FIELDS.items()}
        job: ProcessingRecord = backend.create_processing_job(**given)
        for key, field in _KEPT.items():
            setattr(job, field, request.get(key))
        for field, value in more.items():
            setattr(job, field, value)
        try:
            self._start(job)
        except BaseException:
            backend.processing_jobs.pop(name, None)
            raise
        return job

    def stop(self, job: ProcessingRecord) -> None:
        """Have a running job stop; one that has ended cannot be stopped any more."""
        run = self._runs.get(job.arn)
        if run is None:
            raise not_stoppable("processing", job.processing_job_status)
        job.processing_job_status = "Stopping"
        run.request_stop()

    def _start(self, job: ProcessingRecord) -> None:
        spec, name = self._spec(job), job.processing_job_name
        stream = f"{name}/algo-1-{int(time.time())}"
        run = ProcessingRun(
            spec,
            images_path=self._platform.context.images_path,
            folder=self._platform.context.folder("processing", name),
            children=self._platform.context.children,
            s3=self._platform.s3(spec.environment),
            on_line=self._platform.log_stream(LOG_GROUP, stream, spec.environment),
        )
        self._runs[job.arn] = run
        processing_job_changed(job)
        threading.Thread(
            target=self._run, args=(job, run), name=f"processing-{name}", daemon=True
        ).start()

    def _run(self, job: ProcessingRecord, run: ProcessingRun) -> None:
        try:
            job.processing_start_time = utcnow()
            end_job(job, run.run())
        finally:
            self._runs.pop(job.arn, None)

    def _spec(self, job: ProcessingRecord) -> ProcessingSpec:
        app, cluster = job.app_specification, job.processing_resources["ClusterConfig"]
        credentials = self._platform.role_environment(job.role_arn, job.arn)
        self._platform.require_image(credentials, app["ImageUri"])
        request = described(job)
        condition = job.stopping_condition or {}
        return ProcessingSpec(
            name=job.processing_job_name,
            image=app["ImageUri"],
            entrypoint=tuple(app.get("ContainerEntrypoint") or ()),
            arguments=tuple(app.get("ContainerArguments") or ()),
            environment={**credentials, **(job.environment or {})},
            inputs=processing_spec.inputs_of(request),
            outputs=processing_spec.outputs_of(request),
            kms_key_id=(job.processing_output_config or {}).get("KmsKeyId") or None,
            max_runtime_seconds=condition.get(
                "MaxRuntimeInSeconds", processing_spec.MAX_RUNTIME_SECONDS
            ),
            instance_type=cluster.get("InstanceType", ""),
            description=request,
        )


def install(platform: Platform) -> ProcessingJobs:
    """Mend moto's processing jobs; return those that run."""
    jobs = ProcessingJobs(platform)
    _mend_record()
    _mend_operations(jobs)
    mend_list(PROCESSING)
    return jobs


def end_job(job: ProcessingRecord, end: ProcessingEnd) -> None:
    """Put a job's record into its final state; the status that waiters look at comes last."""
    job.processing_end_time = job.last_modified_time = utcnow()
    job.exit_message, job.failure_reason = end.message or None, end.reason or None
    with outcome():
        job.processing_job_status = end.status
        processing_job_changed(job)


def described(job: ProcessingRecord) -> dict[str, Any]:
    """Return what the program is told of its job, in `processingjobconfig.json`."""
    fields = {**FIELDS, **_KEPT}
    told = {key: getattr(job, field) for key, field in fields.items() if key != "Tags"}
    return {"ProcessingJobArn": job.arn, **told}


def _mend_record() -> None:
    @wrap(FakeProcessingJob, "__init__", fault="a job is Completed at once, with nothing done")
    def init(original: Any, self: ProcessingRecord, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.processing_job_status = "InProgress"
        # Every attribute that is set later is there now: the record is read while it changes.
        self.processing_start_time = self.processing_end_time = None
        self.processing_resources = self.environment = self.monitoring_schedule_arn = None
        self.exit_message = self.failure_reason = None


def _mend_operations(jobs: ProcessingJobs) -> None:
    @wrap(SageMakerResponse, "create_processing_job", fault="nothing runs; fields are dropped")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        del original
        request = {key: self._get_param(key) for key in {**FIELDS, **_KEPT}}
        return ActionResult(jobs.create(self.sagemaker_backend, request).response_create)

    @wrap(SageMakerResponse, "stop_processing_job", fault="calls a job Stopped that was Completed")
    def stop(original: Any, self: SageMakerResponse) -> ActionResult:
        del original
        records = self.sagemaker_backend.processing_jobs
        jobs.stop(job_of(records, self._get_param("ProcessingJobName")))
        return EmptyResult()

    @wrap(SageMakerModelBackend, "describe_processing_job", fault="other words than AWS's")
    def describe(
        original: Any, self: SageMakerModelBackend, processing_job_name: str
    ) -> dict[str, Any]:
        job_of(self.processing_jobs, processing_job_name)
        found: dict[str, Any] = original(self, processing_job_name)
        return found
