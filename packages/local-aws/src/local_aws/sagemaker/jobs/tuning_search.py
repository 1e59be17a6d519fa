"""Where a tuning job looks next: at random, over a grid, or where a Gaussian process expects gain.

The Bayesian search is the textbook one: a Gaussian process with a squared-exponential kernel on
the unit cube, expected improvement over random candidates, and the mean as a stand-in for trials
that have not ended (J. Snoek et al., Practical Bayesian Optimization, 2012).
"""

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from local_aws.sagemaker.jobs.tuning_space import InvalidTuning, Range

Point = tuple[float, ...]
_FIRST_AT_RANDOM = 3
_CANDIDATES = 512
_LENGTH_SCALE = 0.3
_NOISE = 1e-4


@dataclass(frozen=True, slots=True)
class Trial:
    """A place that was tried. `score` is to be maximised; None while it is not known."""

    point: Point
    score: float | None = None


class Search(Protocol):
    """A strategy."""

    def next(self, trials: Sequence[Trial]) -> Point | None:
        """Return where to look after these trials; None when there is nothing left."""


class RandomSearch:
    """Draws places uniformly."""

    def __init__(self, dimensions: int, seed: int | None) -> None:
        # Not for secrets: a seed makes a tuning job repeatable.
        self._draw, self._dimensions = random.Random(seed), dimensions  # noqa: S311

    def next(self, trials: Sequence[Trial]) -> Point:
        """Return a place drawn at random."""
        del trials
        return tuple(self._draw.random() for _ in range(self._dimensions))


class GridSearch:
    """Goes through all combinations of categorical values, in their order."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        if not all(entry.values for entry in ranges):
            raise InvalidTuning("The Grid strategy takes categorical ranges only.")
        axes = [[(i + 0.5) / len(r.values) for i in range(len(r.values))] for r in ranges]
        self.number = math.prod(len(axis) for axis in axes)
        self._places = itertools.product(*axes)

    def next(self, trials: Sequence[Trial]) -> Point | None:
        """Return the next combination."""
        del trials
        return next(self._places, None)


class BayesianSearch:
    """Draws a few places, then looks where the expected improvement is largest."""

    def __init__(self, dimensions: int, seed: int | None) -> None:
        self._random, self._seed = RandomSearch(dimensions, seed), seed

    def next(self, trials: Sequence[Trial]) -> Point:
        """Return the most promising of many random places."""
        known = [trial for trial in trials if trial.score is not None]
        candidates = [self._random.next(()) for _ in range(_CANDIDATES)]
        if len(known) < _FIRST_AT_RANDOM:
            return candidates[0]
        pending = [trial for trial in trials if trial.score is None]
        gains = _expected_improvements(known, pending, candidates)
        return candidates[max(range(len(gains)), key=gains.__getitem__)]


def search_for(strategy: str, ranges: Sequence[Range], seed: int | None) -> Search:
    """Return the search of a strategy; raises InvalidTuning for one that is not done here."""
    if strategy == "Grid":
        return GridSearch(ranges)
    if strategy == "Random":
        return RandomSearch(len(ranges), seed)
    if strategy == "Bayesian":
        return BayesianSearch(len(ranges), seed)
    raise InvalidTuning(
        f"The embedded AWS does not run the strategy {strategy}: use Bayesian, Random or Grid."
    )


def _expected_improvements(
    known: Sequence[Trial], pending: Sequence[Trial], candidates: Sequence[Point]
) -> list[float]:
    """Return the expected improvement of each candidate over the best known score."""
    import numpy as np

    scores = np.array([trial.score for trial in known], dtype=float)
    spread = float(scores.std()) or 1.0
    values = np.concatenate([(scores - scores.mean()) / spread, np.zeros(len(pending))])
    places = np.array([trial.point for trial in (*known, *pending)])
    asked = np.array(candidates)

    def kernel(
        a: "np.typing.NDArray[np.float64]", b: "np.typing.NDArray[np.float64]"
    ) -> "np.typing.NDArray[np.float64]":
        squared = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
        return np.asarray(np.exp(-squared / (2 * _LENGTH_SCALE**2)))

    own = kernel(places, places) + _NOISE * np.eye(len(places))
    across = kernel(asked, places)
    mean = across @ np.linalg.solve(own, values)
    variance = 1.0 - np.einsum("ij,ji->i", across, np.linalg.solve(own, across.T))
    deviation = np.sqrt(np.clip(variance, 1e-12, None))
    best = values[: len(known)].max()
    standard = (mean - best) / deviation
    cumulative = np.array([0.5 * (1 + math.erf(z / math.sqrt(2))) for z in standard])
    density = np.exp(-(standard**2) / 2) / math.sqrt(2 * math.pi)
    return [float(gain) for gain in (mean - best) * cumulative + deviation * density]
