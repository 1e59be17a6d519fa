"""Captured records, read from S3 in parallel; a malformed line is counted, never fatal."""

import time as clocks
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import MonitorError
from scones_core.golden_samples import INFERENCE_ID_PREFIX
from scones_core.uris import S3Uri
from scones_monitor.listing import CaptureFile, list_capture_files
from scones_monitor.records import CapturedRecord, FileContent, parse_file

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

MAX_TOTAL_BYTES = 2**30
_WORKERS = 8
_CHUNK_BYTES = 2**18


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
            files = list_capture_files(
                self.s3,
                self.uri,
                self.endpoint,
                variant=self.variant,
                since=self.since,
                until=self.until,
            )
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
        body = self.s3.get_object(Bucket=self.uri.bucket, Key=file.key)["Body"]
        where = f"s3://{self.uri.bucket}/{file.key}"
        content = parse_file(body.iter_chunks(_CHUNK_BYTES), file.variant, where)
        self._seen[file.key, file.etag] = content
        return content

    def _collect(self, contents: list[FileContent]) -> Captures:
        found = [r for c in contents for r in c.records if self._within(r.time) and not _known(r)]
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
    wanted, deadline = set(inference_ids), clock() + timeout_seconds
    while True:
        captures = reader.read()
        arrived = sum(not wanted or r.inference_id in wanted for r in captures.records)
        left = deadline - clock()
        if arrived >= expected or left <= 0:
            break
        sleep(min(poll_seconds, left))
    if not captures.records:
        raise reader.nothing()
    return captures


def _known(record: CapturedRecord) -> bool:
    """Return whether it is of a golden sample, which an apply sent: no customer's."""
    return (record.inference_id or "").startswith(INFERENCE_ID_PREFIX)


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
