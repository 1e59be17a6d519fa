"""First step: turn the caller's item into a checked reference, without its bytes.

The name is the older projects': what is serialised is a claim check (bucket, key, etag, type,
sizes) for an object that classify_image alone reads in full.

A key is taken literally, as Step Functions, the CLI and EventBridge give it. S3's own
notifications encode keys (`+` for a space): decode those first. Guessing here could classify
another object, since `a+b.png` and `a b.png` may both exist.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from scones_core.errors import ImageNotFound, ImageTooLarge, InvalidRequest, UnsupportedImage
from scones_core.events import ImageRef, SerializedImage, inference_id, parse_image_ref
from scones_core.image_header import (
    HEADER_BYTES,
    ImageHeader,
    IncompleteHeader,
    read_image_header,
)
from scones_core.limits import MAX_IMAGE_SIDE
from scones_core.uris import S3Uri
from scones_lambdas.clients import s3
from scones_lambdas.environment import SerializeEnvironment
from scones_lambdas.faults import SERVICE_FAULTS, storage_fault
from scones_lambdas.logs_and_metrics import log_image
from scones_lambdas.s3_objects import location

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef


@cache
def environment() -> SerializeEnvironment:
    """Return the function's limits; raises SettingsError."""
    return SerializeEnvironment.of(os.environ)


def handler(event: Any, context: "LambdaContext") -> SerializedImage:
    """Return the reference of an S3 image, with its type and sizes, and its inference id.

    `event` is `{"image": item, "execution": ARN, "index": n}`, or a bare item where somebody
    invokes the function by hand. Raises InvalidRequest, ImageNotFound, ImageTooLarge,
    UnsupportedImage, EndpointThrottled, EndpointUnavailable, SettingsError.
    """
    item, execution, index = parse_event(event, context.aws_request_id)
    image = describe_image(s3(), parse_image_ref(item), environment())
    result: SerializedImage = {"image": image, "inference_id": inference_id(execution, index)}
    log_image("image serialized", image, inference_id=result["inference_id"])
    return result


def parse_event(event: Any, request_id: str) -> tuple[Any, str, int]:
    """Return the caller's item, the execution (or request) it belongs to, and its position.

    Raises InvalidRequest where the state machine's own fields are of another type.
    """
    if not isinstance(event, Mapping) or "image" not in event:
        return event, request_id, 0
    execution, index = event.get("execution", request_id), event.get("index", 0)
    if not isinstance(execution, str) or type(index) is not int:
        raise InvalidRequest("An execution is given as its ARN, an index as a whole number.")
    return event["image"], execution, index


def describe_image(client: "S3Client", image: ImageRef, limits: SerializeEnvironment) -> ImageRef:
    """Return the reference with etag, version, type and sizes; raises as `inspect_image`."""
    return inspect_image(client, image, limits)[0]


def inspect_image(
    client: "S3Client", image: ImageRef, limits: SerializeEnvironment
) -> tuple[ImageRef, bytes]:
    """Return the reference as `describe_image` does, and the bytes that were read, from the start.

    A ranged GET takes the first bytes. Where metadata takes them up, such as a press profile or a
    depth map, a second GET reads the rest. Raises ImageTooLarge, UnsupportedImage, and
    ImageNotFound where the object was replaced between the two, each naming the object.
    """
    uri = S3Uri(image["bucket"], image["key"])
    try:
        response = client.get_object(**location(image), Range=f"bytes=0-{HEADER_BYTES - 1}")
        size = object_size(response)
        if size > limits.max_image_bytes:
            raise ImageTooLarge(
                f"{uri} has {size} bytes, more than the {limits.max_image_bytes} allowed."
            )
        head = response["Body"].read(HEADER_BYTES)
        if needs_more(head) and size > len(head):
            rest = client.get_object(**location(image), Range=f"bytes={len(head)}-{size - 1}")
            if rest["ETag"] != response["ETag"]:
                raise ImageNotFound(f"{uri} was replaced while it was checked; classify it again.")
            head += rest["Body"].read(size - len(head))
    except SERVICE_FAULTS as error:
        raise storage_fault(error, image) from error
    header = read_header_of(head, uri, limits)
    described: ImageRef = {
        "bucket": image["bucket"],
        "key": image["key"],
        "etag": response["ETag"],
        "content_type": header.content_type,
        "size_bytes": size,
        "width": header.width,
        "height": header.height,
    }
    version = response.get("VersionId", "null")
    # S3 calls the one version "null" of an object in a bucket without versions.
    return ({**described, "version": version} if version != "null" else described), head


def needs_more(head: bytes) -> bool:
    """Return whether an image shows no size within its first bytes, and may show it later."""
    try:
        read_image_header(head)
    except IncompleteHeader:
        return True
    except UnsupportedImage:
        return False
    return False


def object_size(response: "GetObjectOutputTypeDef") -> int:
    """Return the whole object's bytes: `Content-Range: bytes 0-9/SIZE`, or Content-Length."""
    _, _, total = response.get("ContentRange", "").rpartition("/")
    return int(total) if total.isdecimal() else response["ContentLength"]


def read_header_of(head: bytes, uri: S3Uri, limits: SerializeEnvironment) -> ImageHeader:
    """Return the header; raises UnsupportedImage, and ImageTooLarge for its pixels or a side."""
    try:
        header = read_image_header(head)
    except UnsupportedImage as error:
        raise UnsupportedImage(f"{uri}: {error}; give a PNG or JPEG.") from error
    if max(header.width, header.height) > MAX_IMAGE_SIDE:
        raise ImageTooLarge(
            f"{uri} has {header.width} x {header.height} pixels, "
            f"more than the {MAX_IMAGE_SIDE} a side allowed."
        )
    if header.pixels > limits.max_image_pixels:
        raise ImageTooLarge(
            f"{uri} has {header.width} x {header.height} pixels, "
            f"more than the {limits.max_image_pixels} allowed."
        )
    return header
