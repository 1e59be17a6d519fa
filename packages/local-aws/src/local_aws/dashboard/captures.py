"""The newest captured requests as thumbnails, with the model's answers."""

import base64
import io
import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.s3.models import s3_backends
from moto.sagemaker.models import sagemaker_backends
from PIL import ImageOps

from local_aws.core.context import Context
from local_aws.core.s3_uri import S3Uri
from local_aws.core.untrusted_images import TooCostlyImage, UndecodableImage, open_image

MAX_CAPTURES = 24
# So many of the newest files of an endpoint are looked through.
_FILES = 6
# Data capture ends a file after 4 MiB, and the last record may hold a request of 6 MiB as Base64.
_MAX_FILE_BYTES = 16_000_000
# Base64 of more characters is sent as a smaller picture: the page asks every two seconds.
_AS_IT_IS = 40_000
_SIDE = 256
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def captures(context: Context) -> list[dict[str, Any]]:
    """Return the newest records of all endpoints, as `capture_row` has them."""
    labels = _labels(context)
    found = [
        (record, endpoint.endpoint_name)
        for endpoint in _endpoints(context)
        for record in _records(context, endpoint)
    ]
    found.sort(key=lambda each: _time(each[0]), reverse=True)
    return [capture_row(record, name, labels) for record, name in found[:MAX_CAPTURES]]


def capture_row(record: Mapping[str, Any], endpoint: str, labels: list[str]) -> dict[str, Any]:
    """Return one captured record as the page shows it.

    `image` is a data: URL, or "" and `reason` says why there is none. A part that is missing, or
    does not have the expected form, is left empty.
    """
    data, metadata = _part(record, "captureData"), _part(record, "eventMetadata")
    label, confidence = _answer(_part(data, "endpointOutput"), labels)
    image, reason = _image(_part(data, "endpointInput"))
    return {
        "endpoint": endpoint,
        "time": _time(record),
        "id": str(metadata.get("inferenceId") or metadata.get("eventId") or ""),
        "image": image,
        "reason": reason,
        "label": label,
        "confidence": confidence,
    }


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _time(record: Mapping[str, Any]) -> str:
    return str(_part(record, "eventMetadata").get("inferenceTime", ""))


def _image(side: Mapping[str, Any]) -> tuple[str, str]:
    """Return a `data:` URL of a PNG or a JPEG, and why there is none; one of them is empty."""
    text = side.get("data")
    if not isinstance(text, str) or not text:
        return "", "The request was not captured."
    if side.get("encoding") != "BASE64":
        return "", "The request is text, not an image."
    return _thumbnail(text)


@lru_cache(maxsize=MAX_CAPTURES)
def _thumbnail(text: str) -> tuple[str, str]:
    try:
        body = base64.b64decode(text, validate=True)
    except ValueError:
        return "", "The captured request is not Base64."
    # The type is known by the first bytes, whatever the request called it.
    kind = next((kind for start, kind in _SIGNATURES.items() if body.startswith(start)), "")
    if not kind:
        return "", "The request is not a PNG or JPEG image."
    if len(text) <= _AS_IT_IS:
        return f"data:{kind};base64,{text}", ""
    return _smaller(body)


def _smaller(body: bytes) -> tuple[str, str]:
    """Return an image as a PNG of at most `_SIDE` pixels a side, and why it cannot be made."""
    out = io.BytesIO()
    try:
        with open_image(body) as image:
            image.draft("RGB", (_SIDE, _SIDE))  # a JPEG is decoded at a fraction of its size
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((_SIDE, _SIDE))
            upright.convert("RGBA" if upright.has_transparency_data else "RGB").save(out, "PNG")
    except TooCostlyImage as error:
        return "", str(error)
    except UndecodableImage:
        return "", "The image cannot be decoded."
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}", ""


def _answer(side: Mapping[str, Any], labels: list[str]) -> tuple[str, float | None]:
    """Return the most probable class of a JSON list of probabilities, and its probability."""
    text = str(side.get("data", ""))
    try:
        raw = base64.b64decode(text, validate=True) if side.get("encoding") == "BASE64" else text
        values = [float(value) for value in json.loads(raw)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        return "", None
    if not values or not all(map(math.isfinite, values)):  # JSON that a browser reads has no NaN
        return "", None
    best = values.index(max(values))
    named = len(labels) == len(values)
    return (labels[best] if named else f"class {best}"), values[best]


def _endpoints(context: Context) -> list[Any]:
    backend: Any = sagemaker_backends[context.account_id][context.region]
    return [e for e in list(backend.endpoints.values()) if e.data_capture_config]


def _records(context: Context, endpoint: Any) -> Iterator[Mapping[str, Any]]:
    target = S3Uri.parse(endpoint.data_capture_config["DestinationS3Uri"])
    bucket: Any = s3_backends[context.account_id]["aws"].buckets.get(target.bucket)
    if bucket is None:
        return
    start = f"{target.key.rstrip('/')}/{endpoint.endpoint_name}/".lstrip("/")
    keys = [key for name, key in bucket.keys.items() if name.startswith(start)]
    files = [key for key in keys if 0 < getattr(key, "size", 0) < _MAX_FILE_BYTES]
    for key in sorted(files, key=lambda key: key.last_modified, reverse=True)[:_FILES]:
        yield from _lines(key.value)


def _lines(body: bytes) -> Iterator[Mapping[str, Any]]:
    for line in body.splitlines()[-MAX_CAPTURES:]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record


def _labels(context: Context) -> list[str]:
    """Return the class names of the first function that has a list of them as LABELS."""
    backend: Any = lambda_backends[context.account_id][context.region]
    texts = (each.environment_vars.get("LABELS", "") for each in backend.list_functions(None))
    return next(filter(None, map(class_names, texts)), [])


def class_names(text: str) -> list[str]:
    """Return the names of a JSON list; none for any other text."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []
