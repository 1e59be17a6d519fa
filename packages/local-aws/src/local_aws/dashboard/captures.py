"""The newest captured requests as thumbnails, with the model's answers."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.s3.models import s3_backends
from moto.sagemaker.models import sagemaker_backends

from local_aws.core.context import Context
from local_aws.core.s3_uri import S3Uri

MAX_CAPTURES = 24
# So many of the newest files of an endpoint are looked through.
_FILES = 6
_MAX_IMAGE_BYTES = 200_000
_MAX_FILE_BYTES = 8_000_000
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def captures(context: Context) -> list[dict[str, Any]]:
    """Return the newest records of all endpoints: `image` (a data: URL or ""), `label`, ..."""
    labels = _labels(context)
    found = [
        capture_row(record, endpoint.endpoint_name, labels)
        for endpoint in _endpoints(context)
        for record in _records(context, endpoint)
    ]
    return sorted(found, key=lambda record: str(record["time"]), reverse=True)[:MAX_CAPTURES]


def capture_row(record: Mapping[str, Any], endpoint: str, labels: list[str]) -> dict[str, Any]:
    """Return one captured record as the page shows it.

    A part that is missing, or does not have the expected form, is left empty.
    """
    data, metadata = _part(record, "captureData"), _part(record, "eventMetadata")
    label, confidence = _answer(_part(data, "endpointOutput"), labels)
    return {
        "endpoint": endpoint,
        "time": str(metadata.get("inferenceTime", "")),
        "id": str(metadata.get("inferenceId") or metadata.get("eventId") or ""),
        "image": _image(_part(data, "endpointInput")),
        "label": label,
        "confidence": confidence,
    }


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _image(side: Mapping[str, Any]) -> str:
    """Return a `data:` URL of a PNG or a JPEG; its type is known by its first bytes."""
    if side.get("encoding") != "BASE64":
        return ""
    text = str(side.get("data", ""))
    try:
        body = base64.b64decode(text, validate=True) if len(text) < _MAX_IMAGE_BYTES else b""
    except ValueError:
        return ""
    kind = next((kind for start, kind in _SIGNATURES.items() if body.startswith(start)), "")
    return f"data:{kind};base64,{base64.b64encode(body).decode()}" if kind else ""


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
