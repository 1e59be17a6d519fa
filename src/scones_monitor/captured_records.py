"""Captured records of an endpoint, read from S3 in parallel as hostile input.

SageMaker writes them to `<destination>/<endpoint>/<variant>/YYYY/MM/DD/HH/*.jsonl`, a JSON line
for each request: `captureData.endpointInput` and `.endpointOutput` (each `observedContentType`,
`data`, `encoding`), `eventMetadata` (`eventId`, `inferenceTime` and, where the caller sent one,
`inferenceId`). A malformed line is counted, never fatal.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import binascii
import csv
import time as clocks
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import MonitorError
from scones_core.golden_samples import INFERENCE_ID_PREFIX
from scones_core.json_text import parse_json
from scones_core.probabilities import SUM_TOLERANCE, is_probability, probability_vector
from scones_core.uris import S3Uri
from scones_monitor.capture_files import CaptureFile, S3Captures

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# InvokeEndpoint takes and gives at most 6,291,456 bytes, which BASE64 makes a third more:
# 16 MiB for both; the rest is for the metadata around them.
MAX_LINE_BYTES = 17 * 2**20
NOT_JSON = "the line is not JSON"


class Unreadable(ValueError):
    """A line is not a captured record; the message is one of a few fixed reasons."""


@dataclass(frozen=True, slots=True)
class CapturedRecord:
    """One request to an endpoint and its answer.

    `time` is aware and in UTC; AWS writes whole seconds. `probabilities` are in label order,
    finite and add up to 1; those of a `top_k` answer are of the labels `named`, the likeliest
    first, and add up to 1 at most. `image` holds the request's body as it came (hostile, not
    decoded), empty where only outputs are captured; `inference_id` is None where the caller sent
    none.
    """

    event_id: str
    inference_id: str | None
    time: datetime
    content_type: str
    image: bytes
    probabilities: tuple[float, ...]
    variant: str
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileContent:
    """The records of one file, and for each other line the reason and `s3://bucket/key:line`."""

    records: tuple[CapturedRecord, ...]
    faults: tuple[tuple[str, str], ...]


def parse_file(chunks: Iterable[bytes], variant: str, where: str) -> FileContent:
    """Return what a JSONL stream holds; no line of it makes this raise."""
    records: list[CapturedRecord] = []
    faults: list[tuple[str, str]] = []
    for number, (_, found) in enumerate(iter_records(chunks, variant), 1):
        if isinstance(found, CapturedRecord):
            records.append(found)
        elif found:
            faults.append((found, f"{where}:{number}"))
    return FileContent(tuple(records), tuple(faults))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stream: its first byte, its length without the line's end, its bytes.

    `content` is None for a line that is longer than was allowed; `ended` says whether the line's
    end was there.
    """

    start: int
    length: int
    content: bytes | None
    ended: bool


def iter_records(
    chunks: Iterable[bytes], variant: str
) -> Iterator[tuple[Line, CapturedRecord | str]]:
    """Yield each line with its record, or with the reason why it is none; "" for an empty line."""
    for line in bounded_lines(chunks):
        if line.content is None:
            yield line, "the line is longer than a record can be"
        elif not line.content.strip():
            yield line, ""
        else:
            try:
                yield line, parse_record(line.content, variant)
            except Unreadable as error:
                half = str(error) == NOT_JSON and not line.ended
                yield line, "the file's last line is half-written" if half else str(error)


def bounded_lines(chunks: Iterable[bytes], limit: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Yield the lines of a stream; hold no more than `limit` bytes and a chunk."""
    held, start, length = bytearray(), 0, 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            length += len(piece)
            yield Line(start, length, None if length > limit else bytes(held + piece), True)
            held.clear()
            start, length = start + length + 1, 0
        length += len(rest)
        held = bytearray() if length > limit else held + rest
    if length:
        yield Line(start, length, None if length > limit else bytes(held), False)


def parse_record(line: bytes, variant: str) -> CapturedRecord:
    """Return the record of one JSON line; raises Unreadable with the reason otherwise."""
    body = _object(_json(line, NOT_JSON), "the line is not a JSON object")
    data = _object(body.get("captureData"), "captureData is missing")
    event = _object(body.get("eventMetadata"), "eventMetadata is missing")
    output = _object(data.get("endpointOutput"), "endpointOutput is missing")
    event_id, inference_id = event.get("eventId"), event.get("inferenceId")
    if not isinstance(event_id, str) or not event_id:
        raise Unreadable("eventId is missing")
    content_type, image = _input(data.get("endpointInput"))
    probabilities, named = _probabilities(output)
    return CapturedRecord(
        event_id=event_id,
        inference_id=inference_id if isinstance(inference_id, str) and inference_id else None,
        time=_time(event.get("inferenceTime")),
        content_type=content_type,
        image=image,
        probabilities=probabilities,
        variant=variant,
        named=named,
    )


def _json(text: str | bytes, reason: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
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
        raise Unreadable("inferenceTime is not an ISO 8601 time") from error


def _input(value: Any) -> tuple[str, bytes]:
    """Return content type and body of the request; both empty where inputs are not captured."""
    if value is None:
        return "", b""
    part = _object(value, "endpointInput is not an object")
    if part.get("encoding") != "BASE64":
        raise Unreadable("endpointInput is not encoded as BASE64")
    return str(part.get("observedContentType") or ""), _base64(part, "endpointInput")


def _base64(part: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(part["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Unreadable(f"the data of {name} is not valid BASE64") from error


def _probabilities(part: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[str, ...]]:
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
    answer = _csv(text) if is_csv else _json(text, "endpointOutput is not JSON")
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        return _top_k(answer)
    return _distribution(answer), ()


def _top_k(answer: list[Any]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return the probabilities and labels of a `top_k` answer, the likeliest first."""
    found: dict[str, float] = {}
    for part in (each for each in answer if isinstance(each, dict)):
        label, value = part.get("label"), part.get("probability")
        if isinstance(label, str) and label and value is not None and is_probability(value):
            found[label] = float(value)
    if len(found) != len(answer) or sum(found.values()) > 1 + SUM_TOLERANCE:
        raise Unreadable("endpointOutput is not a list of labels with their probabilities")
    labels = sorted(found, key=lambda label: -found[label])
    return tuple(found[label] for label in labels), tuple(labels)


def _csv(text: str) -> list[float]:
    try:
        (row,) = [row for row in csv.reader(text.splitlines()) if row]
        return [float(cell) for cell in row]
    except (ValueError, csv.Error) as error:
        raise Unreadable("endpointOutput is not one CSV row of numbers") from error


def _distribution(value: Any) -> tuple[float, ...]:
    try:
        return probability_vector(value)
    except ValueError as error:
        raise Unreadable("endpointOutput is not probabilities that add up to 1") from error


MAX_TOTAL_BYTES = 2**30
_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Malformed:
    """Lines that are no records for one reason; `first` is `s3://bucket/key:line`."""

    reason: str
    count: int
    first: str


@dataclass(frozen=True, slots=True)
class Captures:
    """What was read: `records` in the order of time, each event and each inference id once.

    `duplicates` counts records left out for a repeated event or inference id, `malformed` the
    lines left out for the `reasons`.
    """

    records: tuple[CapturedRecord, ...]
    files: int
    malformed: int = 0
    reasons: tuple[Malformed, ...] = ()
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class CaptureReader:
    """One endpoint's captures. A file, once read, is not read again: S3 objects never grow."""

    s3: "S3Client"
    uri: S3Uri
    endpoint: str
    variant: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    _seen: dict[tuple[str, str], FileContent] = field(default_factory=dict)

    def read(self) -> Captures:
        """Return all that is there now, which may be nothing; raises MonitorError."""
        try:
            files = list(self._source.list(self.since, self.until).files)
            self._check_size(files)
            with ThreadPoolExecutor(_WORKERS) as pool:
                contents = list(pool.map(self._content, files))
        except (ClientError, BotoCoreError) as error:
            raise MonitorError(
                f"The captures of {self.endpoint} below {self.uri} cannot be read: {error}"
            ) from error
        return self._collect(contents)

    def nothing(self) -> MonitorError:
        """Return the error that says where no records were found."""
        hours = f", from {self.since or 'the first'} to {self.until or 'now'}"
        return MonitorError(
            f"No captured records of the endpoint {self.endpoint!r} below "
            f"{self.uri.join(self.endpoint, self.variant or '')}/{hours}. On AWS delivery takes "
            "minutes: try again, or check that data capture is on and requests succeeded."
        )

    @property
    def _source(self) -> S3Captures:
        return S3Captures(self.s3, self.uri, self.endpoint, self.variant)

    def _check_size(self, files: list[CaptureFile]) -> None:
        total = sum(file.size for file in files)
        if total > MAX_TOTAL_BYTES:
            raise MonitorError(
                f"{len(files)} capture files of {self.endpoint} hold {total / 2**30:.1f} GiB, "
                f"over the limit of {MAX_TOTAL_BYTES / 2**30:.0f}; choose a shorter period."
            )

    def _content(self, file: CaptureFile) -> FileContent:
        if (file.key, file.etag) in self._seen:
            return self._seen[file.key, file.etag]
        where = f"s3://{self.uri.bucket}/{file.key}"
        content = parse_file(self._source.read(file.key), file.variant, where)
        self._seen[file.key, file.etag] = content
        return content

    def _collect(self, contents: list[FileContent]) -> Captures:
        found = [
            r
            for c in contents
            for r in c.records
            if self._within(r.time) and not is_golden(r.inference_id)
        ]
        records = _once(sorted(found, key=lambda record: record.time))
        faults = [fault for content in contents for fault in content.faults]
        return Captures(
            records=tuple(records),
            files=len(contents),
            malformed=len(faults),
            reasons=_reasons(faults),
            duplicates=len(found) - len(records),
        )

    def _within(self, time: datetime) -> bool:
        # AWS cuts the time to the second, so a record of `since`'s own second counts.
        late_enough = self.since is None or time >= self.since.replace(microsecond=0)
        return late_enough and (self.until is None or time < self.until)


def read_captures(
    s3: "S3Client",
    uri: S3Uri,
    endpoint: str,
    *,
    variant: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Captures:
    """Return an endpoint's captured records between two aware times (`until` excluded).

    `uri` is the data capture's destination, without the endpoint's name. Raises MonitorError
    where there are no records, where S3 refuses, or where the files are over 1 GiB together.
    """
    reader = CaptureReader(s3, uri, endpoint, variant, since, until)
    captures = reader.read()
    if not captures.records:
        raise reader.nothing()
    return captures


def wait_for_captures(
    s3: "S3Client",
    uri: S3Uri,
    endpoint: str,
    *,
    expected: int,
    timeout_seconds: float,
    inference_ids: Collection[str] = (),
    variant: str | None = None,
    since: datetime | None = None,
    poll_seconds: float = 1.0,
    clock: Callable[[], float] = clocks.monotonic,
    sleep: Callable[[float], None] = clocks.sleep,
) -> Captures:
    """Return the captures once `expected` records are there, or what is at the deadline.

    With `inference_ids` only records of these count as expected. Raises MonitorError where
    there is no record at all at the deadline.
    """
    reader = CaptureReader(s3, uri, endpoint, variant, since)
    awaited, deadline = set(inference_ids), clock() + timeout_seconds
    while True:
        captures = reader.read()
        arrived = sum(not awaited or r.inference_id in awaited for r in captures.records)
        left = deadline - clock()
        if arrived >= expected or left <= 0:
            break
        sleep(min(poll_seconds, left))
    if not captures.records:
        raise reader.nothing()
    return captures


def is_golden(inference_id: str | None) -> bool:
    """Return whether a record is of a golden sample, which an apply sent: no customer's image."""
    return (inference_id or "").startswith(INFERENCE_ID_PREFIX)


def _once(records: list[CapturedRecord]) -> list[CapturedRecord]:
    """Return each event once, and of several with one inference id the last: its retry."""
    events = {record.event_id: record for record in reversed(records)}
    # The pair keeps an inference id apart from an event id that reads the same.
    last = {
        (r.inference_id, None if r.inference_id else r.event_id): r
        for r in reversed(events.values())
    }
    return sorted(last.values(), key=lambda record: record.time)


def _reasons(faults: list[tuple[str, str]]) -> tuple[Malformed, ...]:
    counts: dict[str, tuple[int, str]] = {}
    for reason, place in faults:
        count, first = counts.get(reason, (0, place))
        counts[reason] = (count + 1, first)
    return tuple(Malformed(reason, n, first) for reason, (n, first) in counts.items())
