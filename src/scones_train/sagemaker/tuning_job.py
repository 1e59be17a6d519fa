"""A search by SageMaker: started, waited for, read."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import TrainingError, TrainingJobFailed
from scones_train.sagemaker.tuning_job_request import RANGES, Trial

# Called with trainings that ended, trainings in all.
Progress = Callable[[int, int], None]
LISTED = 100


class SageMaker(Protocol):
    """The part of boto3's `sagemaker` client that a search needs."""

    def create_hyper_parameter_tuning_job(self, **request: Any) -> Mapping[str, Any]:
        """Start a search."""

    def describe_hyper_parameter_tuning_job(
        self, *, HyperParameterTuningJobName: str
    ) -> Mapping[str, Any]:
        """Return a search's state."""

    def list_training_jobs_for_hyper_parameter_tuning_job(
        self, **request: Any
    ) -> Mapping[str, Any]:
        """Return one page of a search's trainings."""

    def stop_hyper_parameter_tuning_job(self, *, HyperParameterTuningJobName: str) -> Any:
        """Ask a search to stop."""

    def describe_training_job(self, *, TrainingJobName: str) -> Mapping[str, Any]:
        """Return a training."""


def search(
    sagemaker: SageMaker,
    request: Mapping[str, Any],
    *,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    poll_seconds: float = 2.0,
) -> list[Trial]:
    """Start a search, wait for its end, and return its trainings.

    An interrupt stops the search before it is raised again. Raises TrainingJobFailed with the
    search's own reason, and TrainingError where AWS refuses a call.
    """
    name = request["HyperParameterTuningJobName"]
    limits = request["HyperParameterTuningJobConfig"]["ResourceLimits"]
    try:
        sagemaker.create_hyper_parameter_tuning_job(**request)
        try:
            while not _ended(sagemaker, name, limits["MaxNumberOfTrainingJobs"], progress):
                sleep(poll_seconds)
        except KeyboardInterrupt:
            sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            raise
        return _trials(sagemaker, name)
    except (ClientError, BotoCoreError) as error:
        raise TrainingError(f"The search {name} could not be made: {error}") from error


def training(sagemaker: SageMaker, name: str) -> tuple[str, dict[str, float]]:
    """Return where a training's model is, and its figures; raises TrainingError."""
    try:
        found = sagemaker.describe_training_job(TrainingJobName=name)
    except (ClientError, BotoCoreError) as error:
        raise TrainingError(f"The training {name} cannot be read: {error}") from error
    figures = {m["MetricName"]: m["Value"] for m in found.get("FinalMetricDataList") or []}
    return str(found["ModelArtifacts"]["S3ModelArtifacts"]), figures


def _ended(sagemaker: SageMaker, name: str, jobs: int, progress: Progress) -> bool:
    found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    counts = found.get("TrainingJobStatusCounters") or {}
    done = sum(counts.get(kind, 0) for kind in ("Completed", "NonRetryableError", "Stopped"))
    progress(done, jobs)
    status = found["HyperParameterTuningJobStatus"]
    if status in ("Failed", "Stopped"):
        reason = found.get("FailureReason") or "no reason given"
        raise TrainingJobFailed(f"The search {name} ended as {status}: {reason}")
    return bool(status == "Completed")


def _trials(sagemaker: SageMaker, name: str) -> list[Trial]:
    request: dict[str, Any] = {"HyperParameterTuningJobName": name, "MaxResults": LISTED}
    found: list[Trial] = []
    while True:
        page = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**request)
        found += map(_trial, page["TrainingJobSummaries"])
        if not page.get("NextToken"):
            return found
        request["NextToken"] = page["NextToken"]


def _trial(summary: Mapping[str, Any]) -> Trial:
    objective = summary.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    searched = {each.name for each in RANGES}
    tuned = summary.get("TunedHyperParameters") or {}
    return Trial(
        name=summary["TrainingJobName"],
        values={key: value for key, value in tuned.items() if key in searched},
        objective=objective.get("Value"),
        status=summary["TrainingJobStatus"],
    )
