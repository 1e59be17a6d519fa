"""Summary of a period's records, read from the archive a part at a time.

Kept of each record are 16 bytes (time, confidence, threshold, label, truth), so that every share
and percentile is exact; input statistics, entropies and whole answers are kept of a sample: the
records whose events have the lowest hashes, which is uniform and the same in each reading.
Memory grows by these 16 bytes a record and with the records of the busiest day.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scones_images.statistics import STATISTICS
from scones_monitor.capture_files import CaptureFile
from scones_monitor.record_archive import (
    NO_IMAGE,
    SAMPLE,
    UNREADABLE,
    Archive,
    Part,
    text_hash,
)
from scones_monitor.release_history import NO_HISTORY, History

Floats = NDArray[np.float32]
Labels = NDArray[np.int16]

Excluded = Literal["request", "repeat", "label"]

NO_LABEL = -1
GOLDEN = "golden samples, which an apply sent to verify the endpoint"
LOST_LABELS = "labels of images that have no record in this period"
"""Why labels are not in the figures that no counted record has."""
MAX_GALLERY_IMAGES = 12
"""How many images of each gallery are kept."""

# Whole answers of 1,000 classes are kept of 4,000 records: 16 MB.
_SAMPLE_CELLS = 4_000_000
_INPUTS = (*STATISTICS, "width", "height")


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which records: `since` included, `until` not, both aware; None is without an end.

    `labels` are the classes of the model in its order. `truth` maps inference ids to class names.
    With `inference_ids` only records of these requests are taken. What `history` says of the time
    of a record goes before `threshold` and `labels`: another release may have answered.
    """

    labels: tuple[str, ...]
    threshold: float
    since: datetime | None = None
    until: datetime | None = None
    variant: str = ""
    truth: Mapping[str, str] = field(default_factory=dict)
    inference_ids: Sequence[str] | None = None
    history: History = NO_HISTORY


@dataclass(frozen=True, slots=True)
class Place:
    """One record to be shown, and where its line is: a capture file's key, first byte, length."""

    time: datetime
    label: str
    confidence: float
    truth: str
    inference_id: str
    key: str
    start: int
    length: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What no figure counts, why, and the place of the first where known.

    `what` they are: captured requests or their lines, repeated records of counted requests, or
    labels.
    """

    reason: str
    count: int
    first: str = ""
    kind: Excluded = "request"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Sampled records: each value is an array with a row a record.

    `inputs` are the statistics by name, NaN where not measured; `probabilities` is float32
    (n, classes), NaN for a `top_k` answer.
    """

    event: NDArray[np.uint64]
    label: Labels
    confidence: Floats
    entropy: Floats
    inputs: Mapping[str, Floats]
    probabilities: Floats
    places: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.event)

    def of(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "Rows":
        """Return the chosen rows."""
        return Rows(
            event=self.event[chosen],
            label=self.label[chosen],
            confidence=self.confidence[chosen],
            entropy=self.entropy[chosen],
            inputs={name: values[chosen] for name, values in self.inputs.items()},
            probabilities=self.probabilities[chosen],
            places=self.places[chosen],
        )

    def followed_by(self, other: "Rows") -> "Rows":
        """Return both one after the other."""
        return Rows(
            event=np.concatenate([self.event, other.event]),
            label=np.concatenate([self.label, other.label]),
            confidence=np.concatenate([self.confidence, other.confidence]),
            entropy=np.concatenate([self.entropy, other.entropy]),
            inputs={n: np.concatenate([v, other.inputs[n]]) for n, v in self.inputs.items()},
            probabilities=np.concatenate([self.probabilities, other.probabilities]),
            places=np.concatenate([self.places, other.places]),
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A period's records. The arrays have a row a record, in no particular order.

    `time`: uint32 seconds since 1970; `thresholds`: what decided on each, where `threshold` is that
    of the active release; `label`: an index of `labels`; `truth`: one of `truth_names`,
    NO_LABEL where it is not known. `other_classes` are those that people named and the model does
    not know: its answer to such an image is wrong, whatever it is. `images` counts records by the
    state of their image; `files` are the capture files that were read.
    """

    labels: tuple[str, ...]
    threshold: float
    time: NDArray[np.uint32]
    confidence: Floats
    thresholds: Floats
    label: Labels
    truth: Labels
    sample: Rows
    least_confident: tuple[Place, ...]
    wrong: tuple[Place, ...]
    images: Mapping[int, int]
    other_clock: int
    files: int
    found: frozenset[int]
    excluded: tuple[Exclusion, ...]
    other_classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time)

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Which records reach the threshold of the release that answered them."""
        # Both are float32, which may lie below the double it was made of.
        reached: NDArray[np.bool_] = self.confidence >= self.thresholds
        return reached

    def decided_by(self, chosen: NDArray[np.bool_] | None = None) -> tuple[float, ...]:
        """Return the thresholds that decided on the records, or on the chosen ones, lowest first.

        That of the active release where there are no records.
        """
        found = np.unique(self.thresholds if chosen is None else self.thresholds[chosen])
        # A float32 has seven digits.
        return tuple(round(float(each), 6) for each in found) or (self.threshold,)

    @property
    def truth_names(self) -> tuple[str, ...]:
        """The names that `truth` indexes: the model's classes, then the other ones."""
        return self.labels + self.other_classes

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The times of the first and the last record; None of none."""
        if not len(self):
            return None
        return _utc(int(self.time.min())), _utc(int(self.time.max()))

    def has(self, inference_id: str) -> bool:
        """Return whether a record of this request was found; the query must name requests."""
        return text_hash(inference_id) in self.found

    def with_answers(self, answers: Sequence[tuple[datetime, str, float, str]]) -> "Summary":
        """Return the summary with answers of which no record is there.

        Each is (time, label, confidence, truth), the truth empty where it is not known. The active
        release gave them.
        """
        known = [each for each in answers if each[1] in self.labels]
        given = dict.fromkeys(truth for _, _, _, truth in known if truth)
        other = self.other_classes + tuple(n for n in given if n not in self.truth_names)
        index = {name: number for number, name in enumerate(self.labels + other)}
        time = np.array([int(time.timestamp()) for time, _, _, _ in known], np.uint32)
        label = np.array([index[name] for _, name, _, _ in known], np.int16)
        truth = np.array([index.get(name, NO_LABEL) for _, _, _, name in known], np.int16)
        confidence = np.array([value for _, _, value, _ in known], np.float32)
        return replace(
            self,
            time=np.concatenate([self.time, time]),
            confidence=np.concatenate([self.confidence, confidence]),
            thresholds=np.concatenate(
                [self.thresholds, np.full(len(known), self.threshold, np.float32)]
            ),
            label=np.concatenate([self.label, label]),
            truth=np.concatenate([self.truth, truth]),
            other_classes=other,
        )


def summarise(archive: Archive, files: Sequence[CaptureFile], query: Query) -> Summary:
    """Return the summary of a period; of no records where there are none.

    `files` are the capture files that are there now: what was read of an older version of one
    of them is left out. Raises MonitorError for a damaged archive.
    """
    folded = _Fold(query)
    current = {file.key: file.etag for file in files}
    before = np.empty(0, np.uint64)
    for parts in archive.days(query.since, query.until, variant=query.variant):
        keep, before = folded.select(parts, current, before)
        for part, rows in zip(parts, keep, strict=True):
            folded.add(part, rows)
    return folded.summary()


class _Fold:
    """The parts of a summary while it is made."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.index = {label: number for number, label in enumerate(query.labels)}
        self.other = sorted(set(query.truth.values()) - set(query.labels))
        names = {name: number for number, name in enumerate((*query.labels, *self.other))}
        truth = sorted((text_hash(each), names[label]) for each, label in query.truth.items())
        self.truth_ids = np.array([each for each, _ in truth], np.uint64)
        self.truth_labels = np.array([label for _, label in truth], np.int16)
        self.truth_used = 0
        wanted = query.inference_ids
        self.wanted = None if wanted is None else np.array([*map(text_hash, wanted)], np.uint64)
        self.columns: list[tuple[NDArray[np.uint32], Floats, Floats, Labels, Labels]] = []
        self.size = max(1, min(SAMPLE, _SAMPLE_CELLS // len(query.labels)))
        self.sample = _rows(0, len(query.labels))
        self.least: list[Place] = []
        self.wrong: list[Place] = []
        self.images: Counter[int] = Counter()
        self.excluded: dict[str, Exclusion] = {}
        self.files: set[str] = set()
        self.found: set[int] = set()
        self.other_clock = 0

    def exclude(self, reason: str, count: int, first: str = "", kind: Excluded = "request") -> None:
        if count:
            known = self.excluded.get(reason, Exclusion(reason, 0, first, kind))
            self.excluded[reason] = replace(known, count=known.count + count)

    def select(
        self, parts: Sequence[Part], current: Mapping[str, str], before: NDArray[np.uint64]
    ) -> tuple[list[NDArray[np.intp]], NDArray[np.uint64]]:
        """Return the rows of each part to be counted, and all events of these parts' records."""
        tables = [part.read(["time", "event", "inference", "file"]) for part in parts]
        valid = [_valid(part, current) for part in parts]
        for part, ok in zip(parts, valid, strict=True):
            self.files.update(key for (key, _), fine in zip(part.files, ok, strict=True) if fine)
            for fault in part.faults:
                self.exclude(fault.reason, int(ok[fault.file]), fault.place)
            golden = sum(n for n, fine in zip(part.golden, ok, strict=True) if fine)
            self.exclude(GOLDEN, golden)
        time = np.concatenate([_milliseconds(table) for table in tables])
        event = np.concatenate([_numpy(table, "event") for table in tables])
        inference = np.concatenate([_numpy(table, "inference") for table in tables])
        keep = np.concatenate(
            [ok[_numpy(table, "file")] for ok, table in zip(valid, tables, strict=True)]
        )
        keep &= self._within(time)
        keep &= self._wanted(inference, keep)
        once = keep & ~np.isin(event, before)
        once[_repeated(event, time, once, keep_last=False)] = False
        repeated = int(keep.sum() - once.sum())
        self.exclude("captured twice: the same event id", repeated, kind="repeat")
        retried = _repeated(inference, time, once & (inference != 0), keep_last=True)
        gone = "answers of a request that was retried: the last one counts"
        self.exclude(gone, len(retried), kind="repeat")
        once[retried] = False
        self.found.update(inference[once].tolist() if self.wanted is not None else ())
        ends = np.cumsum([len(table) for table in tables])[:-1]
        return [np.flatnonzero(part) for part in np.split(once, ends)], event[keep]

    def _wanted(self, inference: NDArray[np.uint64], keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if self.wanted is None:
            return np.ones(len(inference), np.bool_)
        chosen: NDArray[np.bool_] = np.isin(inference, self.wanted)
        self.exclude("records of other requests in the same time", int((keep & ~chosen).sum()))
        return chosen

    def _within(self, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        inside = np.ones(len(time), np.bool_)
        if self.query.since is not None:
            # AWS cuts the time to the second, so that a record of `since`'s own second counts.
            inside &= time >= int(self.query.since.timestamp()) * 1000
        if self.query.until is not None:
            inside &= time < self.query.until.timestamp() * 1000
        return inside

    def add(self, part: Part, rows: NDArray[np.intp]) -> None:
        """Count these rows of a part."""
        if not len(rows):
            return
        table = self._of_these_classes(part.read().take(pa.array(rows)))
        classes, label = _numpy(table, "classes"), self._labels(table)
        other = (classes != 0) & (classes != len(self.query.labels))
        for number in np.unique(classes[other]):
            count = int((classes == number).sum())
            self.exclude(f"answers of another model: {number} classes", count)
        unknown = ~other & (label == NO_LABEL)
        self.exclude("answers of a class that the model does not have", int(unknown.sum()))
        fine = np.flatnonzero(~other & ~unknown)
        table, label = table.take(pa.array(fine)), label[fine]
        confidence = _numpy(table, "confidence").astype(np.float32)
        truth = self._truth(_numpy(table, "inference"))
        time = _seconds(table)
        thresholds = self._thresholds(time)
        self.columns.append((time, confidence, thresholds, label, truth))
        image = _numpy(table, "image")
        self.images.update(image.tolist())
        self.other_clock += int(_numpy(table, "clock").sum())
        names = (*self.query.labels, *self.other)
        places = _Places(part, table, names, label, truth)
        shown = (image != NO_IMAGE) & (image != UNREADABLE)
        wrong = (truth != NO_LABEL) & (truth != label) & (confidence >= thresholds)
        self._gallery(places, confidence, shown, shown & wrong)
        self._sample(table, label, confidence, places)

    def _of_these_classes(self, table: pa.Table) -> pa.Table:
        """Return the records without those of releases that are known to have other classes."""
        stretches, place = self.query.history.at(_seconds(table))
        keep = np.ones(len(table), np.bool_)
        for number in np.unique(place):
            stretch, own = stretches[number], place == number
            if stretch and stretch.labels and set(stretch.labels) != set(self.query.labels):
                named = stretch.release or "one of a roll-out"
                self.exclude(f"answers of a release with other classes: {named}", int(own.sum()))
                keep &= ~own
        return table if keep.all() else table.filter(pa.array(keep))

    def _orders(self, table: pa.Table) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.int16]]]:
        """Yield records whose release has the classes in another order, and the query's index."""
        stretches, place = self.query.history.at(_seconds(table))
        classes = _numpy(table, "classes")
        for number in np.unique(place):
            names = stretch.labels if (stretch := stretches[number]) else ()
            if names and names != self.query.labels:
                order = np.array([self.index[name] for name in names], np.int16)
                yield (place == number) & (classes == len(names)), order

    def _thresholds(self, time: NDArray[np.uint32]) -> Floats:
        """Return the threshold that decided on the answers of these times."""
        history = self.query.history
        return np.array(history.decided(self.query.threshold), np.float32)[history.at(time)[1]]

    def _labels(self, table: pa.Table) -> Labels:
        """Return the index of each answered label, NO_LABEL for a name that the model lacks."""
        label: Labels = _numpy(table, "label").astype(np.int16)
        for row in np.flatnonzero(_numpy(table, "classes") == 0):
            label[row] = self.index.get(table["name"][int(row)].as_py(), NO_LABEL)
        for own, order in self._orders(table):
            label[own] = order[label[own]]
        return label

    def _truth(self, inference: NDArray[np.uint64]) -> Labels:
        found = np.full(len(inference), NO_LABEL, np.int16)
        if len(self.truth_ids):
            place = np.minimum(np.searchsorted(self.truth_ids, inference), len(self.truth_ids) - 1)
            known = self.truth_ids[place] == inference
            found[known] = self.truth_labels[place[known]]
            self.truth_used += int(known.sum())
        return found

    def _gallery(
        self,
        places: "_Places",
        confidence: Floats,
        shown: NDArray[np.bool_],
        wrong: NDArray[np.bool_],
    ) -> None:
        rows = np.flatnonzero(shown)
        lowest = rows[np.argsort(confidence[rows], kind="stable")[:MAX_GALLERY_IMAGES]]
        self.least += places.of(lowest)
        self.least = sorted(self.least, key=lambda place: place.confidence)[:MAX_GALLERY_IMAGES]
        rows = np.flatnonzero(wrong)
        self.wrong += places.of(rows[np.argsort(-confidence[rows])[:MAX_GALLERY_IMAGES]])
        self.wrong = sorted(self.wrong, key=lambda place: -place.confidence)[:MAX_GALLERY_IMAGES]

    def _sample(
        self, table: pa.Table, label: Labels, confidence: Floats, places: "_Places"
    ) -> None:
        event = _numpy(table, "event")
        full = len(self.sample) >= self.size
        lowest = event < self.sample.event.max() if full else np.ones(len(event), np.bool_)
        rows = np.flatnonzero(lowest)
        if not len(rows):
            return
        taken = table.take(pa.array(rows))
        answers = np.full((len(rows), len(self.query.labels)), np.nan, np.float32)
        whole = _numpy(taken, "classes") != 0
        if whole.any():
            lists = taken["probabilities"].combine_chunks().filter(pa.array(whole))
            answers[whole] = lists.values.to_numpy().reshape(-1, len(self.query.labels))
        for own, order in self._orders(taken):
            answers[own] = answers[own][:, np.argsort(order)]
        found = np.empty(len(rows), object)
        found[:] = places.of(rows)
        self.sample = self.sample.followed_by(
            Rows(
                event=event[rows],
                label=label[rows],
                confidence=confidence[rows],
                entropy=_numpy(taken, "entropy"),
                inputs={name: _numpy(taken, name).astype(np.float32) for name in _INPUTS},
                probabilities=answers,
                places=found,
            )
        )
        if len(self.sample) > self.size:
            lowest_first = np.argsort(self.sample.event, kind="stable")
            self.sample = self.sample.of(lowest_first[: self.size])

    def summary(self) -> Summary:
        lost = len(self.truth_ids) - self.truth_used
        self.exclude(LOST_LABELS, max(0, lost), kind="label")
        floats, labels = np.empty(0, np.float32), np.empty(0, np.int16)
        empty = (np.empty(0, np.uint32), floats, floats, labels, labels)
        time, confidence, thresholds, label, truth = (
            np.concatenate(column) for column in zip(*(self.columns or [empty]), strict=True)
        )
        known = len(self.query.labels)
        seen = np.unique(truth[truth >= known])
        # Only other classes that a record has: the numbers after the model's close up.
        truth = np.where(truth >= known, known + np.searchsorted(seen, truth), truth)
        return Summary(
            labels=self.query.labels,
            threshold=self.query.threshold,
            time=time,
            confidence=confidence,
            thresholds=thresholds,
            label=label,
            truth=truth.astype(np.int16),
            sample=self.sample,
            least_confident=tuple(self.least),
            wrong=tuple(self.wrong),
            images=dict(self.images),
            other_clock=self.other_clock,
            files=len(self.files),
            found=frozenset(self.found),
            excluded=tuple(self.excluded.values()),
            other_classes=tuple(self.other[number - known] for number in seen),
        )


@dataclass(frozen=True)
class _Places:
    """The rows of a table, to be made Places where they are shown."""

    part: Part
    table: pa.Table
    names: tuple[str, ...]
    label: Labels
    truth: Labels

    def of(self, rows: NDArray[np.intp]) -> list[Place]:
        """Return the places of these rows."""
        columns = ["confidence", "inference_id", "file", "start", "length"]
        taken = self.table.select(columns).take(pa.array(rows)).to_pylist()
        times = _milliseconds(self.table)[rows] / 1000
        return [
            Place(
                time=_utc(float(time)),
                label=self.names[int(self.label[row])],
                confidence=found["confidence"],
                truth="" if self.truth[row] == NO_LABEL else self.names[int(self.truth[row])],
                inference_id=found["inference_id"] or "",
                key=self.part.files[found["file"]][0],
                start=found["start"],
                length=found["length"],
            )
            for row, found, time in zip(rows, taken, times, strict=True)
        ]


def _rows(size: int, classes: int) -> Rows:
    return Rows(
        event=np.empty(size, np.uint64),
        label=np.empty(size, np.int16),
        confidence=np.empty(size, np.float32),
        entropy=np.empty(size, np.float32),
        inputs={name: np.empty(size, np.float32) for name in _INPUTS},
        probabilities=np.empty((size, classes), np.float32),
        places=np.empty(size, object),
    )


def _valid(part: Part, current: Mapping[str, str]) -> NDArray[np.bool_]:
    """Return which files of a part are not replaced by a newer version; gone ones count."""
    return np.array([current.get(key, etag) == etag for key, etag in part.files], np.bool_)


def _repeated(
    ids: NDArray[np.uint64],
    time: NDArray[np.int64],
    among: NDArray[np.bool_],
    *,
    keep_last: bool,
) -> NDArray[np.intp]:
    """Return the rows whose id is that of an earlier row, or with `keep_last` of a later one."""
    rows = np.flatnonzero(among)
    order = rows[np.lexsort((time[rows], ids[rows]))]
    same = ids[order][1:] == ids[order][:-1]
    repeated: NDArray[np.intp] = order[:-1][same] if keep_last else order[1:][same]
    return repeated


def _numpy(table: pa.Table, name: str) -> NDArray[Any]:
    found: NDArray[Any] = table[name].to_numpy(zero_copy_only=False)
    return found


def _milliseconds(table: pa.Table) -> NDArray[np.int64]:
    found: NDArray[np.int64] = table["time"].cast(pa.int64()).to_numpy()
    return found


def _seconds(table: pa.Table) -> NDArray[np.uint32]:
    return (_milliseconds(table) // 1000).astype(np.uint32)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
