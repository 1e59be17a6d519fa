"""Signatures of requests: the access key, its scope, and until when a URL is valid.

A header or a presigned query, of Signature Version 4 or 2, or the fields of a form that a browser
posts to S3. Signatures themselves are not checked.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import base64
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from local_aws.core.clock import CLOCK
from local_aws.core.context import REGION
from local_aws.iam.access_decisions import AccessDenied

# boto3's ExpiresIn; Signature Version 2 says when a URL ends, and not when it was signed.
_USUAL_LIFETIME = timedelta(hours=1)
_MAX_LIFETIME_SECONDS = 604_800
# The end of what does not say validly when it ends.
_NEVER_VALID = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Signed:
    """The credential scope of a request; `key` is "" where it is not signed.

    `expires` is the end of a presigned URL by the embedded AWS's clock.
    """

    key: str = ""
    region: str = REGION
    service: str = ""
    expires: datetime | None = None

    def require_unexpired(self) -> None:
        """Raise AccessDenied when the time of a presigned URL or form is over."""
        if self.expires is not None and self.expires <= CLOCK.now():
            raise AccessDenied("Request has expired")


def signed_by(environ: dict[str, Any]) -> Signed:
    """Return what a WSGI request is signed with, by its header or its presigned query."""
    return signed_with(environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", ""))


def signed_with(authorization: str, query: str = "") -> Signed:
    """Return what a request is signed with, by its header, else by its raw query string."""
    if authorization.startswith("AWS "):
        return Signed(authorization[4:].partition(":")[0].strip(), service="s3")
    if authorization:
        return _scoped(authorization.partition("Credential=")[2].split(",")[0])
    if "X-Amz-Credential" not in query and "AWSAccessKeyId" not in query:
        return Signed()
    return _presigned(query)


@functools.lru_cache(maxsize=4096)
def _presigned(query: str) -> Signed:
    """Return what a presigned URL is signed with; its end is fixed when it is first seen.

    URLs say to the second when they were signed, so later it could not be known whether that
    was before or after the clock was advanced within that second.
    """
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    if credential := fields.get("X-Amz-Credential", ""):
        return _scoped(credential, _version_4_end(fields))
    return Signed(fields.get("AWSAccessKeyId", ""), REGION, "s3", _version_2_end(fields))


def signed_form(fields: Mapping[str, Any]) -> Signed:
    """Return what a form is signed with that is posted to a bucket."""
    given = {name.lower(): str(value) for name, value in fields.items()}
    end = _policy_end(given.get("policy", ""))
    if credential := given.get("x-amz-credential", ""):
        return _scoped(credential, end)
    key = given.get("awsaccesskeyid", "")
    return Signed(key, REGION, "s3", end) if key else Signed()


def _scoped(credential: str, expires: datetime | None = None) -> Signed:
    parts = credential.strip().split("/")
    return Signed(parts[0], parts[2], parts[3], expires) if len(parts) > 3 else Signed()


def signature_age(dated: str) -> int | None:
    """Return the milliseconds since a request was signed, by its `X-Amz-Date`; None without one."""
    try:
        return max(0, int((CLOCK.now() - _signed_at(dated)).total_seconds() * 1000))
    except ValueError:
        return None


@functools.lru_cache(maxsize=4096)
def _signed_at(dated: str) -> datetime:
    """Return when that was by this clock; fixed when it is first seen."""
    return _embedded(_version_4_date(dated))


def _version_4_date(dated: str) -> datetime:
    return datetime.strptime(dated, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _version_4_end(fields: Mapping[str, str]) -> datetime:
    try:
        signed = _version_4_date(fields["X-Amz-Date"])
        seconds = int(fields["X-Amz-Expires"])
    except (KeyError, ValueError):
        return _NEVER_VALID
    if not 0 <= seconds <= _MAX_LIFETIME_SECONDS:
        return _NEVER_VALID
    return _embedded(signed) + timedelta(seconds=seconds)


def _version_2_end(fields: Mapping[str, str]) -> datetime:
    try:
        return _aged(datetime.fromtimestamp(int(fields["Expires"]), UTC))
    except (KeyError, ValueError, OverflowError, OSError):
        return _NEVER_VALID


def _policy_end(policy: str) -> datetime:
    """Return when the policy of a form ends."""
    try:
        end = datetime.fromisoformat(json.loads(base64.b64decode(policy))["expiration"])
        return _aged(end if end.tzinfo else end.replace(tzinfo=UTC))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return _NEVER_VALID


def _aged(end: datetime) -> datetime:
    """Return the end, by this clock, of what a client signed by its own one."""
    return _embedded(end - _USUAL_LIFETIME) + _USUAL_LIFETIME


def _embedded(signed: datetime) -> datetime:
    """Return this clock's time of what a client's clock, to the second, says."""
    second = timedelta(seconds=1)
    return CLOCK.at(signed + second) - second
