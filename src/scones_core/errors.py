"""The project's error tree.

Each error is one sentence that names the thing and says what to do. The tasks print that
sentence and exit with 1; only a bug in the project shows a stack trace.

The leaves of `WorkflowError` are a public interface: the Lambda runtime reports an
exception's class name, and the state machine's Retry and Catch match that very string.
"""

from typing import ClassVar

MAX_SENTENCE = 2_000
"""Of a WorkflowError: room for a key of S3 and what is said of it."""


class SconesError(Exception):
    """The base of every error that the project raises on purpose."""


class SettingsError(SconesError):
    """A setting is unknown, of the wrong type or out of its range."""


class ArchiveError(SconesError):
    """An archive is damaged, too large or unsafe; the message is a clause about it."""


class DatasetError(SconesError):
    """The images, their archive or their manifest cannot be used."""


class ChecksumMismatch(DatasetError):
    """A downloaded or stored file is not the one that was expected."""


class MalformedDataset(DatasetError):
    """An archive is truncated, altered or not of the documented layout."""


class UnknownLabel(DatasetError):
    """A class was asked for that the source does not have."""


class BuildError(SconesError):
    """A Lambda bundle cannot be built as it was promised."""


class TrainingError(SconesError):
    """Training failed, or its result cannot be used."""


class TrainingJobFailed(TrainingError):
    """A training job ended as Failed or Stopped."""


class MalformedArtifact(TrainingError):
    """A model artifact is missing, unreadable or incomplete."""


class DeployError(SconesError):
    """Terraform, a release or a deployed resource is not as it must be."""


class TerraformError(DeployError):
    """A Terraform command failed; its own message is in this one."""


class ReleaseError(DeployError):
    """A release is malformed, unknown, or its artifact is missing."""


class CostError(DeployError):
    """A cost cannot be estimated from the price table."""


class ExecutionFailed(SconesError):
    """A workflow execution ended otherwise than SUCCEEDED."""


class MonitorError(SconesError):
    """Captured records or results are missing or cannot be read."""


class WorkflowError(SconesError):
    """One image cannot be classified; `retryable` says whether another try may help.

    A sentence of more than MAX_SENTENCE characters is cut in its middle: it is part of a state,
    next to the name that it repeats, and no state may have more than 262,144 bytes.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, sentence: str) -> None:
        if len(sentence) > MAX_SENTENCE:
            end = MAX_SENTENCE // 4
            mark = " [...] "
            sentence = sentence[: MAX_SENTENCE - end - len(mark)] + mark + sentence[-end:]
        super().__init__(sentence)


class InvalidRequest(WorkflowError):
    """The input names no image, or not in a form that the workflow takes."""


class ImageNotFound(WorkflowError):
    """The S3 object does not exist, or was replaced between two steps."""


class ImageTooLarge(WorkflowError):
    """The object's bytes or the image's pixels exceed the limit."""


class UnsupportedImage(WorkflowError):
    """The object is not a PNG or JPEG that the endpoint takes."""


class InvalidInference(WorkflowError):
    """The endpoint's answer is not a probability for each label."""


class EndpointNotFound(WorkflowError):
    """No endpoint of the configured name is there."""


class RecordNotWritten(WorkflowError):
    """The table did not take an image's row; no event or message of the image was sent."""


class MessageNotSent(WorkflowError):
    """The event bus or a queue did not take what is to be said of an image."""


class EndpointThrottled(WorkflowError):
    """The endpoint or S3 asked to slow down."""

    retryable = True


class EndpointUnavailable(WorkflowError):
    """The endpoint or S3 did not answer, or answered with a fault of its own."""

    retryable = True
