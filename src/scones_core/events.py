"""The workflow's messages: one flat, typed result a step.

    item -> serialize_image -> SerializedImage -> classify_image -> ClassifiedImage
         -> filter_inferences -> Result -> record_results -> VehicleClassified, review message or
                                                             dead letter

The state machine hands every item over as `{"image": <what the caller sent>, "execution":
<execution ARN>, "index": <position in the map>}`. References travel, never image bytes.
What leaves the workflow has a `schema_version`; docs/events.md describes it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NotRequired, TypedDict

from scones_core.errors import InvalidRequest
from scones_core.probabilities import is_probability
from scones_core.uris import S3Uri

MAX_ALTERNATIVES = 3
"""Probabilities in a result: of so many of the likeliest labels."""

INLINE_IMAGES = 10
"""Images of a list up to which an execution works on each by itself and answers all results.

From the eleventh on the definition takes batches: ten results with keys of 1,024 bytes are about
30,000 bytes, and no state is to have more."""

MAX_STATE_BYTES = 32_768
"""Of a state's input or output, but for what a caller sent: an eighth of what AWS allows."""

EVENT_SOURCE = "scones.workflow"
EVENT_TYPE = "VehicleClassified"
SCHEMA_VERSION = "1"

Decision = Literal["accepted", "review", "failed"]
DECISIONS: tuple[Decision, ...] = ("accepted", "review", "failed")


CHALLENGER_PREFIX = "Challenger-"
"""Start of the name of a challenger's variant; its release is the rest. Terraform names it so."""


class ImageRef(TypedDict):
    """An S3 object; `etag`, `content_type` and sizes are there once serialize_image has run.

    `version` is its version id, absent where the bucket has no versions.
    """

    bucket: str
    key: str
    version: NotRequired[str]
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


class AssignedVehicle(TypedDict):
    """What an accepted image leads to: a vehicle's loading bay, and orders up to `max_km` away."""

    vehicle: str
    bay: str
    orders: Literal["near", "far"]
    max_km: float


class Result(TypedDict):
    """How one image ended. `inference`, `threshold` and `release` are absent where it failed.

    A failed result's `image` is what the caller sent, of any type, or the checked reference
    once serialize_image had made one. Only an accepted result has an `assignment`, and only
    where the project has assignments. `index` is the image's position in a large run.
    """

    image: ImageRef
    decision: Decision
    inference: NotRequired[Inference]
    threshold: NotRequired[float]
    release: NotRequired[str]
    assignment: NotRequired[AssignedVehicle]
    error: NotRequired[Failure]
    index: NotRequired[int]


def challenger_of(variant: str) -> str:
    """Return the release that a challenger's variant serves; "" for any other variant."""
    return variant.removeprefix(CHALLENGER_PREFIX) if variant.startswith(CHALLENGER_PREFIX) else ""


def count_by_decision(results: Iterable[Result]) -> dict[str, int]:
    """Return how many results there are of each decision; the three add up to their number."""
    found = Counter(result["decision"] for result in results)
    return {decision: found[decision] for decision in DECISIONS}


def is_result(value: Any) -> bool:
    """Return whether a value from a file or an output has the parts of a Result that tasks read."""
    if not isinstance(value, Mapping) or "image" not in value:
        return False
    if value.get("decision") == "failed":
        error = value.get("error", {})
        return isinstance(error, Mapping) and all(isinstance(text, str) for text in error.values())
    image, inference = value["image"], value.get("inference")
    return (
        value.get("decision") in DECISIONS
        and isinstance(image, Mapping)
        and all(isinstance(image.get(name), str) for name in ("bucket", "key"))
        and isinstance(inference, Mapping)
        and all(isinstance(inference.get(name), str) for name in ("label", "inference_id"))
        and is_probability(inference.get("confidence"))
    )


def parse_image_ref(value: Any) -> ImageRef:
    """Return the S3 object that a caller's input names.

    Takes `{"bucket", "key"}`, with a `version` or without, and the older
    `{"image_data": "", "s3_bucket", "s3_key"}`. Raises InvalidRequest for anything else.
    """
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"An image is given as {{bucket, key}}, not as {value!r:.80}.")
    bucket = value.get("bucket", value.get("s3_bucket"))
    key = value.get("key", value.get("s3_key"))
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise InvalidRequest(
            "An image needs a bucket and a key, both texts; given were "
            f"{sorted(map(str, value))!r:.80}."
        )
    version = value.get("version")
    if version is None:
        return _encodable({"bucket": bucket, "key": key})
    if not isinstance(version, str) or not version:
        raise InvalidRequest(f"An image's version is a text, not {version!r:.80}.")
    return _encodable({"bucket": bucket, "key": key, "version": version})


def _encodable(image: ImageRef) -> ImageRef:
    """Return the reference; raises InvalidRequest for half a surrogate pair, as JSON may escape."""
    for name, text in image.items():
        try:
            str(text).encode()
        except UnicodeEncodeError as error:
            raise InvalidRequest(
                f"An image's {name} is a text of whole characters; {text!r:.80} has half a "
                "surrogate pair."
            ) from error
    return image


def inference_id(execution: str, index: int) -> str:
    """Return the id that ties a captured record to its result: 32 hexadecimal digits.

    The same for every retry of one item, so a record that was captured twice is known as one.
    InvokeEndpoint takes 64 characters at most.
    """
    return hashlib.sha256(f"{execution}#{index}".encode()).hexdigest()[:32]


def image_version(image: ImageRef) -> str:
    """Return what names one version of an object: `s3://bucket/key#` and version id or etag."""
    return f"{S3Uri(image['bucket'], image['key'])}#{image.get('version') or image.get('etag', '')}"


def event_id(image: ImageRef, release: str) -> str:
    """Return the id of what a release says of an image's version: 32 hexadecimal digits.

    Each repeat of an event has the same one, so that a consumer can drop it.
    """
    return hashlib.sha256(f"{image_version(image)}#{release}".encode()).hexdigest()[:32]


def classified_event(result: Result, execution: str) -> dict[str, Any]:
    """Return the detail of the event VehicleClassified for an accepted result."""
    return {
        **_message(result, execution),
        "event_id": event_id(result["image"], result.get("release", "")),
        "label": result["inference"]["label"],
        "confidence": result["inference"]["confidence"],
        "assignment": result.get("assignment"),
    }


def review_message(result: Result, execution: str) -> dict[str, Any]:
    """Return the message that asks a person to decide on an image."""
    inference, threshold = result["inference"], result["threshold"]
    return {
        **_message(result, execution),
        "event_id": event_id(result["image"], result.get("release", "")),
        "label": inference["label"],
        "confidence": inference["confidence"],
        "threshold": threshold,
        "inference_id": inference["inference_id"],
        "reason": f"The confidence {inference['confidence']:.4f} that it is a "
        f"{inference['label']} is below the threshold {threshold:g}.",
    }


def dead_letter(result: Result, execution: str) -> dict[str, Any]:
    """Return the message about an image that failed: what was sent, and why it failed.

    `item` is what the caller sent or its checked reference, to be sent again as it is.
    """
    item, error = result["image"], result["error"]
    place = f"{execution}#{result.get('index', 0)}#{json.dumps(item, sort_keys=True)}"
    return {
        "schema_version": SCHEMA_VERSION,
        "event_id": hashlib.sha256(place.encode()).hexdigest()[:32],
        "item": item,
        "error": error["Error"],
        "cause": error["Cause"],
        "execution": execution,
    }


def _message(result: Result, execution: str) -> dict[str, Any]:
    names = ("bucket", "key", "version", "etag")
    return {
        "schema_version": SCHEMA_VERSION,
        "image": {name: value for name, value in result["image"].items() if name in names},
        "release": result.get("release", ""),
        "execution": execution,
    }
