"""What a tuning job's run does to moto's record of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.utils import utcnow

from local_aws.sagemaker.jobs.training_requests import JobRecord
from local_aws.sagemaker.jobs.tuning_plan import TuningPlan
from local_aws.state.stores import outcome

# A HyperParameterTuningJob, with the attributes that moto's lacks.
TuningRecord = Any
ENDED = frozenset(("Completed", "Failed", "Stopped"))


def objective_of(plan: TuningPlan, job: JobRecord) -> float | None:
    """Return the last value of a trial's objective; None where it told none, or has failed."""
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
    told = {
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
    return {name: content for name, content in told.items() if content is not None}


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
    with outcome():
        record.hyper_parameter_tuning_job_status = status


def _objective_status(value: float | None, *, ended: bool) -> str:
    if not ended:
        return "Pending"
    return "Failed" if value is None else "Succeeded"
