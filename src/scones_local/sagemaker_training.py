"""Training jobs: moto's CreateTrainingJob made to run the image's `train` program."""

import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException
from moto.sagemaker.models import FakeTrainingJob, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from scones_core.errors import SconesError
from scones_core.uris import S3Uri
from scones_local.channels import Channel
from scones_local.names import require_resource_name
from scones_local.registry import implement, wrap
from scones_local.sagemaker_platform import Platform
from scones_local.training import TrainingEnd, TrainingRun, TrainingSpec

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
NAMESPACE = "/aws/sagemaker/TrainingJobs"
# A FakeTrainingJob, with the attributes that moto's lacks.
JobRecord = Any


class TrainingJobs:
    """The jobs that run, and what happens to moto's record of each."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._runs: dict[str, TrainingRun] = {}

    def start(self, job: JobRecord, environment: Mapping[str, str]) -> None:
        """Start a recorded job; its record changes as it goes on.

        Raises AWSValidationException where the request cannot be a job.
        """
        try:
            require_resource_name("trainingJobName", job.training_job_name)
            spec = self._spec(job, environment)
        except (SconesError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        stream = f"{job.training_job_name}/algo-1-{int(time.time())}"
        run = TrainingRun(
            spec,
            images_path=self._platform.context.images_path,
            folder=self._platform.context.folder("training", job.training_job_name),
            children=self._platform.context.children,
            s3=self._platform.s3(spec.environment),
            on_line=self._platform.log_stream(LOG_GROUP, stream),
            on_status=lambda status, message: enter_status(job, status, message),
            on_metric=lambda name, value: self._metric(job, name, value),
        )
        self._runs[job.arn] = run
        name = f"training-{job.training_job_name}"
        threading.Thread(target=self._run, args=(job, run), name=name, daemon=True).start()

    def stop(self, job: JobRecord) -> None:
        """Have a running job stop; one that has ended cannot be stopped any more."""
        run = self._runs.get(job.arn)
        if run is None:
            raise AWSValidationException(
                "The request was rejected because the training job is in status "
                f"{job.training_job_status}."
            )
        job.training_job_status = "Stopping"
        run.request_stop()

    def _run(self, job: JobRecord, run: TrainingRun) -> None:
        try:
            end_job(job, run.run())
        finally:
            self._runs.pop(job.arn, None)

    def _spec(self, job: JobRecord, environment: Mapping[str, str]) -> TrainingSpec:
        algorithm, resources = job.algorithm_specification, job.resource_config or {}
        mode = algorithm.get("TrainingInputMode", "File")
        return TrainingSpec(
            name=job.training_job_name,
            image=algorithm["TrainingImage"],
            hyperparameters=job.hyper_parameters or {},
            channels=tuple(Channel.parse(c, mode) for c in job.input_data_config or ()),
            output=S3Uri.parse(job.output_data_config["S3OutputPath"]),
            environment={
                **self._platform.role_environment(job.role_arn, "SageMaker"),
                "TRAINING_JOB_ARN": job.arn,
                **environment,
            },
            metrics={d["Name"]: d["Regex"] for d in algorithm.get("MetricDefinitions") or ()},
            max_runtime_seconds=(job.stopping_condition or {}).get("MaxRuntimeInSeconds", 86_400),
            instance_type=resources.get("InstanceType", ""),
            kms_key_id=job.output_data_config.get("KmsKeyId") or None,
        )

    def _metric(self, job: JobRecord, name: str, value: float) -> None:
        point = {"MetricName": name, "Value": value, "Timestamp": utcnow()}
        others = [m for m in job.final_metric_data_list if m["MetricName"] != name]
        job.final_metric_data_list = [*others, point]
        dimensions = [{"Name": "TrainingJobName", "Value": job.training_job_name}]
        self._platform.put_metric(
            NAMESPACE, [{"MetricName": name, "Value": value, "Dimensions": dimensions}]
        )


def enter_status(job: JobRecord, status: str, message: str) -> None:
    """Put a job's record into a secondary status."""
    now = utcnow()
    transitions = [dict(transition) for transition in job.secondary_status_transitions]
    if transitions:
        transitions[-1]["EndTime"] = now
    transitions.append({"Status": status, "StartTime": now, "StatusMessage": message})
    if status == "Training":
        job.training_start_time = now
    # The record is read while it changes, so the list is replaced as a whole.
    job.secondary_status_transitions = transitions
    job.secondary_status = status
    job.last_modified_time = now


def end_job(job: JobRecord, end: TrainingEnd) -> None:
    """Put a job's record into its final state; the status that waiters look at comes last."""
    now = utcnow()
    enter_status(job, end.secondary, end.message)
    job.secondary_status_transitions[-1]["EndTime"] = now
    job.training_end_time = now
    if end.seconds:
        job.training_time_in_seconds = job.billable_time_in_seconds = max(1, round(end.seconds))
    if end.artifact:
        job.model_artifacts = {"S3ModelArtifacts": end.artifact}
    if end.reason:
        job.failure_reason = end.reason
    job.training_job_status = end.status


def install(platform: Platform) -> None:
    """Mend moto's training jobs."""
    jobs = TrainingJobs(platform)

    @wrap(FakeTrainingJob, "__init__", fault="a job is Completed at once, with invented metrics")
    def init(original: Any, self: JobRecord, *args: Any, **kwargs: Any) -> None:
        algorithm = dict(kwargs["algorithm_specification"])
        # moto writes a metric definition of its own into the caller's specification.
        original(self, *args, **{**kwargs, "algorithm_specification": dict(algorithm)})
        self.algorithm_specification = algorithm
        self.training_job_status, self.secondary_status = "InProgress", "Starting"
        # Every attribute that is set later is there now: the record is read while it changes.
        self.training_start_time = self.training_end_time = self.model_artifacts = None
        self.training_time_in_seconds = self.billable_time_in_seconds = None
        self.failure_reason = self.environment = None
        self.final_metric_data_list, self.secondary_status_transitions = [], []
        enter_status(self, "Starting", "Preparing the instances for training")

    @wrap(SageMakerResponse, "create_training_job", fault="nothing runs; Environment is dropped")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        name = self._get_param("TrainingJobName")
        if name in self.sagemaker_backend.training_jobs:
            raise ResourceInUseException(
                "Job name must be unique within an AWS account and region, and a job with this "
                f"name already exists ({self.sagemaker_backend.training_jobs[name].arn})"
            )
        _check_metrics(self._get_param("AlgorithmSpecification") or {})
        environment = self._get_param("Environment") or {}
        result: ActionResult = original(self)
        job: JobRecord = self.sagemaker_backend.training_jobs[name]
        job.environment = environment
        try:
            jobs.start(job, environment)
        except Exception:
            del self.sagemaker_backend.training_jobs[name]
            raise
        return result

    @wrap(SageMakerModelBackend, "describe_training_job", fault="other words than AWS's")
    def describe(original: Any, self: SageMakerModelBackend, name: str) -> dict[str, Any]:
        _known(self, name)
        found: dict[str, Any] = original(self, name)
        return found

    @implement(SageMakerResponse, "stop_training_job", fault="the operation is missing")
    def stop(self: SageMakerResponse) -> ActionResult:
        jobs.stop(_known(self.sagemaker_backend, self._get_param("TrainingJobName")))
        return EmptyResult()


def _known(backend: SageMakerModelBackend, name: str) -> JobRecord:
    job = backend.training_jobs.get(name)
    if job is None:
        raise AWSValidationException("Requested resource not found.")
    return job


def _check_metrics(algorithm: Mapping[str, Any]) -> None:
    for definition in algorithm.get("MetricDefinitions") or ():
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise AWSValidationException(
                f"The metric {definition['Name']} has an invalid regular expression: {error}."
            ) from error
