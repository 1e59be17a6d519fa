"""One captured record: a line of an endpoint's data capture, parsed as hostile input.

The format is SageMaker data capture's: `captureData.endpointInput`, `.endpointOutput` (each
`observedContentType`, `data`, `encoding`), `eventMetadata` (`eventId`, `inferenceTime` and,
where the caller sent one, `inferenceId`).
"""

import base64
import binascii
import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# InvokeEndpoint takes and gives at most 6,291,456 bytes, which BASE64 makes a third more:
# 16 MiB for both; the rest is for the metadata around them.
MAX_LINE_BYTES = 17 * 2**20
# float32 probabilities of a wide softmax add up to 1 within this.
SUM_TOLERANCE = 1e-3


class Unreadable(ValueError):
    """A line is no captured record; the message is one of a few fixed reasons."""


@dataclass(frozen=True, slots=True)
class CapturedRecord:
    """One request to an endpoint and its answer.

    `time` is aware and in UTC; AWS writes whole seconds. `probabilities` are in label order,
    finite and add up to 1. `image` holds the request's body as it came (hostile, not decoded),
    empty where only outputs are captured; `inference_id` is None where the caller sent none.
    """

    event_id: str
    inference_id: str | None
    time: datetime
    content_type: str
    image: bytes
    probabilities: tuple[float, ...]
    variant: str


@dataclass(frozen=True, slots=True)
class FileContent:
    """The records of one file, and for each other line the reason and `s3://bucket/key:line`."""

    records: tuple[CapturedRecord, ...]
    faults: tuple[tuple[str, str], ...]


def parse_file(chunks: Iterable[bytes], variant: str, where: str) -> FileContent:
    """Return what a JSONL stream holds; no line of it makes this raise."""
    records: list[CapturedRecord] = []
    faults: list[tuple[str, str]] = []
    for number, line in enumerate(bounded_lines(chunks), 1):
        try:
            if line is None:
                raise Unreadable("the line is longer than a record can be")
            if line.strip():
                records.append(parse_record(line, variant))
        except Unreadable as error:
            faults.append((str(error), f"{where}:{number}"))
    return FileContent(tuple(records), tuple(faults))


def bounded_lines(chunks: Iterable[bytes], limit: int = MAX_LINE_BYTES) -> Iterator[bytes | None]:
    """Yield the lines of a stream, None for one of more than `limit` bytes; hold no more."""
    held, over = bytearray(), False
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            over = over or len(held) + len(piece) > limit
            yield None if over else bytes(held + piece)
            held.clear()
            over = False
        over = over or len(held) + len(rest) > limit
        held = bytearray() if over else held + rest
    if held or over:
        yield None if over else bytes(held)


def parse_record(line: bytes, variant: str) -> CapturedRecord:
    """Return the record of one JSON line; raises Unreadable with the reason otherwise."""
    body = _object(_json(line, "the line is not JSON"), "the line is no JSON object")
    data = _object(body.get("captureData"), "captureData is missing")
    event = _object(body.get("eventMetadata"), "eventMetadata is missing")
    output = _object(data.get("endpointOutput"), "endpointOutput is missing")
    event_id, inference_id = event.get("eventId"), event.get("inferenceId")
    if not isinstance(event_id, str) or not event_id:
        raise Unreadable("eventId is missing")
    content_type, image = _input(data.get("endpointInput"))
    return CapturedRecord(
        event_id=event_id,
        inference_id=inference_id if isinstance(inference_id, str) and inference_id else None,
        time=_time(event.get("inferenceTime")),
        content_type=content_type,
        image=image,
        probabilities=_probabilities(output),
        variant=variant,
    )


def _json(text: str | bytes, reason: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(reason) from error


def _object(value: Any, reason: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(reason)
    return value


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreadable("inferenceTime is no ISO 8601 time") from error


def _input(value: Any) -> tuple[str, bytes]:
    """Return content type and body of the request; both empty where inputs are not captured."""
    if value is None:
        return "", b""
    part = _object(value, "endpointInput is no object")
    if part.get("encoding") != "BASE64":
        raise Unreadable("endpointInput is not encoded as BASE64")
    return str(part.get("observedContentType") or ""), _base64(part, "endpointInput")


def _base64(part: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(part["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Unreadable(f"the data of {name} is not valid BASE64") from error


def _probabilities(part: Mapping[str, Any]) -> tuple[float, ...]:
    encoding, text = part.get("encoding"), part.get("data")
    kind = str(part.get("observedContentType") or "").partition(";")[0].strip().lower()
    if encoding == "BASE64":
        try:
            text = _base64(part, "endpointOutput").decode()
        except UnicodeDecodeError as error:
            raise Unreadable("endpointOutput is not text") from error
    if not isinstance(text, str):
        raise Unreadable("endpointOutput has no data")
    is_csv = encoding == "CSV" or (encoding == "BASE64" and kind == "text/csv")
    return _distribution(_csv(text) if is_csv else _json(text, "endpointOutput is not JSON"))


def _csv(text: str) -> list[float]:
    try:
        (row,) = [row for row in csv.reader(text.splitlines()) if row]
        return [float(cell) for cell in row]
    except (ValueError, csv.Error) as error:
        raise Unreadable("endpointOutput is not one CSV row of numbers") from error


def _distribution(value: Any) -> tuple[float, ...]:
    plain = isinstance(value, list) and all(type(v) in (int, float) for v in value)
    if not plain or len(value) < 2:
        raise Unreadable("endpointOutput is no list of probabilities")
    if not all(0 <= v <= 1 for v in value) or not math.isclose(
        sum(value), 1, abs_tol=SUM_TOLERANCE
    ):
        raise Unreadable("the probabilities are not between 0 and 1 with a sum of 1")
    return tuple(float(v) for v in value)
