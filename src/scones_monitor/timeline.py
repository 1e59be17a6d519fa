"""A period cut into equal bins: how many records each has, and how confident the answers are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

STEPS = (
    *(timedelta(seconds=s) for s in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=h) for h in (1, 2, 3, 6, 12)),
    *(timedelta(days=d) for d in (1, 2, 7, 14, 28, 91, 182, 365)),
)
MAX_BINS = 100


@dataclass(frozen=True)
class Timeline:
    """Bins of `step` from `start` on, which is aware; a value a bin, NaN where none is known.

    `below` counts the records that are not accepted; the percentiles are of confidence.
    """

    start: datetime
    step: timedelta
    count: NDArray[np.int64]
    below: NDArray[np.int64]
    p5: NDArray[np.float64]
    p50: NDArray[np.float64]
    p95: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.count)

    @property
    def end(self) -> datetime:
        """The end of the last bin."""
        return self.start + len(self) * self.step

    @property
    def middles(self) -> list[datetime]:
        """The middle of each bin."""
        return [self.start + (i + 0.5) * self.step for i in range(len(self))]


def period_bins(first: datetime, last: datetime) -> tuple[datetime, timedelta, int]:
    """Return the start, the step and the number of bins that hold both times."""
    span = max(last - first, timedelta(seconds=1))
    step = next((s for s in STEPS if span / s <= MAX_BINS - 1), STEPS[-1])
    seconds = int(step.total_seconds())
    start = datetime.fromtimestamp(int(first.timestamp()) // seconds * seconds, UTC)
    return start, step, int((last - start) / step) + 1


def timeline(
    time: NDArray[np.uint32],
    confidence: NDArray[np.float32],
    accepted: NDArray[np.bool_],
    first: datetime,
    last: datetime,
) -> Timeline:
    """Return the timeline of records, times in seconds since 1970, from `first` to `last`."""
    start, step, bins = period_bins(first, last)
    place = (time - start.timestamp()) // step.total_seconds()
    place = np.clip(place, 0, bins - 1).astype(np.int64)
    order = np.lexsort((confidence, place))
    count = np.bincount(place, minlength=bins)
    below = np.bincount(place[~accepted], minlength=bins)
    ranked, ends = confidence[order].astype(np.float64), np.cumsum(count)
    spread = [_ranks(ranked, ends - count, count, p) for p in (0.05, 0.5, 0.95)]
    return Timeline(start, step, count, below, *spread)


def _ranks(
    ranked: NDArray[np.float64], first: NDArray[np.int64], count: NDArray[np.int64], p: float
) -> NDArray[np.float64]:
    """Return a percentile of each bin: the value at the nearest rank."""
    if not len(ranked):
        return np.full(len(count), np.nan)
    at = first + np.rint(p * np.maximum(count - 1, 0)).astype(np.int64)
    return np.where(count > 0, ranked[np.minimum(at, len(ranked) - 1)], np.nan)


def days_without(time: NDArray[np.uint32], first: datetime, last: datetime) -> list[datetime]:
    """Return the whole days (UTC) from `first` to `last` that have no record."""
    day = 86_400
    begin, end = -(-int(first.timestamp()) // day), int(last.timestamp()) // day
    seen = set(np.unique(time // day).tolist())
    return [datetime.fromtimestamp(d * day, UTC) for d in range(begin, end) if d not in seen]


def longest_gap(time: NDArray[np.uint32]) -> tuple[datetime, datetime] | None:
    """Return the longest time without a record between two of them; None of fewer than two."""
    if len(time) < 2:
        return None
    ordered = np.unique(time)
    if len(ordered) < 2:
        return None
    at = int(np.diff(ordered).argmax())
    return tuple(datetime.fromtimestamp(int(t), UTC) for t in ordered[at : at + 2])  # type: ignore[return-value]


def counts_of(values: Sequence[tuple[datetime, float]], line: Timeline) -> NDArray[np.float64]:
    """Return the sums of timed values by bin; those outside of the timeline are left out."""
    found = np.zeros(len(line))
    for time, value in values:
        at = int((time - line.start) / line.step)
        if 0 <= at < len(line):
            found[at] += value
    return found
