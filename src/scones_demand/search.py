"""A search over hyperparameters, by Optuna's tree-structured Parzen estimator."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from scones_core.errors import TrainingError
from scones_demand.features import feature_matrix
from scones_demand.fit import DemandSettings, fit_fold
from scones_demand.hours import Hours
from scones_demand.validation import blocked_folds, validate

MAX_TRIALS = 500
# Every fourth month is enough to rank settings, and four times as many are tried.
EVERY = 4


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of hyperparameters and its RMSLE by the blocked folds."""

    values: Mapping[str, Any]
    rmsle: float


def search(
    hours: Hours,
    settings: DemandSettings,
    trials: int,
    progress: Callable[[int, int, float], None] | None = None,
) -> list[Trial]:
    """Return the trials of a search around these settings, the best first.

    The settings themselves are the first trial. Raises TrainingError for a number of trials that
    is not from 1 to MAX_TRIALS, and for hours that cannot be trained on.
    """
    if not 1 <= trials <= MAX_TRIALS:
        raise TrainingError(f"A search has 1 to {MAX_TRIALS} trials, not {trials}.")
    if not hours.known:
        raise TrainingError(f"{hours.name} has no columns casual, registered and count.")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    matrix, folds = feature_matrix(hours), blocked_folds(hours, every=EVERY)
    found: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        values: dict[str, Any] = {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            "max_iter": trial.suggest_int("max_iter", 60, 400, log=True),
            "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 7, 63, log=True),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 60, log=True),
            "l2_regularization": trial.suggest_float("l2_regularization", 0.01, 30.0, log=True),
            "max_features": trial.suggest_float("max_features", 0.3, 1.0),
        }
        tried = replace(settings, **values)
        done = validate(
            hours, folds, lambda fold: fit_fold(hours, matrix, fold, tried), tried.coverage
        )
        score = done.metrics["rmsle"]
        found.append(Trial(values, score))
        if progress is not None:
            progress(len(found), trials, score)
        return score

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=settings.seed))
    given = asdict(settings)
    study.enqueue_trial({name: given[name] for name in SEARCHED}, skip_if_exists=True)
    study.optimize(objective, n_trials=trials)
    return sorted(found, key=lambda trial: trial.rmsle)


SEARCHED = (
    "learning_rate",
    "max_iter",
    "max_leaf_nodes",
    "min_samples_leaf",
    "l2_regularization",
    "max_features",
)
