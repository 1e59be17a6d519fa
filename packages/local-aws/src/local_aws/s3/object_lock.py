"""Object Lock: what protects a version against deletion, and who may lift that.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.s3.exceptions import AccessDeniedByLock, S3ClientError
from moto.s3.models import FakeKey

from local_aws.core.patching import patch
from local_aws.iam.s3_requests import bypasses_retention

GOVERNANCE = "GOVERNANCE"
_BACKEND = "moto.s3.models.S3Backend"


class InvalidBucketState(S3ClientError):
    """A change that a bucket with Object Lock does not take."""

    refusal_status = 409

    def __init__(self) -> None:
        super().__init__(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state "
            "cannot be changed.",
        )


@patch("moto.s3.models.FakeKey.is_locked", why='takes the header\'s "false" for a bypass')
def is_locked(original: Any, key: Any, governance_bypass: Any) -> bool:
    """Return whether a version may not be deleted."""
    return bool(original(key, str(governance_bypass).lower() == "true"))


@patch(
    "moto.s3.responses.S3Response.put_object_retention",
    why="lets everybody shorten, weaken or remove the retention of a protected version",
)
def put_object_retention(original: Any, response: Any) -> Any:
    """Give a version another retention; raises AccessDenied for less than protects it."""
    version = response._get_param("versionId")
    key = response.backend.get_object(
        response.bucket_name, response.parse_key_name(), version_id=version
    )
    if isinstance(key, FakeKey) and key.lock_mode and _end(key.lock_until) > datetime.now(UTC):
        mode, until = response._mode_until_from_body()
        is_less = mode not in (key.lock_mode, "COMPLIANCE") or _end(until) < _end(key.lock_until)
        may = key.lock_mode == GOVERNANCE and bypasses_retention(response.headers)
        if is_less and not may:
            raise AccessDeniedByLock
    return original(response)


def _end(text: str | None) -> datetime:
    """Return when a retention ends, long ago for none."""
    try:
        end = datetime.fromisoformat(text or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return end if end.tzinfo else end.replace(tzinfo=UTC)


@patch(f"{_BACKEND}.put_bucket_versioning", why="suspends versioning where Object Lock needs it")
def put_bucket_versioning(original: Any, backend: Any, bucket_name: str, status: str) -> None:
    """Enable or suspend a bucket's versioning; raises InvalidBucketState."""
    if status != "Enabled" and backend.get_bucket(bucket_name).object_lock_enabled:
        raise InvalidBucketState
    original(backend, bucket_name, status)


class NoSuchObjectLockConfiguration(S3ClientError):
    """A version that has no retention."""

    refusal_status = 404

    def __init__(self) -> None:
        message = "The specified object does not have a ObjectLock configuration"
        super().__init__("NoSuchObjectLockConfiguration", message)


@patch(
    "moto.s3.responses.S3Response.get_object",
    why="answers a request for a version's retention with the version",
)
def get_object(original: Any, response: Any) -> Any:
    """Answer with an object, or with its retention.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html
    """
    if "retention" not in parse_qs(response.parsed_url.query, keep_blank_values=True):
        return original(response)
    key, _ = response._get_key()
    if not key.lock_mode:
        raise NoSuchObjectLockConfiguration
    fields = {"Mode": key.lock_mode, "RetainUntilDate": key.lock_until}
    content = "".join(f"<{name}>{escape(str(text))}</{name}>" for name, text in fields.items())
    return 200, {"Content-Type": "application/xml"}, f"<Retention>{content}</Retention>"
