"""The algorithm's messages for its user."""

from local_aws.errors import LocalAwsError

_INITIALISE = (
    "Unable to initialize the algorithm. Failed to validate {}. (caused by ValidationError)"
)


class CustomerError(LocalAwsError):
    """The data or the settings of a job are wrong; the message is its FailureReason."""


def invalid_hyperparameter(cause: str) -> CustomerError:
    """Return the error of a hyperparameter that is missing, unknown or out of its range."""
    return CustomerError(f"{_INITIALISE.format('hyperparameters')}\n\nCaused by: {cause}")


def invalid_channels(cause: str) -> CustomerError:
    """Return the error of a channel that is missing or of another content type."""
    return CustomerError(f"{_INITIALISE.format('input data configuration')}\n\nCaused by: {cause}")
