"""Figures of confidence, decisions and accuracy, each with its n."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

PERCENTILES = (5, 25, 50, 75, 95)

Z_95 = 1.959964
"""Standard deviations of a normal distribution within which 95 % of it lie."""


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


class Estimate(NamedTuple):
    """A proportion that was estimated from `n` images, with its 95 % interval."""

    value: float
    interval: Interval
    n: int


class Bin(NamedTuple):
    """The images of one range of confidence: their mean confidence, and how many are right."""

    confidence: float
    right: Share


def wilson_interval(hits: int, total: int, z: float = Z_95) -> Interval:
    """Return the Wilson score interval of a proportion (Wilson 1927); z is 1.96 for 95 %."""
    p, zz = hits / total, z * z / total
    centre = (p + zz / 2) / (1 + zz)
    half = z * math.sqrt(p * (1 - p) / total + zz / (4 * total)) / (1 + zz)
    # At the ends the bound is 0 or 1 itself, which floating point just misses.
    return Interval(centre - half if hits else 0.0, centre + half if hits < total else 1.0)


def share(mask: NDArray[np.bool_]) -> Share:
    """Return how many of a mask's values are true."""
    return Share(int(mask.sum()), len(mask))


def reliability(confidences: ArrayLike, right: NDArray[np.bool_], bins: int = 10) -> list[Bin]:
    """Return the bins of equal width over confidence that hold an image, lowest first.

    After DeGroot and Fienberg, The Comparison and Evaluation of Forecasters, 1983.
    """
    values = np.asarray(confidences, dtype=np.float64)
    place = np.minimum((values * bins).astype(np.int64), bins - 1)
    return [
        Bin(float(values[place == each].mean()), share(right[place == each]))
        for each in np.unique(place)
    ]


def confusion(
    truth: NDArray[np.integer], label: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Return the counts (classes, classes) by true label (rows) and answered label (columns)."""
    cells = truth.astype(np.int64) * classes + label
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def histogram(values: ArrayLike, edges: Sequence[float]) -> list[int]:
    """Return the counts between the edges; the last bin holds its upper edge too."""
    counts, _ = np.histogram(np.asarray(values, dtype=float), bins=np.asarray(edges))
    return [int(count) for count in counts]


def percentiles(values: ArrayLike) -> dict[int, float]:
    """Return the percentiles 5 to 95, linearly interpolated; empty for no values."""
    array = np.asarray(values, dtype=float)
    if not len(array):
        return {}
    found = np.percentile(array, PERCENTILES)
    return {p: float(value) for p, value in zip(PERCENTILES, found, strict=True)}


def entropy(probabilities: Sequence[float]) -> float:
    """Return the entropy in bits: 0 for a certain answer, log2(classes) for an even one."""
    return -sum(p * math.log2(p) for p in probabilities if p > 0) + 0.0


def difference(one: Estimate, other: Estimate) -> Estimate:
    """Return one value minus the other, with the 95 % interval that both intervals give.

    After Zou and Donner (Construction of confidence limits about effect measures, 2008), of
    independent samples; `n` is that of both. It is right for one look at the data.
    """
    value = one.value - other.value
    down = math.hypot(one.value - one.interval.low, other.interval.high - other.value)
    up = math.hypot(one.interval.high - one.value, other.value - other.interval.low)
    return Estimate(value, Interval(value - down, value + up), one.n + other.n)


def mean(values: ArrayLike) -> Estimate | None:
    """Return the mean of values with its 95 % interval, by the normal approximation."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return None
    middle = float(array.mean())
    spread = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    half = Z_95 * spread / math.sqrt(len(array))
    return Estimate(middle, Interval(middle - half, middle + half), len(array))
