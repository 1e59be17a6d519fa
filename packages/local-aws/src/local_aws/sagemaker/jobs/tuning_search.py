"""Search strategies of a tuning job: random, grid, and Bayesian by a Gaussian process.

The Bayesian search is the textbook one: a Gaussian process with a squared-exponential kernel on
the unit cube, expected improvement over random candidates, and the mean as a stand-in for trials
that have not ended (J. Snoek et al., Practical Bayesian Optimization, 2012).
"""

import itertools
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local_aws.errors import LocalAwsError

Point = tuple[float, ...]
_FIRST_AT_RANDOM = 3
_CANDIDATES = 512
_LENGTH_SCALE = 0.3
_NOISE = 1e-4


class InvalidTuning(LocalAwsError):
    """A tuning job cannot be run as it is asked for; the message is the ValidationException's."""


@dataclass(frozen=True, slots=True)
class Range:
    """One hyperparameter that is tuned; `values` are those of a categorical one."""

    name: str
    low: float = 0.0
    high: float = 1.0
    scaling: str = "Linear"
    integer: bool = False
    values: tuple[str, ...] = ()

    def value(self, unit: float) -> str:
        """Return the hyperparameter for a place between 0 and 1, as a training job gets it."""
        if self.values:
            return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]
        found = min(max(self._scaled(unit), self.low), self.high)
        if self.integer:
            return str(min(max(round(found), math.ceil(self.low)), math.floor(self.high)))
        return repr(found)

    def _scaled(self, unit: float) -> float:
        if self.scaling == "Logarithmic":
            return math.exp(_between(math.log(self.low), math.log(self.high), unit))
        if self.scaling == "ReverseLogarithmic":
            return 1 - math.exp(_between(math.log(1 - self.low), math.log(1 - self.high), unit))
        return _between(self.low, self.high, unit)


def parse_ranges(ranges: Mapping[str, Sequence[Mapping[str, Any]]] | None) -> list[Range]:
    """Return the ranges of a `ParameterRanges`; raises InvalidTuning."""
    ranges = ranges or {}
    if ranges.get("AutoParameters"):
        raise InvalidTuning(
            "The embedded AWS does not choose ranges by itself: give ranges in place of "
            "AutoParameters."
        )
    found = [
        *(_numeric(entry, integer=True) for entry in ranges.get("IntegerParameterRanges") or ()),
        *(
            _numeric(entry, integer=False)
            for entry in ranges.get("ContinuousParameterRanges") or ()
        ),
        *(
            Range(entry["Name"], values=tuple(entry["Values"]))
            for entry in ranges.get("CategoricalParameterRanges") or ()
        ),
    ]
    names = [entry.name for entry in found]
    if not names or len(set(names)) != len(names):
        raise InvalidTuning("A tuning job needs at least one range, and one for each name.")
    return found


def _numeric(entry: Mapping[str, Any], *, integer: bool) -> Range:
    name = entry["Name"]
    try:
        low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    except ValueError as error:
        raise InvalidTuning(
            f"The range of {name} needs numbers as MinValue and MaxValue."
        ) from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidTuning(f"The range of {name} needs a MinValue below its MaxValue.")
    scaling = entry.get("ScalingType") or "Auto"
    if scaling == "Auto":
        wide = low > 0 and high / low >= _AUTO_LOGARITHMIC_RATIO
        scaling = "Logarithmic" if wide else "Linear"
    if scaling == "Logarithmic" and low <= 0:
        raise InvalidTuning(f"The range of {name} must be above 0 to be searched logarithmically.")
    if scaling == "ReverseLogarithmic" and (integer or not 0 <= low < high < 1):
        raise InvalidTuning(
            f"The range of {name} must be continuous and within 0 <= x < 1 to be searched in "
            "reverse logarithmic scale."
        )
    return Range(name, low, high, scaling, integer)


def _between(low: float, high: float, unit: float) -> float:
    return low + (high - low) * unit


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
    points = np.array(candidates)

    def kernel(
        a: "np.typing.NDArray[np.float64]", b: "np.typing.NDArray[np.float64]"
    ) -> "np.typing.NDArray[np.float64]":
        squared = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
        return np.asarray(np.exp(-squared / (2 * _LENGTH_SCALE**2)))

    own = kernel(places, places) + _NOISE * np.eye(len(places))
    across = kernel(points, places)
    mean = across @ np.linalg.solve(own, values)
    variance = 1.0 - np.einsum("ij,ji->i", across, np.linalg.solve(own, across.T))
    deviation = np.sqrt(np.clip(variance, 1e-12, None))
    best = values[: len(known)].max()
    standard = (mean - best) / deviation
    cumulative = np.array([0.5 * (1 + math.erf(z / math.sqrt(2))) for z in standard])
    density = np.exp(-(standard**2) / 2) / math.sqrt(2 * math.pi)
    return [float(gain) for gain in (mean - best) * cumulative + deviation * density]


# `Auto` searches a range on a logarithmic scale from this ratio of its ends on.
_AUTO_LOGARITHMIC_RATIO = 100.0

# With fewer earlier jobs a median says nothing.
LEAST_EARLIER = 3


def lags(current: Sequence[float], earlier: Sequence[Sequence[float]], *, maximise: bool) -> bool:
    """Return whether a job with these values of its objective so far is to be stopped.

    `earlier` has the whole series of the jobs that have ended.
    """
    epoch = len(current)
    compared = [series[:epoch] for series in earlier if len(series) >= epoch]
    if not epoch or len(compared) < LEAST_EARLIER:
        return False
    median = statistics.median(statistics.fmean(series) for series in compared)
    return current[-1] < median if maximise else current[-1] > median
