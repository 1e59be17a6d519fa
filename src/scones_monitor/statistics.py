"""Figures of confidence, decisions and accuracy; each is computed from what was read."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scones_monitor.join import Joined

PERCENTILES = (5, 25, 50, 75, 95)


class Interval(NamedTuple):
    """The bounds of a proportion, 0 to 1."""

    low: float
    high: float


class Share(NamedTuple):
    """`hits` of `total`."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """Return the proportion, 0 to 1; None of nothing."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> Interval | None:
        """Return the 95 % Wilson score interval; None of nothing."""
        return wilson_interval(self.hits, self.total) if self.total else None


def wilson_interval(hits: int, total: int, z: float = 1.959964) -> Interval:
    """Return the Wilson score interval of a proportion (Wilson 1927); z is 1.96 for 95 %."""
    p, zz = hits / total, z * z / total
    centre = (p + zz / 2) / (1 + zz)
    half = z * math.sqrt(p * (1 - p) / total + zz / (4 * total)) / (1 + zz)
    # At the ends the bound is 0 or 1 itself, which floating point just misses.
    return Interval(centre - half if hits else 0.0, centre + half if hits < total else 1.0)


def accuracy(rows: Iterable[Joined]) -> Share:
    """Return how many of the classified images of known truth got their true label."""
    known = [row.correct for row in rows if row.correct is not None]
    return Share(sum(known), len(known))


def precision(rows: Iterable[Joined]) -> Share:
    """Return how many of the accepted images of known truth got their true label."""
    return accuracy(row for row in rows if row.decision == "accepted")


def coverage(rows: Iterable[Joined]) -> Share:
    """Return how many of the classified images were accepted; failed ones are not counted."""
    decided = Counter(row.decision for row in rows)
    return Share(decided["accepted"], decided["accepted"] + decided["review"])


def confusion(rows: Iterable[Joined], labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the counts by true label (rows) and answered label (columns), in label order."""
    pairs = Counter((row.truth, row.label) for row in rows)
    return tuple(tuple(pairs[true, answer] for answer in labels) for true in labels)


def confidences(rows: Iterable[Joined], label: str | None = None) -> list[float]:
    """Return the confidences of the classified images, of one answered label or of all."""
    return [
        row.confidence for row in rows if row.confidence is not None and label in (None, row.label)
    ]


def confidence_histogram(values: ArrayLike, edges: Sequence[float]) -> list[int]:
    """Return the counts between the edges; the last bin holds its upper edge too."""
    counts, _ = np.histogram(np.asarray(values, dtype=float), bins=np.asarray(edges))
    return [int(count) for count in counts]


def percentiles(values: Sequence[float]) -> dict[int, float]:
    """Return the percentiles 5 to 95, linearly interpolated; empty for no values."""
    if not values:
        return {}
    found = np.percentile(np.asarray(values, dtype=float), PERCENTILES)
    return {p: float(value) for p, value in zip(PERCENTILES, found, strict=True)}


def percentiles_by_class(
    rows: Sequence[Joined], labels: Sequence[str]
) -> Mapping[str, dict[int, float]]:
    """Return the percentiles of confidence by answered label."""
    return {label: percentiles(confidences(rows, label)) for label in labels}


def share_below(values: Sequence[float], threshold: float) -> Share:
    """Return how many values lie below the threshold (one that equals it does not)."""
    return Share(sum(value < threshold for value in values), len(values))


def entropy(probabilities: Sequence[float]) -> float:
    """Return the entropy in bits: 0 for a certain answer, log2(classes) for an even one."""
    return -sum(p * math.log2(p) for p in probabilities if p > 0) + 0.0
