"""Drift of one figure against a reference: population stability index and Kolmogorov-Smirnov."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scones_core.errors import MonitorError

Verdict = Literal["none", "look", "act"]
PSI_LOOK = 0.1
PSI_ACT = 0.25
# An empty bin counts as this share; otherwise one empty bin makes the index infinite.
_EMPTY_SHARE = 1e-4


@dataclass(frozen=True, slots=True)
class Drift:
    """`psi` is 0 for equal distributions; `ks` the largest distance of the two, 0 to 1."""

    figure: str
    psi: float
    ks: float
    verdict: Verdict


def drift(
    figure: str, reference: Sequence[float], current: Sequence[float], bins: int = 10
) -> Drift:
    """Return how far a figure has moved from its reference.

    Raises MonitorError where either side is empty.
    """
    if not reference or not current:
        raise MonitorError(
            f"Drift of {figure} needs values on both sides; there are {len(reference)} "
            f"reference and {len(current)} current ones."
        )
    index = psi(reference, current, bins)
    return Drift(figure, index, ks(reference, current), verdict(index))


def psi(reference: ArrayLike, current: ArrayLike, bins: int = 10) -> float:
    """Return the population stability index over the reference's quantile bins."""
    before, after = np.asarray(reference, dtype=float), np.asarray(current, dtype=float)
    inner = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    old, new = _shares(before, inner), _shares(after, inner)
    return float(np.sum((new - old) * np.log(new / old)))


def ks(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the two-sample Kolmogorov-Smirnov statistic."""
    before, after = np.sort(np.asarray(reference)), np.sort(np.asarray(current))
    points = np.concatenate([before, after])
    old = np.searchsorted(before, points, side="right") / before.size
    new = np.searchsorted(after, points, side="right") / after.size
    return float(np.abs(old - new).max())


def verdict(index: float) -> Verdict:
    """Return what an index asks for: below 0.1 none, to 0.25 a look, above that action."""
    if index < PSI_LOOK:
        return "none"
    return "look" if index <= PSI_ACT else "act"


def _shares(values: NDArray[np.float64], inner: ArrayLike) -> NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(inner, values, side="left"), minlength=np.size(inner) + 1)
    return np.maximum(counts / values.size, _EMPTY_SHARE)
