"""What a training job is asked for, and how it ends."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from local_aws.core.s3_uri import S3Uri
from local_aws.sagemaker.jobs.channels import Channel

Status = Literal["Completed", "Failed", "Stopped"]
_MAX_REASON_CHARACTERS = 1024


class Ending(enum.Enum):
    """Why a training program ended: the secondary status, and AWS's message for it."""

    BY_ITSELF = ("Completed", "Training job completed")
    STOPPED = ("Stopped", "Training job stopped")
    # Before the program was started.
    STOPPED_EARLY = ("Stopped", "Training job stopped before it began")
    OUT_OF_TIME = (
        "MaxRuntimeExceeded",
        "Training job runtime exceeded MaxRuntimeInSeconds provided",
    )
    OUT_OF_WAIT = ("MaxWaitTimeExceeded", "Training job exceeded MaxWaitTimeInSeconds provided")
    INTERRUPTED = ("Interrupted", "Training job interrupted")


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What CreateTrainingJob asked for. `environment` is the whole environment but the SM_*.

    `checkpoint_path` is relative to `/opt/ml`. `max_wait_seconds` is that of a spot job.
    """

    name: str
    image: str
    hyperparameters: Mapping[str, str]
    channels: tuple[Channel, ...]
    output: S3Uri
    environment: Mapping[str, str]
    metrics: Mapping[str, str] = field(default_factory=dict)
    max_runtime_seconds: float = 86_400
    max_wait_seconds: float | None = None
    instance_type: str = "ml.m5.large"
    kms_key_id: str | None = None
    checkpoints: S3Uri | None = None
    checkpoint_path: str = "checkpoints"

    @property
    def artifact(self) -> S3Uri:
        """Return where the model goes: `<output>/<job>/output/model.tar.gz`."""
        return self.output.join(self.name, "output", "model.tar.gz")


@dataclass(frozen=True, slots=True)
class TrainingEnd:
    """How a job ended; `secondary` is the last secondary status, `seconds` the program's time."""

    status: Status
    secondary: str
    message: str
    reason: str = ""
    artifact: str = ""
    seconds: float = 0.0


def failed(reason: str, seconds: float = 0.0) -> TrainingEnd:
    """Return the end of a job that failed."""
    reason = reason[:_MAX_REASON_CHARACTERS]
    return TrainingEnd("Failed", "Failed", "Training job failed", reason=reason, seconds=seconds)


def ended(artifact: str, seconds: float, ending: Ending) -> TrainingEnd:
    """Return the end of a job whose program ended by itself, by a request, or by a limit."""
    status: Status = "Completed" if ending is Ending.BY_ITSELF else "Stopped"
    secondary, message = ending.value
    return TrainingEnd(status, secondary, message, artifact=artifact, seconds=seconds)
