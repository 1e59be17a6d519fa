"""Checks of S3 requests: names of buckets, keys, metadata, policies, tags.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import bz2
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from moto.s3.exceptions import (
    DuplicateTagKeys,
    InvalidBucketName,
    MalformedXML,
    MethodNotAllowed,
    S3ClientError,
)
from moto.s3.models import FakeDeleteMarker

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import patch
from local_aws.iam.policy_documents import invalid_principal, policy_problem, tell_unknown_keys

MAX_KEY_BYTES = 1_024
MAX_METADATA_BYTES = 2_048
MAX_DELETED = 1_000
MAX_SELECTED_BYTES = 64 << 20
_OPENERS: Mapping[str, Callable[[io.BytesIO], Any]] = {"GZIP": gzip.open, "BZIP2": bz2.open}
_BACKEND = "moto.s3.models.S3Backend"
_RESPONSE = "moto.s3.responses.S3Response"
_BUCKET = re.compile(r"[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_KEY_WHY = "takes keys of any length"
_METADATA = "x-amz-meta-"
_ATTRIBUTES = {"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}
_OWNER_WHY = "passes over the owner that a bucket is expected to have"
_EXPECTED_OWNERS = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")
# Of each pair a statement has one.
_NEEDED = (("Effect",), ("Principal", "NotPrincipal"), ("Action", "NotAction"))


class _AccessDenied(S3ClientError):
    refusal_status = 403

    def __init__(self) -> None:
        super().__init__("AccessDenied", "Access Denied")


@patch(f"{_RESPONSE}._bucket_response", why=_OWNER_WHY)
@patch(f"{_RESPONSE}._key_response", why=_OWNER_WHY)
def respond(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """Answer a request; raises AccessDenied where another account's bucket is expected.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    for name in _EXPECTED_OWNERS:
        if response.headers.get(name) not in (None, ACCOUNT_ID):
            raise _AccessDenied
    return original(response, request, full_url)


@patch(f"{_BACKEND}.create_bucket", why="takes names that S3 refuses")
def create_bucket(original: Any, backend: Any, bucket_name: str, *args: Any, **more: Any) -> Any:
    """Make a bucket whose name is one of S3's."""
    if (
        not _BUCKET.fullmatch(bucket_name)
        or _ADDRESS.fullmatch(bucket_name)
        or bucket_name.startswith(_RESERVED_STARTS)
        or bucket_name.endswith(_RESERVED_ENDS)
    ):
        raise InvalidBucketName
    return original(backend, bucket_name, *args, **more)


@patch(f"{_BACKEND}.put_bucket_versioning", why="takes any word for a status")
def put_bucket_versioning(original: Any, backend: Any, bucket_name: str, status: str) -> None:
    """Enable or suspend a bucket's versioning."""
    if status not in ("Enabled", "Suspended"):
        raise MalformedXML
    original(backend, bucket_name, status)


@patch(
    "moto.s3.models.FakeKey.dispose",
    why="closes an object's body as it is replaced, while other requests read it",
)
def dispose(original: Any, key: Any, garbage: bool = False) -> None:
    """Note that an object is replaced or deleted; its body goes with its last reader."""
    if garbage:
        key.__dict__["disposed"] = True
        original(key, garbage)
    else:
        key.disposed = True


@patch(f"{_RESPONSE}.get_object_attributes", why="passes over attributes that no object has")
def get_object_attributes(original: Any, response: Any) -> Any:
    """Answer with the attributes of an object that are asked for."""
    asked = str(response.headers.get("x-amz-object-attributes") or "").split(",")
    if not {name.strip() for name in asked} <= _ATTRIBUTES:
        message = "Invalid attribute name specified."
        raise S3ClientError("InvalidArgument", message)
    return original(response)


@patch(f"{_BACKEND}.put_object", why=_KEY_WHY)
@patch(f"{_BACKEND}.create_multipart_upload", why=_KEY_WHY)
def write_key(
    original: Any, backend: Any, bucket_name: str, key_name: str, *args: Any, **more: Any
) -> Any:
    """Store an object, or begin to, under a key of at most 1,024 bytes."""
    if len(key_name.encode()) > MAX_KEY_BYTES:
        raise S3ClientError("KeyTooLongError", "Your key is too long")
    return original(backend, bucket_name, key_name, *args, **more)


def require_metadata(headers: Any) -> None:
    """Raise S3ClientError for more than 2 KB of an object's own metadata."""
    given = [
        (name[len(_METADATA) :], str(value))
        for name, value in headers.items()
        if name.lower().startswith(_METADATA)
    ]
    if sum(len(name.encode()) + len(value.encode()) for name, value in given) > MAX_METADATA_BYTES:
        raise S3ClientError(
            "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"
        )


@patch(f"{_BACKEND}.put_bucket_policy", why="takes any text, at which later requests fail")
def put_bucket_policy(original: Any, backend: Any, bucket_name: str, policy: str | bytes) -> None:
    """Store a policy that is one."""
    require_policy(policy)
    original(backend, bucket_name, policy)


def require_policy(text: str | bytes) -> None:
    """Raise S3ClientError for a text that is not a bucket's policy."""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = "Policies must be valid JSON and the first byte must be '{'"
        raise S3ClientError("MalformedPolicy", message) from error
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise S3ClientError("MalformedPolicy", "Missing required field Statement")
    for statement in statements:
        for names in _NEEDED:
            if not isinstance(statement, dict) or not statement.keys() & set(names):
                raise S3ClientError("MalformedPolicy", f"Missing required field {names[0]}")
    if problem := policy_problem(text):
        raise S3ClientError("MalformedPolicy", f"Policy has invalid syntax: {problem}")
    if invalid_principal(policy):
        raise S3ClientError("MalformedPolicy", "Invalid principal in policy")
    tell_unknown_keys(text)


@patch(f"{_RESPONSE}._tagging_from_xml", why="takes the last of several tags with one key")
def tagging_from_xml(original: Any, response: Any) -> Any:
    """Return the tags of a request."""
    keys = _keys(_text(response.body))
    if len(keys) != len(set(keys)):
        raise DuplicateTagKeys
    return original(response) if keys else {}


@patch(f"{_RESPONSE}._acl_from_headers", why="fails at a grant or an ACL that it cannot read")
def acl_from_headers(original: Any, response: Any, headers: Any) -> Any:
    """Return the ACL that a request's headers give; raises InvalidArgument for none."""
    try:
        return original(response, headers)
    except (AssertionError, AttributeError, ValueError) as error:
        raise S3ClientError("InvalidArgument", "Argument format not recognized") from error


@patch(f"{_BACKEND}.select_object_content", why="unpacks an object without a bound")
def select_object_content(  # noqa: PLR0917 - moto's own
    original: Any,
    backend: Any,
    bucket_name: str,
    key_name: str,
    select_query: str,
    input_details: dict[str, Any],
    output_details: dict[str, Any],
) -> Any:
    """Return what a query finds in an object that unpacks to at most `MAX_SELECTED_BYTES`."""
    opener = _OPENERS.get(str(input_details.get("CompressionType")))
    key = backend.get_object(bucket_name, key_name) if opener is not None else None
    if opener is not None and key is not None:
        _require_bounded(opener(io.BytesIO(key.value)))
    return original(backend, bucket_name, key_name, select_query, input_details, output_details)


def _require_bounded(stream: Any) -> None:
    size = 0
    try:
        while part := stream.read(1 << 20):
            size += len(part)
            if size > MAX_SELECTED_BYTES:
                raise S3ClientError(
                    "InvalidRequest",
                    f"The embedded AWS selects from at most {MAX_SELECTED_BYTES:,} bytes.",
                )
    except (OSError, EOFError, zlib.error) as error:
        raise S3ClientError("TruncatedInput", f"The object cannot be unpacked: {error}") from error


@patch(f"{_RESPONSE}._get_key", why="takes a delete marker that is asked for by its id for absent")
def get_key(original: Any, response: Any, *args: Any, **more: Any) -> Any:
    """Return an object that a request names."""
    version = response.querystring.get("versionId", [None])[0]
    if version is not None:
        key = response.parse_key_name()
        found = response.backend.get_object(
            response.bucket_name, key, version_id=version, return_delete_marker=True
        )
        if isinstance(found, FakeDeleteMarker):
            raise MethodNotAllowed(method=response.method, resource_type="DeleteMarker")
    return original(response, *args, **more)


@patch(f"{_RESPONSE}._handle_range_header", why="takes any unit for bytes")
def handle_range(
    original: Any, response: Any, request: Any, headers: dict[str, Any], content: Any
) -> Any:
    """Answer a request for a part of an object; one in another unit is for the whole."""
    if not str(request.headers.get("range")).startswith("bytes="):
        return 200, headers, content
    return original(response, request, headers, content)


def _keys(text: str) -> list[str]:
    """Return the contents of a document's elements `Key`, in one pass over it."""
    return [part.partition("</Key>")[0] for part in text.split("<Key>")[1:]]


def require_deletable(body: str | bytes) -> None:
    """Raise MalformedXML for more keys than a request may delete."""
    if len(_keys(_text(body))) > MAX_DELETED:
        raise MalformedXML


def is_quiet(body: str | bytes) -> bool:
    """Return whether a request to delete objects asks for its errors only."""
    return re.search(r"<Quiet>\s*true\s*</Quiet>", _text(body), re.IGNORECASE) is not None


def without_deleted(body: str | bytes) -> str:
    """Return the answer to such a request without what was deleted."""
    return re.sub(r"<Deleted>.*?</Deleted>", "", _text(body), flags=re.DOTALL)


def _text(body: str | bytes) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else body
