"""What a training job is asked for, and how it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from scones_core.uris import S3Uri
from scones_local.sagemaker.channels import Channel

Status = Literal["Completed", "Failed", "Stopped"]
_MAX_REASON_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What CreateTrainingJob asked for. `environment` is the whole environment but the SM_*."""

    name: str
    image: str
    hyperparameters: Mapping[str, str]
    channels: tuple[Channel, ...]
    output: S3Uri
    environment: Mapping[str, str]
    metrics: Mapping[str, str] = field(default_factory=dict)
    max_runtime_seconds: float = 86_400
    instance_type: str = "ml.m5.large"
    kms_key_id: str | None = None

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


def failed(reason: str) -> TrainingEnd:
    """Return the end of a job that failed."""
    reason = reason[:_MAX_REASON_CHARACTERS]
    return TrainingEnd("Failed", "Failed", "Training job failed", reason=reason)


def ended(artifact: str, seconds: float, *, timed_out: bool, stopped: bool) -> TrainingEnd:
    """Return the end of a job whose program ended by itself, by a request, or by its limit."""
    status: Status = "Completed"
    secondary, message = "Completed", "Training job completed"
    if timed_out:
        status, secondary = "Stopped", "MaxRuntimeExceeded"
        message = "Training job runtime exceeded MaxRuntimeInSeconds provided"
    elif stopped:
        status, secondary, message = "Stopped", "Stopped", "Training job stopped"
    return TrainingEnd(status, secondary, message, artifact=artifact, seconds=seconds)
