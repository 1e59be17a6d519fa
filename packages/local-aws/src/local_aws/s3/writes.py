"""Writes to S3: the digests, checksums and conditions that hold before anything is stored.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from moto.s3.exceptions import (
    BadRequest,
    InvalidArgumentError,
    InvalidStorageClass,
    InvalidTagError,
    S3ClientError,
)
from moto.s3.utils import STORAGE_CLASS, compute_checksum

from local_aws.core.patching import patch
from local_aws.s3.conditions import (
    always_locked,
    copied_object,
    locked,
    require_source,
    require_target,
    require_writable,
    split_by_conditions,
    with_errors,
)
from local_aws.s3.requests import (
    is_quiet,
    require_deletable,
    require_metadata,
    without_deleted,
)

_RESPONSE = "moto.s3.responses.S3Response"
# What the standard library computes; CRC32C and CRC64NVME are stored unchecked.
_CHECKED = ("SHA256", "SHA1", "CRC32")
_CHECKSUM = "x-amz-checksum-"
# Of the headers that begin like it, those that hold no checksum.
_ABOUT_CHECKSUMS = ("algorithm", "mode", "type")
_SIZES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
_DIRECTIVES = {"metadata": "metadata", "tagging": "Tagging"}
_ENCRYPTIONS = ("AES256", "aws:fsx", "aws:kms", "aws:kms:dsse")
MAX_TAGS = 10


@patch(f"{_RESPONSE}.put_object", why="checks no digest, and stores what it then refuses")
def put_object(original: Any, response: Any) -> Any:
    """Store an object whose body is intact and whose conditions hold."""
    require_writable(response)
    _require_properties(response)
    require_intact(response)
    with locked(response):
        status, headers, body = original(response)
        key = response.backend.get_object(response.bucket_name, response.parse_key_name())
        if key is not None and key.checksum_value and not key.checksum_type:
            key.checksum_type = headers["x-amz-checksum-type"] = "FULL_OBJECT"
    return status, headers, body


@patch(f"{_RESPONSE}._key_response_post", why="begins uploads of objects that cannot be stored")
def post_key(  # noqa: PLR0917 - moto's own
    original: Any, response: Any, request: Any, body: Any, bucket_name: str, query: Any, key: str
) -> Any:
    """Begin an upload of an object in parts, or complete it."""
    if "uploads" in query:
        _require_properties(response)
    return original(response, request, body, bucket_name, query, key)


@patch(f"{_RESPONSE}.upload_part", why="stores a part before it looks at its checksum")
def upload_part(original: Any, response: Any) -> Any:
    """Store a part whose body is intact."""
    require_intact(response)
    return original(response)


@patch(f"{_RESPONSE}.delete_object", why="looks at a condition before others have written")
def delete_object(original: Any, response: Any) -> Any:
    """Delete an object that is the one which the request names."""
    with locked(response):
        require_target(response)
        headers = response.headers
        response.headers = {k: v for k, v in headers.items() if k.lower() != "if-match"}
        try:
            return original(response)
        finally:
            response.headers = headers


@patch(f"{_RESPONSE}._bucket_response_delete_keys", why="checks no digest, and is not quiet")
def delete_objects(original: Any, response: Any, *args: Any, **more: Any) -> Any:
    """Delete the objects that an intact body names."""
    require_deletable(response.body)
    require_intact(response)
    asked = response.body
    with always_locked():
        response.body, failed = split_by_conditions(response)
        try:
            status, headers, body = original(response, *args, **more)
        finally:
            response.body = asked
    body = with_errors(body, failed)
    return status, headers, without_deleted(body) if is_quiet(asked) else body


@patch(
    f"{_RESPONSE}.copy_object", why="heeds one of the six conditions, and stores what it refuses"
)
def copy_object(original: Any, response: Any) -> Any:
    """Copy an object where the conditions on the source and the target hold."""
    _require_properties(response)
    for kind, shown in _DIRECTIVES.items():
        given = response.headers.get(f"x-amz-{kind}-directive")
        if given not in (None, "COPY", "REPLACE"):
            message = f"Unknown {shown} directive."
            raise InvalidArgumentError(message, f"x-amz-{kind}-directive", given)
    with locked(response):
        require_source(response)
        require_target(response)
        return original(response)


@patch(f"{_RESPONSE}.upload_part_copy", why="heeds no condition")
def upload_part_copy(original: Any, response: Any) -> Any:
    """Copy a part where the conditions on the source hold."""
    require_source(response)
    _require_copied_range(response)
    return original(response)


def _require_copied_range(response: Any) -> None:
    """Raise InvalidArgument for bytes that the source of a part does not have.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
    """
    name = "x-amz-copy-source-range"
    given = response.headers.get(name)
    if given is None:
        return
    asked = re.fullmatch(r"bytes=([0-9]{1,18})-([0-9]{1,18})", given)
    if asked is None or int(asked[1]) > int(asked[2]):
        message = (
            f"The {name} value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        raise InvalidArgumentError(message, name, given)
    source = copied_object(response)
    if source is not None and int(asked[2]) >= source.size:
        message = f"Range specified is not valid for source object of size: {source.size}"
        raise InvalidArgumentError(message, name, given)


def _require_properties(response: Any) -> None:
    """Raise S3ClientError for what an object cannot have: else it is stored, and then refused."""
    headers = response.headers
    require_metadata(headers)
    storage = headers.get("x-amz-storage-class")
    if storage is not None and storage not in STORAGE_CLASS:
        raise InvalidStorageClass(storage=storage)
    encryption = headers.get("x-amz-server-side-encryption")
    if encryption is not None and encryption not in _ENCRYPTIONS:
        message = "The encryption method specified is not supported"
        raise InvalidArgumentError(message, "x-amz-server-side-encryption", encryption)
    response._acl_from_headers(headers)
    _require_tags(headers.get("x-amz-tagging"), response.backend.tagger)


def _require_tags(text: str | None, tagger: Any) -> None:
    """Raise S3ClientError for tags that an object cannot have.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
    """
    if not text:
        return
    tags = parse_qsl(text, keep_blank_values=True)
    names = [name for name, _ in tags]
    if len(names) != len(set(names)) or not all(names):
        message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
        message += "parameters without tag name duplicates."
        raise InvalidArgumentError(message, "x-amz-tagging", text)
    if len(tags) > MAX_TAGS:
        raise BadRequest(f"Object tags cannot be greater than {MAX_TAGS}")
    if any(name.lower().startswith("aws:") for name in names):
        raise InvalidTagError("Your TagKey cannot be prefixed with aws:")
    problem = tagger.validate_tags([{"Key": name, "Value": value} for name, value in tags])
    if problem:
        raise InvalidTagError(problem)


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
    _require_one_checksum(response.headers)
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


def _require_one_checksum(headers: Any) -> None:
    """Raise InvalidRequest for several checksums, or for one that is none of its algorithm.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    given = {
        name.lower().removeprefix(_CHECKSUM): str(value)
        for name, value in headers.items()
        if name.lower().startswith(_CHECKSUM)
        and name.lower().removeprefix(_CHECKSUM) not in _ABOUT_CHECKSUMS
    }
    if len(given) > 1:
        message = "Expecting a single x-amz-checksum- header. "
        message += "Multiple checksum Types are not allowed."
        raise S3ClientError("InvalidRequest", message)
    for name, value in given.items():
        try:
            size = len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if size != _SIZES.get(name.upper(), size):
            message = f"Value for {_CHECKSUM}{name} header is invalid."
            raise S3ClientError("InvalidRequest", message)


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
