"""Baselines: simpler learners that the model must beat, scored on the same blocks."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from scones_demand.features import FEATURES, feature_matrix
from scones_demand.hours import Hours
from scones_demand.validation import BlockForecast, Fold

Learner = Callable[[Fold], BlockForecast]


def baselines(hours: Hours) -> Mapping[str, Learner]:
    """Return the learners by name; each forecasts a fold's block from its training hours."""
    matrix = feature_matrix(hours)
    truth = np.log1p(hours.values["count"])
    clock = hours.hour % 24 + 24 * (matrix[:, FEATURES.index("workingday")] > 0).astype(np.int64)

    def mean_of_hour(fold: Fold) -> BlockForecast:
        return _exact(_means(clock, truth, fold)[clock[fold.test]])

    def linear(fold: Fold) -> BlockForecast:
        from sklearn.linear_model import Ridge

        columns = np.column_stack([np.eye(48)[clock], np.nan_to_num(matrix, nan=1.0)])
        scale = columns[fold.train].std(axis=0)
        columns = (columns - columns[fold.train].mean(axis=0)) / np.where(scale > 0, scale, 1.0)
        return _exact(
            Ridge(1.0).fit(columns[fold.train], truth[fold.train]).predict(columns[fold.test])
        )

    return {"mean of the hour and kind of day": mean_of_hour, "linear regression": linear}


def _means(clock: NDArray[np.int64], truth: NDArray[np.float64], fold: Fold) -> NDArray[np.float64]:
    overall = truth[fold.train].mean()
    sums = np.bincount(clock[fold.train], truth[fold.train], 48)
    counts = np.bincount(clock[fold.train], minlength=48)
    return np.where(counts > 0, sums / np.maximum(counts, 1), overall)


def _exact(middle: NDArray[np.float64]) -> BlockForecast:
    return BlockForecast(middle, middle, middle)
