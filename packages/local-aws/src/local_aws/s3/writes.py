"""Writes to S3: the digests, checksums and conditions that hold before anything is stored.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

import base64
import binascii
import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.s3.exceptions import MissingKey, PreconditionFailed, S3ClientError
from moto.s3.utils import compute_checksum

from local_aws.core.patching import patch
from local_aws.s3.requests import (
    is_quiet,
    require_deletable,
    require_metadata,
    without_deleted,
)

_RESPONSE = "moto.s3.responses.S3Response"
# What the standard library computes; CRC32C and CRC64NVME are stored unchecked.
_CHECKED = ("SHA256", "SHA1", "CRC32")
_SOURCE = "x-amz-copy-source"
# Between the check of a condition and the write nobody else may write.
_CONDITIONAL = threading.RLock()


@patch(f"{_RESPONSE}.put_object", why="checks no digest, and lets two writers both be the first")
def put_object(original: Any, response: Any) -> Any:
    """Store an object whose body is intact and whose conditions hold."""
    require_metadata(response.headers)
    require_intact(response)
    with _locked(response, "If-Match", "If-None-Match"):
        return original(response)


@patch(f"{_RESPONSE}.upload_part", why="stores a part before it looks at its checksum")
def upload_part(original: Any, response: Any) -> Any:
    """Store a part whose body is intact."""
    require_intact(response)
    return original(response)


@patch(f"{_RESPONSE}._bucket_response_delete_keys", why="checks no digest, and is not quiet")
def delete_objects(original: Any, response: Any, *args: Any, **more: Any) -> Any:
    """Delete the objects that an intact body names."""
    require_deletable(response.body)
    require_intact(response)
    status, headers, body = original(response, *args, **more)
    return status, headers, without_deleted(body) if is_quiet(response.body) else body


@patch(f"{_RESPONSE}.copy_object", why="heeds one of the six conditions")
def copy_object(original: Any, response: Any) -> Any:
    """Copy an object where the conditions on the source and the target hold."""
    with _locked(response, "If-Match", "If-None-Match"):
        _require_source(response)
        _require_target(response)
        return original(response)


@patch(f"{_RESPONSE}.upload_part_copy", why="heeds no condition")
def upload_part_copy(original: Any, response: Any) -> Any:
    """Copy a part where the conditions on the source hold."""
    _require_source(response)
    return original(response)


@patch(
    f"{_RESPONSE}._get_checksum",
    why="takes any checksum for the body's, and drops one without the algorithm's name",
)
def get_checksum(original: Any, response: Any, headers: dict[str, Any]) -> Any:
    """Return the algorithm and the checksum that came with a body."""
    for algorithm, given in _checksums(response):
        headers[f"x-amz-checksum-{algorithm.lower()}"] = given
        return algorithm, given
    return original(response, headers)


def require_intact(response: Any) -> None:
    """Raise S3ClientError unless a body has the digest and the checksums that came with it."""
    body = response.body or b""
    body = body.encode() if isinstance(body, str) else body
    _require_digest(response.headers.get("Content-MD5"), body)
    for algorithm, given in _checksums(response):
        if compute_checksum(body, algorithm).decode() != given:
            raise S3ClientError(
                "BadDigest",
                f"The {algorithm} you specified did not match the calculated checksum.",
            )


def _require_digest(given: str | None, body: bytes) -> None:
    if given is None:
        return
    try:
        digest = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise S3ClientError("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if hashlib.md5(body, usedforsecurity=False).digest() != digest:
        raise S3ClientError(
            "BadDigest", "The Content-MD5 you specified did not match what we received."
        )


def _checksums(response: Any) -> Iterator[tuple[str, str]]:
    """Yield the algorithms and values that a request brings, in its headers or its trailer."""
    trailer = str(response.headers.get("x-amz-trailer") or "").lower()
    for algorithm in _CHECKED:
        name = f"x-amz-checksum-{algorithm.lower()}"
        given = response.headers.get(name)
        if given is None and name in trailer and isinstance(response.raw_body, bytes):
            found = re.search(rb"\r?\n" + name.encode() + rb":\s*(\S+)", response.raw_body[-1024:])
            given = found[1].decode(errors="replace") if found else None
        if given is not None:
            yield algorithm, given


def _locked(response: Any, *headers: str) -> contextlib.AbstractContextManager[Any]:
    conditional = any(response.headers.get(name) for name in headers)
    return _CONDITIONAL if conditional else contextlib.nullcontext()


def _require_source(response: Any) -> None:
    """Raise PreconditionFailed unless the object that is copied meets the conditions on it.

    An ETag that matches outdoes a time since which it must be unmodified, and one that does not
    a time since which it must be modified.
    """
    source = urlsplit(response.headers[_SOURCE])
    bucket, _, key = unquote(source.path).lstrip("/").partition("/")
    version = parse_qs(source.query).get("versionId", [None])[0]
    found = response.backend.get_object(bucket, key, version_id=version)
    if found is None:  # moto has the error for that
        return
    tag, modified = found.etag, found.last_modified.replace(tzinfo=UTC, microsecond=0)
    match, since = _asked(response, "if-match"), _asked(response, "if-unmodified-since")
    if match:
        _require(_names(match, tag), "x-amz-copy-source-If-Match")
    elif (at := _time(since)) is not None:
        _require(modified <= at, "x-amz-copy-source-If-Unmodified-Since")
    none, since = _asked(response, "if-none-match"), _asked(response, "if-modified-since")
    if none:
        _require(not _names(none, tag), "x-amz-copy-source-If-None-Match")
    elif (at := _time(since)) is not None:
        _require(modified > at, "x-amz-copy-source-If-Modified-Since")


def _require_target(response: Any) -> None:
    """Raise S3ClientError unless what a copy replaces meets the conditions on it."""
    match, none = response.headers.get("If-Match"), response.headers.get("If-None-Match")
    if not match and not none:
        return
    key = response.parse_key_name()
    found = response.backend.get_object(response.bucket_name, key)
    if match and found is None:
        raise MissingKey(key=key)
    _require(not match or _names(match, found.etag), "If-Match")
    _require(not none or found is None or not _names(none, found.etag), "If-None-Match")


def _asked(response: Any, condition: str) -> str:
    return str(response.headers.get(f"{_SOURCE}-{condition}") or "")


def _names(given: str, tag: str) -> bool:
    """Return whether a condition names an ETag; `*` names each."""
    return given.strip() == "*" or tag.strip('"') in [one.strip(' "') for one in given.split(",")]


def _time(given: str) -> datetime | None:
    """Return the time of a condition; S3 passes one over that cannot be read."""
    try:
        found = parsedate_to_datetime(given)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _require(holds: bool, condition: str) -> None:
    if not holds:
        raise PreconditionFailed(condition)
