"""A training job on SageMaker, or on whatever answers in its place: started, followed, read."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import TrainingError, TrainingJobFailed
from scones_core.uris import SPLITS, S3Uri, dataset_prefix
from scones_train.follow import Follower, Logs, Progress
from scones_train.hyperparameters import Hyperparameters
from scones_train.metrics import metric_definitions

JOB_NAME_CHARACTERS = 63
VOLUME_GB = 10


class SageMaker(Protocol):
    """The part of boto3's `sagemaker` client that a job needs."""

    def create_training_job(self, **request: Any) -> Mapping[str, Any]:
        """Start a job."""

    def describe_training_job(self, *, TrainingJobName: str) -> Mapping[str, Any]:
        """Return a job's state."""

    def stop_training_job(self, *, TrainingJobName: str) -> Any:
        """Ask a job to stop."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """One job: the image, the dataset version in `data_bucket`, where the model goes.

    The job's name is `name_prefix`, the time, and four random digits.
    """

    name_prefix: str
    image_uri: str
    role_arn: str
    data_bucket: str
    artifacts_bucket: str
    kms_key_arn: str
    hyperparameters: Hyperparameters
    instance_type: str
    max_runtime_seconds: int
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def output(self) -> S3Uri:
        """The prefix below which `<job>/output/model.tar.gz` appears."""
        return S3Uri(self.artifacts_bucket, "model")


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A completed job; `metrics` are the last value of each name that its lines carried."""

    job_name: str
    model_data_url: str
    metrics: Mapping[str, float]
    seconds: float


def image_uri(repository_url: str, tag: str) -> str:
    """Return the URI of the model image in a registry's repository."""
    return f"{repository_url}:{tag}"


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

    `progress` is told (epochs done, epochs in all, line) for each line of the job's output.
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


def job_name(prefix: str, moment: datetime) -> str:
    """Return a job name that no other job has: the prefix, the moment, four random digits."""
    suffix = f"-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return prefix[: JOB_NAME_CHARACTERS - len(suffix)].rstrip("-") + suffix


def job_request(request: TrainingRequest, job: str) -> dict[str, Any]:
    """Return the arguments of CreateTrainingJob."""
    prefix = dataset_prefix(request.hyperparameters.dataset_version)
    return {
        "TrainingJobName": job,
        "AlgorithmSpecification": {
            "TrainingImage": request.image_uri,
            "TrainingInputMode": "File",
            "MetricDefinitions": metric_definitions(),
        },
        "RoleArn": request.role_arn,
        "InputDataConfig": [
            _channel(split, S3Uri(request.data_bucket, f"{prefix}/{split}/")) for split in SPLITS
        ],
        "OutputDataConfig": {
            "S3OutputPath": str(request.output),
            "KmsKeyId": request.kms_key_arn,
        },
        "ResourceConfig": {
            "InstanceType": request.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": VOLUME_GB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": request.max_runtime_seconds},
        "HyperParameters": request.hyperparameters.strings(),
        "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()],
    }


def _channel(name: str, location: S3Uri) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        # The slash at the end keeps `train_lst/` out of the channel `train`.
        "S3Uri": str(location),
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


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
