"""Training jobs: moto's CreateTrainingJob made to run the image's `train` program."""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.models import FakeTrainingJob, SageMakerModelBackend, sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import implement, wrap
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import Platform
from local_aws.sagemaker.jobs import tuning_api
from local_aws.sagemaker.jobs.job_lists import TRAINING, job_of, mend_list, require_new
from local_aws.sagemaker.jobs.training_jobs import TrainingJobs, enter_status
from local_aws.sagemaker.jobs.training_requests import JobRecord, check_request, metric_definitions
from local_aws.server.admin_api import PREFIX, route

_CHECKED = (
    "AlgorithmSpecification",
    "EnableManagedSpotTraining",
    "ResourceConfig",
    "StoppingCondition",
)
INTERRUPT_PATH = f"{PREFIX}sagemaker/interrupt"


def install(platform: Platform) -> None:
    """Mend moto's training jobs, and the tuning jobs that start them."""
    jobs = TrainingJobs(platform)
    _mend_record()
    _mend_create(jobs)
    _mend_describe()
    _add_stop(jobs)
    mend_list(TRAINING)
    _add_interrupt(platform, jobs)
    tuning_api.install(jobs)


def _mend_record() -> None:
    @wrap(FakeTrainingJob, "__init__", fault="a job is Completed at once, with invented metrics")
    def init(original: Any, self: JobRecord, *args: Any, **kwargs: Any) -> None:
        algorithm = dict(kwargs["algorithm_specification"])
        # moto writes a metric definition of its own into the caller's specification.
        original(self, *args, **{**kwargs, "algorithm_specification": dict(algorithm)})
        self.algorithm_specification = algorithm
        if definitions := metric_definitions(algorithm):
            algorithm["MetricDefinitions"] = definitions
        self.training_job_status, self.secondary_status = "InProgress", "Starting"
        # Every attribute that is set later is there now: the record is read while it changes.
        self.training_start_time = self.training_end_time = self.model_artifacts = None
        self.training_time_in_seconds = self.billable_time_in_seconds = None
        self.failure_reason = self.environment = self.tuning_job_arn = None
        self.final_metric_data_list, self.secondary_status_transitions = [], []
        enter_status(self, "Starting", "Preparing the instances for training")


def _mend_create(jobs: TrainingJobs) -> None:
    @wrap(SageMakerResponse, "create_training_job", fault="nothing runs; Environment is dropped")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        records, name = self.sagemaker_backend.training_jobs, self._get_param("TrainingJobName")
        require_new(records, name)
        check_request({key: self._get_param(key) for key in _CHECKED})
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
        job_of(self.training_jobs, name)
        found: dict[str, Any] = original(self, name)
        return found


def _add_stop(jobs: TrainingJobs) -> None:
    @implement(SageMakerResponse, "stop_training_job", fault="the operation is missing")
    def stop(self: SageMakerResponse) -> ActionResult:
        records = self.sagemaker_backend.training_jobs
        jobs.stop(job_of(records, self._get_param("TrainingJobName")))
        return EmptyResult()


def _add_interrupt(platform: Platform, jobs: TrainingJobs) -> None:
    @route("POST", INTERRUPT_PATH)
    def interrupt(body: dict[str, Any]) -> dict[str, str]:
        """Take a spot instance away: `training_job`, and `back_in_seconds` until the next one."""
        backend = sagemaker_backends[platform.account_id][platform.region]
        name = str(body.get("training_job", ""))
        job = backend.training_jobs.get(name)
        if job is None:
            raise LocalAwsError(f"There is no training job {name!r}.")
        jobs.interrupt(job, float(body.get("back_in_seconds", 0)))
        return {"interrupted": name}
