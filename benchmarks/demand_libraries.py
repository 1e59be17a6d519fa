"""How three libraries of boosted trees forecast the demand, by the same blocked folds.

    python -m venv libraries
    libraries/bin/pip install numpy scikit-learn threadpoolctl safetensors xgboost lightgbm
    PYTHONPATH=src libraries/bin/python benchmarks/demand_libraries.py bike-sharing/train.csv

Each gets the features, the two views of the calendar and the targets of `scones_demand.fit`, and as
many trees of as many leaves. A library that is not installed is left out. LightGBM's wheel needs
the system's libgomp.
"""

import argparse
import importlib.metadata
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# A pooled thread that spins takes the time of whatever else runs; OpenMP reads this once.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import SconesError
from scones_demand.features import columns_of, feature_matrix
from scones_demand.fit import VIEWS, DemandSettings
from scones_demand.hours import Hours, read_hours
from scones_demand.model import RIDERS
from scones_demand.validation import BlockForecast, Fold, blocked_folds, validate

Floats = NDArray[np.float64]
Regressor = Callable[[DemandSettings, int], Any]


def scikit_learn(settings: DemandSettings, seed: int) -> Any:
    """Return scikit-learn's histogram gradient boosting, not yet fitted."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        learning_rate=settings.learning_rate,
        max_iter=settings.max_iter,
        max_leaf_nodes=settings.max_leaf_nodes,
        min_samples_leaf=settings.min_samples_leaf,
        l2_regularization=settings.l2_regularization,
        max_features=settings.max_features,
        early_stopping=False,
        random_state=seed,
    )


def xgboost(settings: DemandSettings, seed: int) -> Any:
    """Return XGBoost's regressor, growing trees by their best leaf as the others do."""
    from xgboost import XGBRegressor

    return XGBRegressor(
        tree_method="hist",
        grow_policy="lossguide",
        max_depth=0,
        max_leaves=settings.max_leaf_nodes,
        learning_rate=settings.learning_rate,
        n_estimators=settings.max_iter,
        min_child_weight=settings.min_samples_leaf,
        reg_lambda=settings.l2_regularization,
        colsample_bynode=settings.max_features,
        n_jobs=1,
        random_state=seed,
    )


def lightgbm(settings: DemandSettings, seed: int) -> Any:
    """Return LightGBM's regressor."""
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        num_leaves=settings.max_leaf_nodes,
        learning_rate=settings.learning_rate,
        n_estimators=settings.max_iter,
        min_child_samples=settings.min_samples_leaf,
        reg_lambda=settings.l2_regularization,
        feature_fraction_bynode=settings.max_features,
        n_jobs=1,
        random_state=seed,
        verbosity=-1,
    )


LIBRARIES: dict[str, tuple[str, Regressor]] = {
    "scikit-learn": ("scikit-learn", scikit_learn),
    "XGBoost": ("xgboost", xgboost),
    "LightGBM": ("lightgbm", lightgbm),
}


def main() -> int:
    """Run the comparison; return 1 for a file that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="train.csv, or the folder with it")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0")
    given = parser.parse_args()
    path = given.data / "train.csv" if given.data.is_dir() else given.data
    try:
        hours = read_hours(path, known=True)
        for name, (package, regressor) in LIBRARIES.items():
            try:
                version = importlib.metadata.version(package)
                regressor(DemandSettings(), 0)
            except (ImportError, OSError) as error:
                print(f"{name}: left out ({error})")
                continue
            for seed in range(given.seeds):
                line = measured(hours, regressor, DemandSettings(seed=seed))
                print(f"{name} {version}, seed {seed}: {line}", flush=True)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"host: {os.cpu_count()} cores, load {load}")
    return 0


def measured(hours: Hours, regressor: Regressor, settings: DemandSettings) -> str:
    """Return RMSLE by the folds, and the seconds that fitting and forecasting them took."""
    from threadpoolctl import threadpool_limits

    matrix, folds = feature_matrix(hours), blocked_folds(hours)

    def learner(fold: Fold) -> BlockForecast:
        with threadpool_limits(1, user_api="openmp"):
            middle = forecast(hours, matrix, fold, regressor, settings)
        return BlockForecast(middle, middle, middle)

    started, worked = time.perf_counter(), time.process_time()
    found = validate(hours, folds, learner, settings.coverage)
    seconds, of_processor = time.perf_counter() - started, time.process_time() - worked
    by_fold = [score.rmsle for score in found.folds]
    return (
        f"RMSLE {found.metrics['rmsle']:.4f} by {len(folds)} folds, {min(by_fold):.3f} to "
        f"{max(by_fold):.3f}; {seconds:.1f} s ({of_processor:.1f} s of the processor)"
    )


def forecast(
    hours: Hours, matrix: Floats, fold: Fold, regressor: Regressor, settings: DemandSettings
) -> Floats:
    """Return log(1 + riders) of a fold's block, the views averaged as `DemandModel` does."""
    logs = []
    for number, view in enumerate(VIEWS.values()):
        known = matrix[fold.train][:, columns_of(view)]
        asked = matrix[fold.test][:, columns_of(view)]
        riders = np.zeros(len(asked))
        for kind in RIDERS:
            made = regressor(settings, settings.seed * 10 + number)
            made.fit(known, np.log1p(hours.values[kind][fold.train]))
            riders += np.maximum(np.expm1(made.predict(asked)), 0.0)
        logs.append(np.log1p(riders))
    return np.asarray(np.mean(logs, axis=0), np.float64)


if __name__ == "__main__":
    sys.exit(main())
