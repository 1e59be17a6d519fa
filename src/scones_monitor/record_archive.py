"""Captured records as Parquet: columns without the images, read again in a fraction of the time.

`<folder>/endpoint=<name>/variant=<name>/date=YYYY-MM-DD/part-<hash>.parquet`, the date of the
capture files' names, in UTC. A part holds whole capture files and names them in its metadata with
their ETags, so that what is archived follows from the parts alone: only files that none names
are read, one that was replaced is read again, and records outlive their capture files. A part is
written under another name and renamed when it is whole; one that is damaged is read again.
"""

import hashlib
import json
import os
import time as clocks
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scones_core.errors import MonitorError
from scones_images import ImageError, decode
from scones_images.statistics import STATISTICS, batch_statistics
from scones_monitor.capture_files import UNKNOWN, CaptureFile, CaptureSource, Listing
from scones_monitor.captured_records import (
    CapturedRecord,
    Line,
    bounded_lines,
    is_golden,
    iter_records,
)
from scones_monitor.statistics import entropy

NO_IMAGE, MEASURED, UNMEASURED, UNREADABLE = range(4)
"""The state of a record's image: none captured; measured; left unmeasured as one of too many to
need it; not a PNG or JPEG that the endpoint takes."""

SAMPLE = 10_000
"""How many images of an ingestion are measured: those whose events have the lowest hashes."""

SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ms", "UTC")),
        ("clock", pa.bool_()),
        ("event", pa.uint64()),
        ("inference", pa.uint64()),
        ("inference_id", pa.string()),
        ("classes", pa.int32()),
        ("label", pa.int32()),
        ("name", pa.string()),
        ("confidence", pa.float32()),
        ("entropy", pa.float32()),
        ("probabilities", pa.list_(pa.float32())),
        ("image", pa.int8()),
        *((name, pa.float32()) for name in STATISTICS),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("file", pa.int32()),
        ("start", pa.int64()),
        ("length", pa.int32()),
    ]
)
"""The columns of a part.

`clock`: inferenceTime contradicts the file's name, and `time` is that of the name. `event` and
`inference`: 64-bit hashes of the ids, 0 where there is none. `classes`: how many probabilities
the answer has; `label`: the index of the highest; both are 0 for a `top_k` answer, whose label is
`name`. `file`, `start`, `length`: where the line is.
"""

_METADATA = b"scones"
_VERSION = 1
_PART_BYTES = 64 * 2**20
_PART_FILES = 512
_HELD_BYTES = 2 * 2**20
_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is not a record: why, in which file of the part, and its place."""

    file: int
    reason: str
    place: str


@dataclass(frozen=True)
class Part:
    """One Parquet file of the archive. Times are UTC; `files` are (key, etag) by index."""

    path: Path
    variant: str
    files: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...]
    golden: tuple[int, ...]
    rows: int
    first: datetime | None
    last: datetime | None

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the part's rows, all columns or some; raises MonitorError where it is damaged."""
        try:
            return pq.read_table(self.path, columns=columns, partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise MonitorError(
                f"{self.path} is damaged ({error}); remove it and run the task again."
            ) from error


@dataclass(frozen=True)
class Archive:
    """The records of one endpoint below a folder; `endpoint` "" is one that files do not name."""

    folder: Path
    endpoint: str

    @property
    def root(self) -> Path:
        """Where this endpoint's parts are."""
        return self.folder / f"endpoint={self.endpoint or UNKNOWN}"

    def update(self, source: CaptureSource, files: Sequence[CaptureFile]) -> int:
        """Archive those of the files that are not, and return how many these were.

        Raises what the source raises; the parts written until then stay.
        """
        known = {named for part in self.parts() for named in part.files}
        new = [file for file in files if (file.key, file.etag) not in known]
        # Hashes are uniform, so that those below a bound are a sample; twice is to be safe.
        bound = min(1.0, 2 * SAMPLE / max(1.0, _expected_records(source, new)))
        with ThreadPoolExecutor(_WORKERS) as pool:
            for variant, day, batch in _batches(new):
                read = partial(_read_file, source, int(bound * (2**64 - 1)))
                self._write(variant, day, batch, list(pool.map(read, batch)))
        return len(new)

    def parts(self) -> list[Part]:
        """Return the whole parts in the order of day and name; a damaged one is removed."""
        found = []
        for path in sorted(self.root.glob("variant=*/date=*/part-*.parquet"), key=_day_first):
            part = _part(path)
            if part is None:
                path.unlink(missing_ok=True)
            else:
                found.append(part)
        return found

    def days(
        self, since: datetime | None = None, until: datetime | None = None, *, variant: str = ""
    ) -> Iterator[list[Part]]:
        """Yield the parts of each day that may hold records of the period, the earliest first."""
        # AWS cuts a record's time to the second, so that one of `since`'s own second counts.
        since = since.replace(microsecond=0) if since else None
        by_day: dict[str, list[Part]] = defaultdict(list)
        for part in self.parts():
            late = until is not None and part.first is not None and part.first >= until
            early = since is not None and part.last is not None and part.last < since
            if not late and not early and variant in ("", part.variant):
                by_day[part.path.parent.name].append(part)
        yield from by_day.values()

    def wait_for(
        self,
        source: CaptureSource,
        inference_ids: Collection[str],
        since: datetime,
        timeout_seconds: float,
        *,
        poll_seconds: float = 1.0,
        clock: Callable[[], float] = clocks.monotonic,
        sleep: Callable[[float], None] = clocks.sleep,
    ) -> Listing:
        """Archive until the records of these requests are there, or until the time is over.

        Returns what is there then, and raises MonitorError where none of the requests is.
        """
        hashes = np.array([*map(text_hash, inference_ids)], np.uint64)
        deadline = clock() + timeout_seconds
        while True:
            listing = source.list(since)
            self.update(source, listing.files)
            parts = [part for day in self.days(since) for part in day]
            found = [part.read(["inference"])["inference"].to_numpy() for part in parts]
            there = np.isin(hashes, np.concatenate([np.empty(0, np.uint64), *found]))
            left = deadline - clock()
            if there.all() or left <= 0:
                break
            sleep(min(poll_seconds, left))
        if len(hashes) and not there.any():
            raise MonitorError(
                f"No captured records of these {len(hashes)} requests in {source}, from {since} "
                "to now. On AWS delivery takes minutes: try again, or check that data capture is "
                "on and requests succeeded."
            )
        return listing

    def _write(
        self,
        variant: str,
        day: date,
        files: Sequence[CaptureFile],
        contents: Sequence["_FileColumns"],
    ) -> None:
        columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        for index, content in enumerate(contents):
            content.columns["file"] = [index] * len(content.columns["time"])
            for name in columns:
                columns[name] += content.columns[name]
        named = [[file.key, file.etag] for file in files]
        times = columns["time"]
        metadata = {
            "version": _VERSION,
            "files": named,
            "faults": [
                [index, reason, place]
                for index, content in enumerate(contents)
                for reason, place in content.faults
            ],
            "golden": [content.golden for content in contents],
            "first": min(times).timestamp() if times else None,
            "last": max(times).timestamp() if times else None,
        }
        table = pa.table(columns, schema=SCHEMA).replace_schema_metadata(
            {_METADATA: json.dumps(metadata)}
        )
        digest = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]
        folder = self.root / f"variant={variant}" / f"date={day.isoformat()}"
        folder.mkdir(parents=True, exist_ok=True)
        partial_path = folder / f".part-{digest}.{os.getpid()}"
        try:
            pq.write_table(table, partial_path, compression="zstd")
            with partial_path.open("rb") as written:
                os.fsync(written.fileno())
            partial_path.replace(folder / f"part-{digest}.parquet")
        finally:
            partial_path.unlink(missing_ok=True)


class _FileColumns:
    """The columns of one capture file's records, with what is none of them."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        self.faults: list[tuple[str, str]] = []
        self.golden = 0


def _batches(
    files: Sequence[CaptureFile],
) -> Iterator[tuple[str, date, list[CaptureFile]]]:
    """Yield files of one variant and day that make a part together."""
    groups: dict[tuple[str, date], list[CaptureFile]] = defaultdict(list)
    for file in files:
        groups[file.variant, file.time.date() if file.time else date.min].append(file)
    for (variant, day), group in sorted(groups.items(), key=lambda item: item[0][::-1]):
        batch: list[CaptureFile] = []
        size = 0
        for file in group:
            if batch and (len(batch) == _PART_FILES or size + file.size > _PART_BYTES):
                yield variant, day, batch
                batch, size = [], 0
            batch.append(file)
            size += file.size
        yield variant, day, batch


def _expected_records(source: CaptureSource, files: Sequence[CaptureFile]) -> float:
    """Return about how many records the files hold, by the length of the first one's."""
    for file in files:
        try:
            lines = sum(1 for _ in bounded_lines(source.read(file.key)))
        except FileNotFoundError:
            continue
        if lines:
            return lines * sum(each.size for each in files) / max(1, file.size)
    return 0.0


def _read_file(source: CaptureSource, bound: int, file: CaptureFile) -> _FileColumns:
    """Return a file's columns; images of events with a hash up to `bound` are measured."""
    found = _FileColumns()
    pixels = _Pixels(found.columns)
    lines = enumerate(iter_records(source.read(file.key), file.variant), start=1)
    try:
        for number, (line, record) in lines:
            if isinstance(record, str):
                if record:
                    found.faults.append((record, f"{file.key}:{number}"))
            elif is_golden(record.inference_id):
                found.golden += 1
            else:
                row = _row(record, line, file)
                for name, value in row.items():
                    found.columns[name].append(value)
                pixels.add(record.image, wanted=row["event"] <= bound)
    except FileNotFoundError:
        found.faults.append(("the file was gone before it could be read", file.key))
    pixels.measure()
    return found


def _row(record: CapturedRecord, line: Line, file: CaptureFile) -> dict[str, Any]:
    best = max(record.probabilities)
    wrong = file.contradicts(record.time)
    return {
        "time": file.time if wrong else record.time,
        "clock": wrong,
        "event": text_hash(record.event_id),
        "inference": text_hash(record.inference_id) if record.inference_id else 0,
        "inference_id": record.inference_id,
        "classes": 0 if record.named else len(record.probabilities),
        "label": 0 if record.named else record.probabilities.index(best),
        "name": record.named[0] if record.named else None,
        "confidence": best,
        "entropy": np.nan if record.named else entropy(record.probabilities),
        "probabilities": None if record.named else record.probabilities,
        "start": line.start,
        "length": line.length,
    }


class _Pixels:
    """Fills the columns of input statistics; images of one size are measured together."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns
        self._held: dict[tuple[int, ...], list[tuple[int, NDArray[np.uint8]]]] = defaultdict(list)
        self._bytes = 0

    def add(self, body: bytes, *, wanted: bool) -> None:
        """Add a row for an image, whose statistics follow in `measure`."""
        for name in STATISTICS:
            self._columns[name].append(np.nan)
        state, pixels = UNMEASURED if body else NO_IMAGE, None
        if body and wanted:
            try:
                state, pixels = MEASURED, decode(body)
            except (ImageError, MemoryError):
                state = UNREADABLE
        height, width = pixels.shape[:2] if pixels is not None else (0, 0)
        for name, value in (("image", state), ("width", width), ("height", height)):
            self._columns[name].append(value)
        if pixels is not None:
            self._held[pixels.shape].append((len(self._columns["image"]) - 1, pixels))
            self._bytes += pixels.nbytes
            if self._bytes > _HELD_BYTES:
                self.measure()

    def measure(self) -> None:
        """Measure the images that are held."""
        for group in self._held.values():
            found = batch_statistics(np.stack([pixels for _, pixels in group]))
            for name in STATISTICS:
                for (row, _), value in zip(group, found[name], strict=True):
                    self._columns[name][row] = value
        self._held.clear()
        self._bytes = 0


def text_hash(text: str) -> int:
    """Return 64 uniform bits of a text, never 0."""
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) or 1


def _part(path: Path) -> Part | None:
    """Return a part by its metadata; None where it is not whole or of another version."""
    try:
        stored = pq.read_metadata(path)
        body: Mapping[str, Any] = json.loads((stored.metadata or {})[_METADATA])
        if body["version"] != _VERSION:
            return None
        return Part(
            path=path,
            variant=path.parent.parent.name.removeprefix("variant="),
            files=tuple((str(key), str(etag)) for key, etag in body["files"]),
            faults=tuple(Fault(*fault) for fault in body["faults"]),
            golden=tuple(body["golden"]),
            rows=stored.num_rows,
            first=_time(body["first"]),
            last=_time(body["last"]),
        )
    # The last two: a time that no calendar has, and JSON that is nested without end.
    except (
        OSError,
        pa.ArrowException,
        LookupError,
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
    ):
        return None


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _day_first(path: Path) -> tuple[str, ...]:
    return path.parent.name, path.parent.parent.name, path.name
