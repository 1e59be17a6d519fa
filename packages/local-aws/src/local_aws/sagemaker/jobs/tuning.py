"""Tuning jobs: moto's records made to run their trials."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException, ResourceNotFound
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import add, patch
from local_aws.core.stores import durable_transition
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.jobs.job_lists import not_stoppable
from local_aws.sagemaker.jobs.training_api import (
    TRAINING_JOBS,
    JobRecord,
    TrainingJobs,
    record_training_job,
)
from local_aws.sagemaker.jobs.tuning_plan import TuningPlan, parse_plan
from local_aws.sagemaker.jobs.tuning_search import Point, Trial, lags
from local_aws.sagemaker.names import require_tuning_job_name

_PARAMETERS = (
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobConfig",
    "TrainingJobDefinition",
    "TrainingJobDefinitions",
    "WarmStartConfig",
    "Autotune",
)
_tuners: dict[str, "Tuner"] = {}


# A HyperParameterTuningJob, with the attributes that moto's lacks.
TuningRecord = Any

ENDED = frozenset(("Completed", "Failed", "Stopped"))


@dataclass(slots=True)
class _Run:
    point: Point
    job: JobRecord

    @property
    def ended(self) -> bool:
        return self.job.training_job_status in ENDED


class Tuner:
    """One tuning job; `run` once, on a thread of the caller's.

    `launch` makes and starts the training job of a CreateTrainingJob request.
    """

    def __init__(
        self,
        plan: TuningPlan,
        record: TuningRecord,
        jobs: TrainingJobs,
        launch: Callable[[dict[str, Any]], JobRecord],
    ) -> None:
        self._plan, self._record, self._jobs, self._launch = plan, record, jobs, launch
        self._stop = threading.Event()
        self._runs: list[_Run] = []
        self._exhausted = False

    def request_stop(self) -> None:
        """Have no more trials launched, and those that run stopped; returns at once."""
        self._stop.set()

    def run(self) -> None:
        """Run trials until the job ends; its record says how. Never raises."""
        began = time.monotonic()
        try:
            while not self._done(time.monotonic() - began):
                self._launch_more()
                self._count()
                self._stop_laggards()
                self._stop.wait(_LOOK_SECONDS)
            self._finish()
        except AWSValidationException as error:
            self._end("Failed", f"ClientError: {error.message}")
        except Exception as error:  # the record must say how a job ended, whatever it was
            self._end("Failed", f"InternalServerError: {type(error).__name__}: {error}")

    def _done(self, seconds: float) -> bool:
        plan = self._plan
        if self._stop.is_set() or seconds > plan.max_seconds or self._target_reached():
            return True
        launched = self._exhausted or len(self._runs) >= plan.max_jobs
        return launched and all(run.ended for run in self._runs)

    def _target_reached(self) -> bool:
        plan = self._plan
        if plan.target is None:
            return False
        values = [objective_of(plan, run.job) for run in self._runs if run.ended]
        return any(v is not None and plan.score(v) >= plan.score(plan.target) for v in values)

    def _launch_more(self) -> None:
        plan = self._plan
        while (
            not self._exhausted
            and len(self._runs) < plan.max_jobs
            and sum(not run.ended for run in self._runs) < plan.parallel
        ):
            point = plan.search.next([self._trial(run) for run in self._runs])
            if point is None:
                self._exhausted = True
                return
            name = f"{plan.name}-{len(self._runs) + 1:03d}-{uuid.uuid4().hex[:8]}"
            self._runs.append(_Run(point, self._launch(plan.request(name, point))))

    def _trial(self, run: _Run) -> Trial:
        value = objective_of(self._plan, run.job) if run.ended else None
        return Trial(run.point, None if value is None else self._plan.score(value))

    def _stop_laggards(self) -> None:
        if not self._plan.stops_early:
            return
        earlier = [self._series(run) for run in self._runs if run.ended]
        for run in self._runs:
            going = run.job.training_job_status == "InProgress"
            if going and lags(self._series(run), earlier, maximise=self._plan.maximise):
                self._stop_trial(run)

    def _series(self, run: _Run) -> Sequence[float]:
        return self._jobs.series(run.job, self._plan.metric)

    def _stop_trial(self, run: _Run) -> None:
        try:
            self._jobs.stop(run.job)
        except AWSValidationException:
            return  # it has just ended by itself

    def _finish(self) -> None:
        for run in self._runs:
            if not run.ended:
                self._stop_trial(run)
        while not all(run.ended for run in self._runs):
            self._count()
            time.sleep(_LOOK_SECONDS)
        failed = all(run.job.training_job_status == "Failed" for run in self._runs)
        if self._stop.is_set():
            self._end("Stopped")
        elif failed:
            self._end("Failed", _ALL_FAILED)
        else:
            self._end("Completed")

    def _count(self) -> None:
        plan = self._plan
        count(
            self._record,
            [trial_summary(plan, run.job, plan.tuned(run.point)) for run in self._runs],
            plan,
        )

    def _end(self, status: str, reason: str = "") -> None:
        self._count()
        end(self._record, status, reason)
        self._jobs.forget_series([run.job for run in self._runs])


@patch(
    "moto.sagemaker.models.HyperParameterTuningJob.__init__",
    why="a job is Completed at once, with a fake best",
)
def init_hyper_parameter_tuning_job(
    original: Any, self: TuningRecord, *args: Any, **kwargs: Any
) -> None:
    """Make a record with every attribute that is set later."""
    original(self, *args, **kwargs)
    self.hyper_parameter_tuning_job_status = "InProgress"
    self.hyper_parameter_tuning_end_time = self.failure_reason = None
    self.best_training_job = self.OverallBestTrainingJob = None
    self.tuning_job_completion_details = self.consumed_resources = None
    self.training_jobs = []
    counters = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
    self.training_job_status_counters = dict.fromkeys(counters, 0)
    self.objective_status_counters = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)


@patch("moto.sagemaker.models.HyperParameterTuningJob.describe", why="has fields that say nothing")
def describe(original: Any, self: TuningRecord) -> dict[str, Any]:
    """Return what moto's HyperParameterTuningJob.describe should."""
    return {name: value for name, value in original(self).items() if value is not None}


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_hyper_parameter_tuning_job",
    why="no trial is run",
)
def create_hyper_parameter_tuning_job(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateHyperParameterTuningJob."""
    request = {name: self._get_param(name) for name in _PARAMETERS}
    try:
        require_tuning_job_name(request["HyperParameterTuningJobName"])
        plan = parse_plan(request)
    except LocalAwsError as error:
        raise AWSValidationException(str(error)) from error
    result: ActionResult = original(self)
    backend = self.sagemaker_backend
    _start(backend, plan, backend.hyper_parameter_tuning_jobs[plan.name])
    return result


def _start(
    backend: SageMakerModelBackend,
    plan: TuningPlan,
    record: TuningRecord,
) -> None:
    def launch(request: dict[str, Any]) -> JobRecord:
        job = record_training_job(backend, request)
        job.tuning_job_arn = record.arn
        try:
            TRAINING_JOBS.start(job, request.get("Environment") or {})
        except Exception:
            del backend.training_jobs[job.training_job_name]
            raise
        return job

    tuner = _tuners[record.arn] = Tuner(plan, record, TRAINING_JOBS, launch)

    def run() -> None:
        try:
            tuner.run()
        finally:
            _tuners.pop(record.arn, None)

    threading.Thread(target=run, name=f"tuning-{plan.name}", daemon=True).start()


@add(
    "moto.sagemaker.responses.SageMakerResponse.stop_hyper_parameter_tuning_job",
    why="the operation is missing",
)
def stop_hyper_parameter_tuning_job(self: SageMakerResponse) -> ActionResult:
    """Answer StopHyperParameterTuningJob."""
    record = _known(self)
    tuner = _tuners.get(record.arn)
    if tuner is None:
        status = record.hyper_parameter_tuning_job_status
        raise not_stoppable("hyperparameter tuning", status)
    record.hyper_parameter_tuning_job_status = "Stopping"
    tuner.request_stop()
    return EmptyResult()


@add(
    "moto.sagemaker.responses.SageMakerResponse.list_training_jobs_for_hyper_parameter_tuning_job",
    why="the operation is missing",
)
def list_training_jobs_for_hyper_parameter_tuning_job(self: SageMakerResponse) -> ActionResult:
    """Answer ListTrainingJobsForHyperParameterTuningJob."""
    record, order = _known(self), self._get_param("SortOrder") or "Ascending"
    status, by = self._get_param("StatusEquals"), self._get_param("SortBy") or "Name"
    found = [t for t in record.training_jobs if status in (None, t["TrainingJobStatus"])]
    found.sort(key=lambda trial: _sort_key(trial, by), reverse=order == "Descending")
    page_size, start = (
        int(self._get_param("MaxResults") or 10),
        int(self._get_param("NextToken") or 0),
    )
    page = {"TrainingJobSummaries": found[start : start + page_size]}
    more = {"NextToken": str(start + page_size)} if start + page_size < len(found) else {}
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


_LOOK_SECONDS = 0.1

_ALL_FAILED = (
    "All training jobs failed. Please take a look at the training jobs failures to get more "
    "details."
)


def objective_of(plan: TuningPlan, job: JobRecord) -> float | None:
    """Return the last value of a trial's objective; None where it reported none, or has failed."""
    if job.training_job_status == "Failed":
        return None
    values = [m["Value"] for m in job.final_metric_data_list if m["MetricName"] == plan.metric]
    return float(values[-1]) if values else None


def trial_summary(plan: TuningPlan, job: JobRecord, tuned: Mapping[str, str]) -> dict[str, Any]:
    """Return a trial as `HyperParameterTrainingJobSummary`."""
    value = objective_of(plan, job)
    ended = job.training_job_status in ENDED
    objective = {
        "Type": "Maximize" if plan.maximise else "Minimize",
        "MetricName": plan.metric,
        "Value": value,
    }
    described = {
        "TrainingJobName": job.training_job_name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.creation_time,
        "TrainingStartTime": job.training_start_time,
        "TrainingEndTime": job.training_end_time,
        "TrainingJobStatus": job.training_job_status,
        "TunedHyperParameters": dict(tuned),
        "FailureReason": job.failure_reason,
        "FinalHyperParameterTuningJobObjectiveMetric": objective
        if ended and value is not None
        else None,
        "ObjectiveStatus": _objective_status(value, ended=ended),
    }
    return {name: content for name, content in described.items() if content is not None}


def count(record: TuningRecord, summaries: Sequence[dict[str, Any]], plan: TuningPlan) -> None:
    """Put the trials' states, and the best of them, into the record."""
    statuses = Counter(summary["TrainingJobStatus"] for summary in summaries)
    objectives = Counter(summary["ObjectiveStatus"] for summary in summaries)
    record.training_jobs = list(summaries)
    record.training_job_status_counters = {
        "Completed": statuses["Completed"],
        "InProgress": statuses["InProgress"] + statuses["Stopping"],
        "RetryableError": 0,
        "NonRetryableError": statuses["Failed"],
        "Stopped": statuses["Stopped"],
    }
    record.objective_status_counters = {
        name: objectives[name] for name in ("Succeeded", "Pending", "Failed")
    }
    record.best_training_job = best(summaries, plan)
    record.last_modified_time = utcnow()


def best(summaries: Sequence[dict[str, Any]], plan: TuningPlan) -> dict[str, Any] | None:
    """Return the trial with the best objective, if one has any."""
    key = "FinalHyperParameterTuningJobObjectiveMetric"
    valued = [summary for summary in summaries if key in summary]
    return max(valued, key=lambda s: plan.score(s[key]["Value"]), default=None)


def end(record: TuningRecord, status: str, reason: str = "") -> None:
    """Put a tuning job's record into its final state; the status comes last."""
    record.hyper_parameter_tuning_end_time = record.last_modified_time = utcnow()
    record.failure_reason = reason or None
    with durable_transition():
        record.hyper_parameter_tuning_job_status = status


def _objective_status(value: float | None, *, ended: bool) -> str:
    if not ended:
        return "Pending"
    return "Failed" if value is None else "Succeeded"
