"""Training: histogram gradient boosting on the logarithms of casual and registered riders."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import TrainingError
from scones_demand.features import DAILY, FEATURES, MONTHLY, columns_of, feature_matrix
from scones_demand.hours import Hours
from scones_demand.model import BOUNDS, RIDERS, Card, DemandModel, Member
from scones_demand.trees import Trees
from scones_demand.validation import (
    BlockForecast,
    Fold,
    Validated,
    blocked_folds,
    rmsle,
    validate,
)

PLATFORM_PREFIXES = ("sagemaker_", "_tuning_")
VIEWS = {"daily": DAILY, "monthly": MONTHLY}
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True)
class DemandSettings:
    """Hyperparameters; raises TrainingError for one out of its range.

    `learning_rate`, `max_iter`, `max_leaf_nodes`, `min_samples_leaf`, `l2_regularization` and
    `max_features` are scikit-learn's of HistGradientBoostingRegressor. `coverage` is the share of
    hours that the prediction interval is to hold. `fold_every` 2 judges by every other month.
    """

    learning_rate: float = 0.07
    max_iter: int = 160
    max_leaf_nodes: int = 15
    min_samples_leaf: int = 20
    l2_regularization: float = 1.0
    max_features: float = 0.5
    coverage: float = 0.9
    fold_every: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise TrainingError(
                    f"Hyperparameter {name} must be from {low:g} to {high:g}, not "
                    f"{getattr(self, name)}."
                )

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Return the settings that a job's strings stand for; raises TrainingError."""
        return cls(**parse_values(given, {field.name: field.type for field in fields(cls)}))

    def strings(self) -> dict[str, str]:
        """Return the settings as CreateTrainingJob takes them; `parse` reads them back."""
        return {name: str(value) for name, value in asdict(self).items()}


def parse_values(given: Mapping[str, str], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters as the types of their names, those of the platform left out.

    Raises TrainingError for a name that `kinds` lacks and for a text that is no such value.
    """
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name.startswith(PLATFORM_PREFIXES):
            continue
        if name not in kinds:
            raise TrainingError(
                f"There is no hyperparameter {name!r}; there are {', '.join(kinds)}."
            )
        kind = kinds[name] if kinds[name] in (int, str) else float
        try:
            values[name] = kind(str(text).strip('"'))
        except ValueError:
            kind_text = "an integer" if kind is int else "a number"
            raise TrainingError(
                f"Hyperparameter {name} must be {kind_text}, not {text!r:.80}."
            ) from None
    return values


_RANGES: Mapping[str, tuple[float, float]] = {
    "learning_rate": (0.001, 1.0),
    "max_iter": (1, 5000),
    "max_leaf_nodes": (2, 1024),
    "min_samples_leaf": (1, 10_000),
    "l2_regularization": (0.0, 1000.0),
    "max_features": (0.05, 1.0),
    "coverage": (0.5, 0.99),
    "fold_every": (1, 24),
    "seed": (0, 2**31 - 1),
}


def train(
    hours: Hours,
    settings: DemandSettings,
    progress: Progress | None = None,
    *,
    data: Mapping[str, Any] | None = None,
) -> tuple[DemandModel, Validated]:
    """Return a model of all the hours, and how its kind did on the blocked folds.

    `data` is kept on the card: where the hours are from. Raises TrainingError for hours without
    their demand, or too few of them.
    """
    if not hours.known:
        raise TrainingError(
            f"{hours.name} has no columns casual, registered and count to learn from."
        )
    started = time.perf_counter()
    matrix, folds = feature_matrix(hours), blocked_folds(hours, every=settings.fold_every)

    def fit(fold: Fold) -> BlockForecast:
        return fit_fold(hours, matrix, fold, settings)

    validated = validate(hours, folds, fit, settings.coverage, progress)
    members, bounds = _fit(matrix, hours, np.ones(len(hours), bool), settings)
    card = Card(
        days=tuple(np.unique(hours.day).tolist()),
        settings=asdict(settings),
        coverage=settings.coverage,
        widening=validated.widening,
        metrics={**validated.metrics, "training_seconds": time.perf_counter() - started},
        folds=tuple(score.described() for score in validated.folds),
        importance={},
        data=dict(data or {}),
    )
    return DemandModel(members, bounds, DAILY, card), validated


def fit_fold(
    hours: Hours, matrix: NDArray[np.float64], fold: Fold, settings: DemandSettings
) -> BlockForecast:
    """Return the forecast of a fold's block by a model of the fold's training hours."""
    members, bounds = _fit(matrix, hours, fold.train, settings)
    model = DemandModel(members, bounds, DAILY, _BARE)
    test_matrix = matrix[fold.test]
    seen = test_matrix[:, columns_of(DAILY)]
    return BlockForecast(
        model.log_count(test_matrix), bounds["low"].predict(seen), bounds["high"].predict(seen)
    )


_BARE = Card(days=(), settings={}, coverage=0.9, widening=0.0, metrics={})


def _fit(
    matrix: NDArray[np.float64], hours: Hours, rows: NDArray[np.bool_], settings: DemandSettings
) -> tuple[tuple[Member, ...], dict[str, Trees]]:
    """Return the trees of both views for both kinds of riders, and those of the bounds."""
    logs = {name: np.log1p(hours.values[name][rows]) for name in (*RIDERS, "count")}
    members = tuple(
        Member(
            view,
            {
                rider: _boosted(matrix[rows][:, columns_of(view)], logs[rider], settings, number)
                for rider in RIDERS
            },
        )
        for number, view in enumerate(VIEWS.values())
    )
    tail = (1 - settings.coverage) / 2
    seen = matrix[rows][:, columns_of(DAILY)]
    bounds = {
        name: _boosted(seen, logs["count"], settings, len(VIEWS), quantile=quantile)
        for name, quantile in zip(BOUNDS, (tail, 1 - tail), strict=True)
    }
    return members, bounds


def _boosted(
    matrix: NDArray[np.float64],
    target: NDArray[np.float64],
    settings: DemandSettings,
    stream: int,
    *,
    quantile: float | None = None,
) -> Trees:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    regressor = HistGradientBoostingRegressor(
        loss="squared_error" if quantile is None else "quantile",
        quantile=quantile,
        learning_rate=settings.learning_rate,
        max_iter=settings.max_iter,
        max_leaf_nodes=settings.max_leaf_nodes,
        min_samples_leaf=settings.min_samples_leaf,
        l2_regularization=settings.l2_regularization,
        max_features=settings.max_features,
        early_stopping=False,
        random_state=settings.seed * 10 + stream,
    )
    # Folds run at the same time, a thread each. Threads within a fit would wait for one another
    # at every split, which on a busy host takes many times as long.
    with threadpool_limits(1, user_api="openmp"):
        return Trees.of(regressor.fit(matrix, target))


class Logarithmic(Protocol):
    """A model of log(1 + riders)."""

    def log_count(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log(1 + riders) for a feature matrix: (n, len(FEATURES)) to (n,)."""


def permutation_importance(
    model: Logarithmic, hours: Hours, *, seed: int = 0, features: Sequence[str] = FEATURES
) -> dict[str, float]:
    """Return by how much RMSLE rises when a feature's values are shuffled among the hours.

    The largest first. It says what the model relies on, not what causes demand.
    """
    matrix, truth = feature_matrix(hours), hours.values["count"]
    plain = rmsle(np.expm1(model.log_count(matrix)), truth)
    order = np.random.default_rng(seed).permutation(len(hours))
    found = {}
    for name in features:
        shuffled = matrix.copy()
        column = FEATURES.index(name)
        shuffled[:, column] = matrix[order, column]
        found[name] = rmsle(np.expm1(model.log_count(shuffled)), truth) - plain
    return dict(sorted(found.items(), key=lambda item: -item[1]))
