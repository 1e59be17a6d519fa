"""Training jobs: moto's CreateTrainingJob made to run the image's `train` program."""

import re
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException
from moto.sagemaker.models import FakeTrainingJob, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from scones_local.registry import implement, wrap
from scones_local.sagemaker.platform import Platform
from scones_local.sagemaker.training_jobs import JobRecord, TrainingJobs, enter_status


def install(platform: Platform) -> None:
    """Mend moto's training jobs."""
    jobs = TrainingJobs(platform)
    _mend_record()
    _mend_create(jobs)
    _mend_describe()
    _add_stop(jobs)


def _mend_record() -> None:
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


def _mend_create(jobs: TrainingJobs) -> None:
    @wrap(SageMakerResponse, "create_training_job", fault="nothing runs; Environment is dropped")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        records, name = self.sagemaker_backend.training_jobs, self._get_param("TrainingJobName")
        if name in records:
            raise ResourceInUseException(
                "Job name must be unique within an AWS account and region, and a job with this "
                f"name already exists ({records[name].arn})"
            )
        _check_metrics(self._get_param("AlgorithmSpecification") or {})
        result: ActionResult = original(self)
        job: JobRecord = records[name]
        job.environment = self._get_param("Environment") or {}
        try:
            jobs.start(job, job.environment)
        except Exception:
            del records[name]
            raise
        return result


def _mend_describe() -> None:
    @wrap(SageMakerModelBackend, "describe_training_job", fault="other words than AWS's")
    def describe(original: Any, self: SageMakerModelBackend, name: str) -> dict[str, Any]:
        _known(self, name)
        found: dict[str, Any] = original(self, name)
        return found


def _add_stop(jobs: TrainingJobs) -> None:
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
