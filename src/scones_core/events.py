"""The workflow's messages: one flat, typed result a step.

    item -> serialize_image -> SerializedImage -> classify_image -> ClassifiedImage
         -> filter_inferences -> Result

The state machine hands every item over as `{"image": <what the caller sent>, "execution":
<execution ARN>, "index": <position in the map>}`. References travel, never image bytes.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from scones_core.errors import InvalidRequest

MAX_ALTERNATIVES = 3
"""Probabilities in a result: of so many of the likeliest labels."""

Decision = Literal["accepted", "review", "failed"]
DECISIONS: tuple[Decision, ...] = ("accepted", "review", "failed")


class ImageRef(TypedDict):
    """An S3 object; `etag`, `content_type` and sizes are there once serialize_image has run."""

    bucket: str
    key: str
    etag: NotRequired[str]
    content_type: NotRequired[str]
    size_bytes: NotRequired[int]
    width: NotRequired[int]
    height: NotRequired[int]


class SerializedImage(TypedDict):
    """What serialize_image returns."""

    image: ImageRef
    inference_id: str


class Inference(TypedDict):
    """The endpoint's answer: `probabilities` of the likeliest labels, the likeliest first.

    Not of all: with 1,000 classes a batch of results would not fit into a state. A captured
    record has them all.
    """

    label: str
    confidence: float
    probabilities: dict[str, float]
    inference_id: str
    variant: str


class ClassifiedImage(TypedDict):
    """What classify_image returns."""

    image: ImageRef
    inference: Inference


class Failure(TypedDict):
    """A fault as Step Functions reports it: the exception's class name, and its message."""

    Error: str
    Cause: str


class Result(TypedDict):
    """How one image ended. `inference` and `threshold` are absent where it failed.

    A failed result's `image` is what the caller sent, of any type, or the checked reference
    once serialize_image had made one.
    """

    image: ImageRef
    decision: Decision
    inference: NotRequired[Inference]
    threshold: NotRequired[float]
    error: NotRequired[Failure]


def parse_image_ref(value: Any) -> ImageRef:
    """Return the S3 object that a caller's input names.

    Takes `{"bucket", "key"}` and the older `{"image_data": "", "s3_bucket", "s3_key"}`.
    Raises InvalidRequest for anything else.
    """
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"An image is given as {{bucket, key}}, not as {value!r:.80}.")
    bucket = value.get("bucket", value.get("s3_bucket"))
    key = value.get("key", value.get("s3_key"))
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise InvalidRequest(
            f"An image needs a bucket and a key, both texts; given were {sorted(map(str, value))}."
        )
    return {"bucket": bucket, "key": key}


def inference_id(execution: str, index: int) -> str:
    """Return the id that ties a captured record to its result: 32 hexadecimal digits.

    The same for every retry of one item, so a record that was captured twice is known as one.
    InvokeEndpoint takes 64 characters at most.
    """
    return hashlib.sha256(f"{execution}#{index}".encode()).hexdigest()[:32]
