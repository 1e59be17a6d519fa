"""Honest validation: blocks of days, forecast by a model that saw nothing of them or after them.

The competition knows days 1 to 19 of each month and asks for the rest, with only what was known
before. A fold does the same within the known days: its block are the days from BLOCK_START on of
one month, and its model is trained on the hours before that block, and on no later one.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import TrainingError
from scones_demand.hours import Hours

# Of days 1 to 19 the last eleven are asked: as many as the competition asks for, and as far ahead.
BLOCK_START = 9
# Before a model is judged it has so many days to learn from: three months of days 1 to 19.
MIN_DAYS = 45


@dataclass(frozen=True, slots=True)
class Fold:
    """One block: masks over the hours, shape (n,), of what is trained on and what is asked."""

    name: str
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FoldScore:
    """How a block was forecast; `coverage` is the share of its hours within the interval."""

    name: str
    trained: int
    hours: int
    rmsle: float
    coverage: float
    width: float

    def described(self) -> dict[str, Any]:
        """Return the score for JSON."""
        return asdict(self)


def blocked_folds(hours: Hours, *, start: int = BLOCK_START, every: int = 1) -> list[Fold]:
    """Return a fold for every so many months that have days from `start` on and a history.

    Raises TrainingError where there is none: too few days to say how good a model is.
    """
    months, in_month = hours.month(), hours.day_of_month()
    folds = []
    for month in np.unique(months):
        test = (months == month) & (in_month >= start)
        if not test.any():
            continue
        train = hours.hour < hours.hour[test].min()
        if len(np.unique(hours.day[train])) >= MIN_DAYS:
            folds.append(Fold(str(np.datetime64(int(month), "M")), train, test))
    if not folds:
        raise TrainingError(
            f"{hours.name} has {len(np.unique(hours.day))} days, too few to validate a model: it "
            f"needs {MIN_DAYS} days, and after them hours of a month from its day {start} on."
        )
    # The newest month is always among them.
    return folds[::-1][::every][::-1]


def rmsle(forecast: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return the root mean squared logarithmic error of counts, shapes (n,).

    https://www.kaggle.com/c/bike-sharing-demand/overview/evaluation
    """
    return float(np.sqrt(np.mean((np.log1p(forecast) - np.log1p(truth)) ** 2)))


def conformity(
    truth: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far each truth is outside its interval, below 0 inside; all of shape (n,).

    Conformalized quantile regression, https://arxiv.org/abs/1905.03222, equation 6.
    """
    return np.maximum(low - truth, truth - high)


def widening(scores: NDArray[np.float64], coverage: float) -> float:
    """Return what to add on both sides so that this share of hours is within; 0 of no scores."""
    if not len(scores):
        return 0.0
    rank = min(1.0, np.ceil((len(scores) + 1) * coverage) / len(scores))
    return float(np.quantile(scores, rank, method="higher"))


@dataclass(frozen=True, slots=True)
class BlockForecast:
    """A block's forecast in log(1 + riders), shapes (n,)."""

    middle: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Validated:
    """All blocks: their scores, and hour by hour what was forecast.

    `position` says which of the hours each is, shape (m,); `count`, `low` and `high` are riders.
    """

    folds: tuple[FoldScore, ...]
    position: NDArray[np.int64]
    count: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    widening: float
    metrics: Mapping[str, float]


def validate(
    hours: Hours,
    folds: Sequence[Fold],
    fit: Callable[[Fold], BlockForecast],
    coverage: float,
    progress: Callable[[int, int, float], None] | None = None,
) -> Validated:
    """Return how a learner does on the folds; `fit` trains on one and forecasts its block.

    A block's interval is widened by what the earlier blocks missed, never by itself or a later
    one. `progress` gets the folds done, all of them, and the RMSLE of the last.
    """
    truth = np.log1p(hours.values["count"])
    missed = np.empty(0)
    scores, parts = [], []
    for number, (fold, found) in enumerate(zip(folds, _in_order(fit, folds), strict=True)):
        known = truth[fold.test]
        wider = widening(missed, coverage)
        low = np.minimum(found.low - wider, found.middle)
        high = np.maximum(found.high + wider, found.middle)
        inside = (known >= low) & (known <= high)
        count, bottom, top = (np.maximum(np.expm1(v), 0.0) for v in (found.middle, low, high))
        score = FoldScore(
            fold.name,
            int(fold.train.sum()),
            len(known),
            rmsle(count, np.expm1(known)),
            float(inside.mean()),
            float(np.mean(top - bottom)),
        )
        scores.append(score)
        parts.append((np.flatnonzero(fold.test), count, bottom, top))
        missed = np.concatenate([missed, conformity(known, found.low, found.high)])
        if progress is not None:
            progress(number + 1, len(folds), score.rmsle)
    position, count, bottom, top = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Validated(
        tuple(scores),
        position,
        count,
        bottom,
        top,
        widening(missed, coverage),
        {
            "rmsle": rmsle(count, hours.values["count"][position]),
            "mean_absolute_error": float(np.mean(np.abs(count - hours.values["count"][position]))),
            "interval_coverage": _weighted([(s.coverage, s.hours) for s in scores[1:] or scores]),
            "interval_width": _weighted([(s.width, s.hours) for s in scores[1:] or scores]),
            "worst_fold_rmsle": max(score.rmsle for score in scores),
            "folds": float(len(scores)),
        },
    )


def _in_order(
    fit: Callable[[Fold], BlockForecast], folds: Sequence[Fold]
) -> Iterator[BlockForecast]:
    """Yield each fold's forecast in the folds' order; as many are fitted at once as cores."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield from pool.map(fit, folds)
    finally:
        pool.shutdown(cancel_futures=True)


def _weighted(pairs: Sequence[tuple[float, int]]) -> float:
    values, weights = zip(*pairs, strict=True)
    return float(np.average(values, weights=weights))
