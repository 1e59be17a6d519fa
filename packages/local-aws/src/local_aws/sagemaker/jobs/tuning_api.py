"""Tuning jobs: moto's records made to run their trials."""

import threading
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException, ResourceNotFound
from moto.sagemaker.models import HyperParameterTuningJob, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import implement, wrap
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.jobs.job_lists import not_stoppable
from local_aws.sagemaker.jobs.training_jobs import TrainingJobs
from local_aws.sagemaker.jobs.training_requests import JobRecord, create_training_job
from local_aws.sagemaker.jobs.tuning_jobs import Tuner
from local_aws.sagemaker.jobs.tuning_plan import TuningPlan, parse_plan
from local_aws.sagemaker.jobs.tuning_records import TuningRecord
from local_aws.sagemaker.names import require_tuning_job_name

_PARAMETERS = (
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobConfig",
    "TrainingJobDefinition",
    "TrainingJobDefinitions",
    "WarmStartConfig",
    "Autotune",
)


def install(jobs: TrainingJobs) -> None:
    """Mend moto's tuning jobs."""
    tuners: dict[str, Tuner] = {}
    _mend_record()
    _mend_create(jobs, tuners)
    _add_stop(tuners)
    _add_list()


def _mend_record() -> None:
    @wrap(HyperParameterTuningJob, "__init__", fault="a job is Completed at once, with a fake best")
    def init(original: Any, self: TuningRecord, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.hyper_parameter_tuning_job_status = "InProgress"
        self.hyper_parameter_tuning_end_time = self.failure_reason = None
        self.best_training_job = self.OverallBestTrainingJob = None
        self.tuning_job_completion_details = self.consumed_resources = None
        self.training_jobs = []
        counters = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
        self.training_job_status_counters = dict.fromkeys(counters, 0)
        self.objective_status_counters = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)

    @wrap(HyperParameterTuningJob, "describe", fault="has fields that say nothing")
    def describe(original: Any, self: TuningRecord) -> dict[str, Any]:
        return {name: value for name, value in original(self).items() if value is not None}


def _mend_create(jobs: TrainingJobs, tuners: dict[str, Tuner]) -> None:
    @wrap(SageMakerResponse, "create_hyper_parameter_tuning_job", fault="no trial is run")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        request = {name: self._get_param(name) for name in _PARAMETERS}
        try:
            require_tuning_job_name(request["HyperParameterTuningJobName"])
            plan = parse_plan(request)
        except LocalAwsError as error:
            raise AWSValidationException(str(error)) from error
        result: ActionResult = original(self)
        backend = self.sagemaker_backend
        _start(backend, plan, backend.hyper_parameter_tuning_jobs[plan.name], jobs, tuners)
        return result


def _start(
    backend: SageMakerModelBackend,
    plan: TuningPlan,
    record: TuningRecord,
    jobs: TrainingJobs,
    tuners: dict[str, Tuner],
) -> None:
    def launch(request: dict[str, Any]) -> JobRecord:
        job = create_training_job(backend, request)
        job.tuning_job_arn = record.arn
        try:
            jobs.start(job, request.get("Environment") or {})
        except Exception:
            del backend.training_jobs[job.training_job_name]
            raise
        return job

    tuner = tuners[record.arn] = Tuner(plan, record, jobs, launch)

    def run() -> None:
        try:
            tuner.run()
        finally:
            tuners.pop(record.arn, None)

    threading.Thread(target=run, name=f"tuning-{plan.name}", daemon=True).start()


def _add_stop(tuners: dict[str, Tuner]) -> None:
    fault = "the operation is missing"

    @implement(SageMakerResponse, "stop_hyper_parameter_tuning_job", fault=fault)
    def stop(self: SageMakerResponse) -> ActionResult:
        record = _known(self)
        tuner = tuners.get(record.arn)
        if tuner is None:
            status = record.hyper_parameter_tuning_job_status
            raise not_stoppable("hyperparameter tuning", status)
        record.hyper_parameter_tuning_job_status = "Stopping"
        tuner.request_stop()
        return EmptyResult()


def _add_list() -> None:
    fault = "the operation is missing"

    @implement(SageMakerResponse, "list_training_jobs_for_hyper_parameter_tuning_job", fault=fault)
    def list_trials(self: SageMakerResponse) -> ActionResult:
        record, order = _known(self), self._get_param("SortOrder") or "Ascending"
        status, by = self._get_param("StatusEquals"), self._get_param("SortBy") or "Name"
        found = [t for t in record.training_jobs if status in (None, t["TrainingJobStatus"])]
        found.sort(key=lambda trial: _sort_key(trial, by), reverse=order == "Descending")
        most, start = (
            int(self._get_param("MaxResults") or 10),
            int(self._get_param("NextToken") or 0),
        )
        page = {"TrainingJobSummaries": found[start : start + most]}
        more = {"NextToken": str(start + most)} if start + most < len(found) else {}
        return ActionResult({**page, **more})


def _sort_key(trial: dict[str, Any], by: str) -> tuple[bool, Any]:
    if by == "FinalObjectiveMetricValue":
        metric = trial.get("FinalHyperParameterTuningJobObjectiveMetric")
        return (metric is None, metric["Value"] if metric else 0.0)
    names = {"CreationTime": "CreationTime", "Status": "TrainingJobStatus"}
    return (False, trial[names.get(by, "TrainingJobName")])


def _known(response: SageMakerResponse) -> TuningRecord:
    name = response._get_param("HyperParameterTuningJobName")
    record = response.sagemaker_backend.hyper_parameter_tuning_jobs.get(name)
    if record is None:
        raise ResourceNotFound(message=f"Requested resource not found: tuning job {name}.")
    return record
