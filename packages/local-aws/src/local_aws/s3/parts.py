"""Objects that were uploaded in parts: their order, their numbers, their checksums.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import threading
from collections.abc import Iterator
from typing import Any

from moto.s3.exceptions import InvalidArgumentError, InvalidPartOrder, NoSuchUpload, S3ClientError

from local_aws.core.patching import patch

MAX_PART_NUMBER = 10_000
_BACKEND = "moto.s3.models.S3Backend"
_RESPONSE = "moto.s3.responses.S3Response"
_COMPLETING = threading.Lock()


@patch(f"{_BACKEND}.upload_part", why="fails with an inner error at an upload that is not there")
def upload_part(  # noqa: PLR0917 - moto's own
    original: Any, backend: Any, bucket_name: str, multipart_id: str, part_id: int, value: bytes
) -> Any:
    """Store a part of an upload."""
    if not 1 <= part_id <= MAX_PART_NUMBER:
        message = f"Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive"
        raise InvalidArgumentError(message, "partNumber", str(part_id))
    _require_upload(backend, bucket_name, multipart_id)
    return original(backend, bucket_name, multipart_id, part_id, value)


@patch(
    f"{_BACKEND}.complete_multipart_upload",
    why="says nothing of the order of parts, and counts those that were left out",
)
def complete_upload(
    original: Any, backend: Any, bucket_name: str, multipart_id: str, body: Iterator[Any]
) -> Any:
    """Make an object of the parts that are named, in the order of their numbers.

    Of requests at once for one upload the first makes it, and the others find none any more.
    """
    with _COMPLETING:
        return _complete(original, backend, bucket_name, multipart_id, body)


def _complete(
    original: Any, backend: Any, bucket_name: str, multipart_id: str, body: Iterator[Any]
) -> Any:
    upload = _require_upload(backend, bucket_name, multipart_id)
    parts = list(body)
    numbers = [number for number, _ in parts]
    if any(number not in upload.parts for number in numbers):
        return original(backend, bucket_name, multipart_id, iter(parts))  # which says so
    if numbers != sorted(set(numbers)):
        raise InvalidPartOrder
    key = original(backend, bucket_name, multipart_id, iter(parts))
    if key is not None:
        for number in set(upload.parts) - set(numbers):
            upload.parts.pop(number).dispose()
        upload.partlist[:] = numbers
    return key


@patch(f"{_RESPONSE}._key_response", why="takes an upload by its id under any key")
def key_response(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """Answer a request for an object; the upload that it names must be of that object."""
    bucket = response.backend.buckets.get(response.parse_bucket_name_from_url(request, full_url))
    for upload_id in response.querystring.get("uploadId", ()):
        upload = bucket.multiparts.get(upload_id) if bucket is not None else None
        if upload is not None and upload.key_name != response.parse_key_name():
            raise NoSuchUpload(upload_id=upload_id)
    return original(response, request, full_url)


def _require_upload(backend: Any, bucket_name: str, upload_id: str) -> Any:
    found = backend.get_bucket(bucket_name).multiparts.get(upload_id)
    if found is None:
        raise NoSuchUpload(upload_id=upload_id)
    return found


class _NoSuchPart(S3ClientError):
    refusal_status = 416


@patch(f"{_RESPONSE}.get_object", why="answers with the whole object for one of its parts")
def get_object(original: Any, response: Any) -> Any:
    """Answer GetObject."""
    number = response._get_int_param("partNumber")
    upload = _upload_of(response) if number else None
    numbers = [1] if upload is None else sorted(upload.parts)
    if number and number not in numbers:
        raise _NoSuchPart("InvalidPartNumber", "The requested partnumber is not satisfiable")
    status, headers, content = original(response)
    if status != 200 or upload is None:
        return status, headers, content
    sizes = {one: upload.parts[one].contentsize for one in numbers}
    start = sum(size for one, size in sizes.items() if one < number)
    end = start + sizes[number]
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(content)}"
    headers["x-amz-mp-parts-count"] = str(len(numbers))
    return 206, headers, content[start:end]


@patch(f"{_RESPONSE}.head_object", why="does not say how the checksum of several parts was made")
def head_object(  # noqa: PLR0917 - moto's own
    original: Any, response: Any, bucket_name: str, query: Any, key_name: str, headers: Any
) -> Any:
    """Answer HeadObject."""
    status, headers, content = original(response, bucket_name, query, key_name, headers)
    version = query.get("versionId", [None])[0]
    key = response.backend.get_object(bucket_name, key_name, version_id=version)
    algorithm = str(getattr(key, "checksum_algorithm", None) or "").lower()
    name = f"x-amz-checksum-{algorithm}"
    if algorithm and headers.get(name) == key.checksum_value and key.checksum_type:
        headers["x-amz-checksum-type"] = key.checksum_type
        if key.checksum_type == "COMPOSITE":
            headers[name] = f"{key.checksum_value}-{key.checksum_parts}"
    return status, headers, content


def _upload_of(response: Any) -> Any:
    key = response.backend.get_object(
        response.bucket_name,
        response.parse_key_name(),
        version_id=response.querystring.get("versionId", [None])[0],
    )
    return getattr(key, "multipart", None)
