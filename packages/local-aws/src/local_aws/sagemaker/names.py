"""The names that SageMaker takes. They become folders here, so they are checked."""

import re

from local_aws.errors import LocalAwsError

_RESOURCE = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
_CHANNEL = r"[A-Za-z0-9._-]{1,64}"


class InvalidName(LocalAwsError):
    """A name does not have the documented form; the message is worded as AWS's."""


def require_resource_name(field: str, name: object) -> None:
    """Raise InvalidName unless this can name a job, an endpoint or a variant."""
    _require(field, name, _RESOURCE)


def require_tuning_job_name(name: object) -> None:
    """Raise InvalidName unless this can name a tuning job: 32 characters, for its trials' names."""
    _require("hyperParameterTuningJobName", name, r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")


def require_channel_name(name: object) -> None:
    """Raise InvalidName unless this can name a channel; `.` and `..` name none."""
    _require("channelName", "" if name in {".", ".."} else name, _CHANNEL)


def _require(field: str, name: object, pattern: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(pattern, name):
        raise InvalidName(
            f"1 validation error detected: Value '{name}' at '{field}' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: ^{pattern}$"
        )
