"""Batch transforms: moto's CreateTransformJob made to ask the model."""

import threading
import uuid
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeTransformJob, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import implement, wrap
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import Platform
from local_aws.sagemaker.endpoints.fleet_builder import FleetBuilder, VariantPlan
from local_aws.sagemaker.jobs.job_lists import (
    TRANSFORM,
    job_of,
    mend_list,
    not_stoppable,
    require_new,
)
from local_aws.sagemaker.jobs.transform import TransformRun
from local_aws.sagemaker.jobs.transform_spec import TransformEnd, TransformSpec
from local_aws.sagemaker.model_containers import container_of
from local_aws.sagemaker.names import require_resource_name
from local_aws.sagemaker.state_events import transform_job_changed
from local_aws.state.stores import outcome

LOG_GROUP = "/aws/sagemaker/TransformJobs"
# A FakeTransformJob.
TransformRecord = Any
_FIELDS = (
    "TransformJobName",
    "ModelName",
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "DataCaptureConfig",
    "TransformResources",
    "DataProcessing",
)


class TransformJobs:
    """The jobs that run, and what happens to moto's record of each."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._runs: dict[str, TransformRun] = {}
        context = platform.context
        self._builder = FleetBuilder(
            folder=context.folder("transform"),
            images_path=context.images_path,
            children=context.children,
            s3=platform.s3,
            log_stream=platform.log_stream,
            require_image=platform.require_image,
        )

    def start(
        self, backend: SageMakerModelBackend, job: TransformRecord, spec: TransformSpec
    ) -> None:
        """Start a recorded job; its record changes as it goes on.

        Raises NoContainer, RoleNotAssumable and ImageDenied.
        """
        model, context = self._model(backend, job), self._platform.context
        log = f"{spec.name}/i-{uuid.uuid4().hex[:17]}"
        environment = model.base_environment
        run = TransformRun(
            spec,
            folder=context.folder("transform", spec.name),
            children=context.children,
            s3=self._platform.s3(environment),
            serve=lambda folder: self._builder.serve_spec(
                model, folder, owner=f"transform-job/{spec.name}"
            ),
            on_line=self._platform.log_stream(LOG_GROUP, log, environment),
            on_data=self._platform.log_stream(LOG_GROUP, f"{log}/data-log", environment),
        )
        self._runs[job.arn] = run
        transform_job_changed(job)
        name = f"transform-{spec.name}"
        threading.Thread(target=self._run, args=(job, run), name=name, daemon=True).start()

    def stop(self, job: TransformRecord) -> None:
        """Have a running job stop; one that has ended cannot be stopped any more."""
        run = self._runs.get(job.arn)
        if run is None:
            raise not_stoppable("transform", job.transform_job_status)
        job.transform_job_status = "Stopping"
        run.request_stop()

    def _run(self, job: TransformRecord, run: TransformRun) -> None:
        try:
            job.transform_start_time = utcnow()
            end_job(job, run.run())
        finally:
            self._runs.pop(job.arn, None)

    def _model(self, backend: SageMakerModelBackend, job: TransformRecord) -> VariantPlan:
        model = backend.describe_model(job.model_name)
        image, data, environment = container_of(backend, model)
        credentials = self._platform.role_environment(model.execution_role_arn, model.arn)
        self._platform.require_image(credentials, image)
        return VariantPlan(
            name="transform",
            image=image,
            model_data=data,
            container_environment={
                **environment,
                "SAGEMAKER_BATCH": "true",
                **(job.environment or {}),
            },
            base_environment=credentials,
        )


def install(platform: Platform) -> None:
    """Mend moto's batch transforms."""
    jobs = TransformJobs(platform)
    _mend_record()
    _mend_create(jobs)
    _mend_operations(jobs)
    mend_list(TRANSFORM)


def end_job(job: TransformRecord, end: TransformEnd) -> None:
    """Put a job's record into its final state; the status that waiters look at comes last."""
    job.transform_end_time = job.last_modified_time = utcnow()
    job.failure_reason = end.reason or None
    with outcome():
        job.transform_job_status = end.status
        transform_job_changed(job)


def _mend_record() -> None:
    @wrap(FakeTransformJob, "__init__", fault="a job is Completed at once, with nothing done")
    def init(original: Any, self: TransformRecord, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.transform_job_status = "InProgress"
        self.transform_start_time = self.transform_end_time = self.failure_reason = None
        self.labeling_job_arn = self.auto_ml_job_arn = None


def _mend_create(jobs: TransformJobs) -> None:
    @wrap(SageMakerResponse, "create_transform_job", fault="nothing is asked or written")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        backend, name = self.sagemaker_backend, self._get_param("TransformJobName")
        require_new(backend.transform_jobs, name)
        try:
            require_resource_name("transformJobName", name)
            spec = TransformSpec.parse({field: self._get_param(field) for field in _FIELDS})
            backend.describe_model(self._get_param("ModelName"))
            result: ActionResult = original(self)
            jobs.start(backend, backend.transform_jobs[name], spec)
        except (LocalAwsError, KeyError) as error:
            backend.transform_jobs.pop(name, None)
            raise AWSValidationException(str(error)) from error
        return result


def _mend_operations(jobs: TransformJobs) -> None:
    @implement(SageMakerResponse, "stop_transform_job", fault="the operation is missing")
    def stop(self: SageMakerResponse) -> ActionResult:
        records = self.sagemaker_backend.transform_jobs
        jobs.stop(job_of(records, self._get_param("TransformJobName")))
        return EmptyResult()

    @wrap(SageMakerModelBackend, "describe_transform_job", fault="other words than AWS's")
    def describe(
        original: Any, self: SageMakerModelBackend, transform_job_name: str
    ) -> dict[str, Any]:
        job_of(self.transform_jobs, transform_job_name)
        found: dict[str, Any] = original(self, transform_job_name)
        return found
