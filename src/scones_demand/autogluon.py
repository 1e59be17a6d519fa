"""AutoGluon as the learner, where it is installed: scored by the same blocks, kept as it keeps it.

AutoGluon fits many kinds of model and averages them. It learns log(1 + riders), so that its error
is the competition's. It has no intervals here: one is as wide as what earlier blocks missed. Its
own files are pickles, so that a model folder of it is read only where it was written.
"""

import csv
import importlib
import json
import math
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from shlex import quote
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedArtifact, TrainingError
from scones_core.files import write_atomically
from scones_demand.features import FEATURES, feature_matrix
from scones_demand.fit import Progress, parse_values
from scones_demand.hours import Hours
from scones_demand.model import CARD, Card, Forecast, forecast_of, read_card, require_new
from scones_demand.validation import BlockForecast, Fold, Validated, blocked_folds, validate

ALGORITHM, FOLDER, LABEL = "autogluon", "autogluon", "log_count"
INSTALL = "-m pip install 'autogluon.tabular[lightgbm,xgboost]'"
PRESETS = ("medium_quality", "good_quality", "high_quality", "best_quality")
# AutoGluon fits nothing at all in less.
MIN_FIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class AutoGluonSettings:
    """What AutoGluon is asked for; raises TrainingError for a value out of its range.

    `time_limit` are the seconds of all fits together: one a fold, and the model's own.
    """

    time_limit: int = 600
    presets: str = "medium_quality"
    coverage: float = 0.9
    fold_every: int = 1

    def __post_init__(self) -> None:
        if self.presets not in PRESETS:
            raise TrainingError(f"AutoGluon's presets are {', '.join(PRESETS)}.")
        if not 0.5 <= self.coverage <= 0.99:
            raise TrainingError(f"The coverage must be from 0.5 to 0.99, not {self.coverage}.")
        if not 1 <= self.fold_every <= 24:
            raise TrainingError(f"fold_every must be from 1 to 24, not {self.fold_every}.")

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Return the settings that a job's strings stand for; raises TrainingError."""
        return cls(**parse_values(given, {field.name: field.type for field in fields(cls)}))

    def strings(self) -> dict[str, str]:
        """Return the settings as CreateTrainingJob takes them; `parse` reads them back."""
        return {name: str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class AutoGluonModel:
    """A fitted predictor and its card; it forecasts as `DemandModel` does."""

    predictor: Any
    card: Card

    def log_count(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log(1 + riders) for a feature matrix: (n, len(FEATURES)) to (n,)."""
        with tempfile.TemporaryDirectory() as scratch:
            table = _table(Path(scratch), matrix)
            found = self.predictor.predict(table, as_pandas=False)
        return np.maximum(np.asarray(found, np.float64), 0.0)

    def forecast(self, hours: Hours) -> Forecast:
        """Return the demand of hours, in their order."""
        middle = self.log_count(feature_matrix(hours))
        return forecast_of(middle, middle - self.card.widening, middle + self.card.widening)

    def require_new(self, hours: Hours) -> None:
        """Raise DatasetError where a day was trained on: its forecast would be a memory."""
        require_new(self.card, hours)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the model of a folder that this host wrote.

        Raises MalformedArtifact for a folder without one, TrainingError without AutoGluon.
        """
        card, _ = read_card(folder / CARD)
        kind = predictor_type()
        try:
            return cls(kind.load(str(folder / FOLDER), verbosity=0), card)
        except Exception as error:
            raise MalformedArtifact(
                f"AutoGluon cannot load {folder / FOLDER} ({error}); train the model again."
            ) from error


def is_autogluon(folder: Path) -> bool:
    """Return whether a model folder has a predictor of AutoGluon."""
    return (folder / FOLDER).is_dir()


def predictor_type() -> Any:
    """Return AutoGluon's TabularPredictor; raises TrainingError where it is not installed."""
    try:
        return importlib.import_module("autogluon.tabular").TabularPredictor
    except ImportError as error:
        raise TrainingError(
            f"AutoGluon is not installed: {quote(sys.executable)} {INSTALL}. It replaces many "
            "packages by its own versions, so install it in a second checkout, after `make setup` "
            "there."
        ) from error


def train(
    hours: Hours,
    settings: AutoGluonSettings,
    folder: Path,
    progress: Progress | None = None,
    *,
    data: Mapping[str, Any] | None = None,
) -> tuple[Card, Validated]:
    """Write a model of all the hours into a folder; return its card, and how the folds went.

    An older model in the folder is replaced. Raises TrainingError without AutoGluon, for hours
    without their demand or too few of them, and for a time limit that is too short for the folds.
    """
    kind, started = predictor_type(), time.perf_counter()
    if not hours.known:
        raise TrainingError(
            f"{hours.name} has no columns casual, registered and count to learn from."
        )
    matrix, folds = feature_matrix(hours), blocked_folds(hours, every=settings.fold_every)
    target = np.log1p(hours.values["count"])
    seconds = _seconds_of_a_fit(settings.time_limit, fits=len(folds) + 1)
    fit_lock = threading.Lock()

    def fit(path: Path, rows: NDArray[np.bool_]) -> Any:
        predictor = kind(
            LABEL,
            problem_type="regression",
            eval_metric="root_mean_squared_error",
            path=str(path),
            verbosity=0,
        )
        return _fit(predictor, matrix[rows], target[rows], seconds, settings.presets)

    def of_fold(fold: Fold) -> BlockForecast:
        # It uses all cores itself, and its limit is one of time.
        with fit_lock, tempfile.TemporaryDirectory() as scratch:
            model = AutoGluonModel(fit(Path(scratch), fold.train), _BARE)
            middle = model.log_count(matrix[fold.test])
        return BlockForecast(middle, middle, middle)

    validated = validate(hours, folds, of_fold, settings.coverage, progress)
    (folder / CARD).unlink(missing_ok=True)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    fit(folder / FOLDER, np.ones(len(hours), bool))
    card = Card(
        days=tuple(np.unique(hours.day).tolist()),
        settings={"algorithm": ALGORITHM, **asdict(settings)},
        coverage=settings.coverage,
        widening=validated.widening,
        metrics={**validated.metrics, "training_seconds": time.perf_counter() - started},
        folds=tuple(score.described() for score in validated.folds),
        importance={},
        data=dict(data or {}),
    )
    text = json.dumps({**asdict(card), "features": list(FEATURES)}, indent=1, allow_nan=False)
    write_atomically(folder / CARD, text + "\n")
    return card, validated


def _fit(
    predictor: Any,
    matrix: NDArray[np.float64],
    target: NDArray[np.float64],
    seconds: float,
    presets: str,
) -> Any:
    with tempfile.TemporaryDirectory() as scratch:
        table = _table(Path(scratch), matrix, target)
        try:
            return predictor.fit(table, time_limit=seconds, presets=presets)
        except Exception as error:
            raise TrainingError(f"AutoGluon could not fit the hours: {error}") from error


def _seconds_of_a_fit(time_limit: int, *, fits: int) -> float:
    if time_limit < MIN_FIT_SECONDS * fits:
        raise TrainingError(
            f"AutoGluon fits {fits} times and needs {MIN_FIT_SECONDS} seconds for each: "
            f"give a time limit of {MIN_FIT_SECONDS * fits} at least, or fewer folds."
        )
    return time_limit / fits


_BARE = Card(days=(), settings={}, coverage=0.9, widening=0.0, metrics={})


def _table(
    folder: Path, matrix: NDArray[np.float64], target: NDArray[np.float64] | None = None
) -> str:
    """Write a feature matrix as CSV with a header, NaN an empty cell; return the file's path.

    AutoGluon reads a file by its path, so that this module needs no pandas.
    """
    header = [*FEATURES, *([] if target is None else [LABEL])]
    columns = matrix if target is None else np.column_stack([matrix, target])
    path = folder / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(header)
        for row in columns.tolist():
            rows.writerow(["" if math.isnan(value) else repr(value) for value in row])
    return str(path)
