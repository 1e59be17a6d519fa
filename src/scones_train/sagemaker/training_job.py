"""A training job on SageMaker, or on whatever answers in its place: started, followed, read."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import TrainingError, TrainingJobFailed
from scones_train.sagemaker.job_logs import Follower, Logs, Progress
from scones_train.sagemaker.training_job_request import TrainingRequest, job_name, job_request


class SageMaker(Protocol):
    """The part of boto3's `sagemaker` client that a job needs."""

    def create_training_job(self, **request: Any) -> Mapping[str, Any]:
        """Start a job."""

    def describe_training_job(self, *, TrainingJobName: str) -> Mapping[str, Any]:
        """Return a job's state."""

    def stop_training_job(self, *, TrainingJobName: str) -> Any:
        """Ask a job to stop."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A completed job; `metrics` are the last value of each name that its lines carried."""

    job_name: str
    model_data_url: str
    metrics: Mapping[str, float]
    seconds: float


def launch(
    sagemaker: SageMaker,
    logs: Logs,
    request: TrainingRequest,
    *,
    progress: Progress,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
    poll_seconds: float = 1.0,
) -> TrainingResult:
    """Start a job, wait for its end and return its result.

    `progress` is called with (epochs done, epochs in all, line) for each line of the job's output.
    An interrupt stops the job before it is raised again. Raises TrainingJobFailed with the
    job's own reason, and TrainingError where AWS refuses a call.
    """
    job, started = job_name(request.name_prefix, now()), now()
    try:
        sagemaker.create_training_job(**job_request(request, job))
        follower = Follower(logs, job, progress)
        try:
            answer = _wait(sagemaker, job, follower, sleep, poll_seconds)
        except KeyboardInterrupt:
            sagemaker.stop_training_job(TrainingJobName=job)
            raise
    except (ClientError, BotoCoreError) as error:
        raise TrainingError(
            f"Training job {job} could not be started or followed: {error}"
        ) from error
    return TrainingResult(
        job_name=job,
        model_data_url=answer["ModelArtifacts"]["S3ModelArtifacts"],
        metrics={**_recorded(answer), **follower.metrics},
        seconds=(now() - started).total_seconds(),
    )


def _wait(
    sagemaker: SageMaker,
    job: str,
    follower: Follower,
    sleep: Callable[[float], None],
    poll_seconds: float,
) -> Mapping[str, Any]:
    """Return the description of the completed job."""
    while True:
        answer = sagemaker.describe_training_job(TrainingJobName=job)
        # Read after the state, so that the last lines of a job that ended are not missed.
        follower.read()
        status = answer["TrainingJobStatus"]
        if status == "Completed":
            return answer
        if status in ("Failed", "Stopped"):
            reason = answer.get("FailureReason") or answer.get("SecondaryStatus") or "no reason"
            raise TrainingJobFailed(f"Training job {job} ended as {status}: {reason}")
        sleep(poll_seconds)


def _recorded(answer: Mapping[str, Any]) -> dict[str, float]:
    return {m["MetricName"]: m["Value"] for m in answer.get("FinalMetricDataList") or []}
