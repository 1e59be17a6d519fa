"""The tasks around the demand forecast: hours in, a model, forecasts and a page out."""

import shutil
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scones_core.errors import DatasetError, SconesError, SettingsError, TrainingError
from scones_core.files import sha256_of, write_atomically
from scones_demand import autogluon
from scones_demand import baselines as simple
from scones_demand.features import feature_matrix
from scones_demand.fit import DemandSettings, fit_fold, permutation_importance
from scones_demand.fit import train as fit_model
from scones_demand.forecast_files import read_held_out, to_csv, write_held_out
from scones_demand.generator import competition_split, generate_hours
from scones_demand.hours import Exclusions, Hours, read_hours, write_hours
from scones_demand.model import Card, DemandModel
from scones_demand.page import DemandReport, write_page
from scones_demand.search import SEARCHED, search
from scones_demand.validation import blocked_folds, validate
from scones_toolkit.console import plural
from scones_toolkit.project import Project

Backend = Literal["local", "sagemaker"]
Algorithm = Literal["scones", "autogluon", "builtin"]
SYNTHETIC = "synthetic"
SYNTHETIC_DAYS = 365
DATA, TRAINING = "demand/data", "demand/training"
Settings = DemandSettings | autogluon.AutoGluonSettings
# Each algorithm's line in the leaderboard.
LINES: dict[Algorithm, str] = {
    "scones": "gradient boosting",
    "autogluon": "AutoGluon",
    "builtin": "AutoGluon in AWS's image",
}


def settings(**given: Any) -> DemandSettings:
    """Return the hyperparameters that a task's flags give; raises TrainingError."""
    return DemandSettings.parse({name: str(value) for name, value in given.items()})


def settings_of(algorithm: Algorithm, **given: Any) -> Settings:
    """Return the settings of an algorithm, of flags that are all algorithms' together."""
    kind = DemandSettings if algorithm == "scones" else autogluon.AutoGluonSettings
    names = {field.name for field in fields(kind)}
    return kind.parse({name: str(value) for name, value in given.items() if name in names})


def folder(project: Project) -> Path:
    """Return where this environment keeps hours, model, forecasts and page."""
    return project.build / project.environment / "demand"


def etl(project: Project, source: str | None = None) -> Hours:
    """Read hours, print what was left out, and stage them for training; return the known ones.

    `source` is a CSV file, a folder with `train.csv` and perhaps `test.csv`, or `synthetic`, the
    default. Raises SettingsError where the default would replace a person's own hours, and
    DatasetError for files that cannot be used or that overlap.
    """
    if source is None:
        source = SYNTHETIC
        _require_no_own_hours(project)
        project.console.say("  No --source is given: these hours are generated.")
    known, asked = _read(source)
    if asked is not None:
        _require_apart(known, asked)
    base = folder(project)
    write_hours(base / "train.csv", known)
    (base / "test.csv").unlink(missing_ok=True)
    if asked is not None:
        write_hours(base / "test.csv", asked)
    record = {
        "source": source,
        "sha256": sha256_of(base / "train.csv"),
        "synthetic": source == SYNTHETIC,
        "known": asdict(known.excluded),
        "asked": asdict(asked.excluded) if asked is not None else None,
    }
    project.records.write(DATA, record)
    for hours in (known, asked):
        if hours is not None:
            _print_hours_read(project, hours)
    project.hint("demand.train")
    return known


def _require_no_own_hours(project: Project) -> None:
    """Raise SettingsError where hours that somebody brought are staged."""
    if not project.records.path(DATA).exists():
        return
    record = project.records.read(DATA)
    if not record["synthetic"]:
        raise SettingsError(
            f"The hours of {record['source']} are staged, and without --source generated ones "
            f"would replace them: --source {record['source']} reads them again, --source "
            f"{SYNTHETIC} replaces them."
        )


def _read(source: str) -> tuple[Hours, Hours | None]:
    if source == SYNTHETIC:
        return competition_split(generate_hours(days=SYNTHETIC_DAYS))
    path = Path(source).expanduser()
    if not path.is_dir():
        return read_hours(path, known=True), None
    train, test = path / "train.csv", path / "test.csv"
    if not train.is_file():
        raise DatasetError(f"The folder {source} has no train.csv; give that, or a CSV file.")
    return (
        read_hours(train, known=True),
        read_hours(test, known=False) if test.exists() else None,
    )


def _require_apart(known: Hours, asked: Hours) -> None:
    """Raise DatasetError where the file to forecast has hours whose demand is known."""
    both = np.isin(asked.hour, known.hour)
    if both.any():
        raise DatasetError(
            f"{asked.place(int(np.argmax(both)))} is in {known.name} too, as {int(both.sum()):,} "
            f"of its {len(asked):,} hours are; a forecast of known hours says nothing. Leave them "
            "out of one file."
        )


def _print_hours_read(project: Project, hours: Hours) -> None:
    purpose = "with their demand" if hours.known else "to forecast"
    project.console.say(f"  {plural(len(hours), 'hour')} {purpose} from {hours.name}")
    for text, count in hours.excluded.counts().items():
        project.console.say(f"    {text}: {count:,}")


def staged(project: Project) -> Hours:
    """Return the hours that were staged last; raises SconesError, naming the task, without any.

    What the source had besides usable rows stays with them.
    """
    record = project.records.read(DATA)
    hours = read_hours(folder(project) / "train.csv", known=True)
    return replace(hours, name=str(record["source"]), excluded=Exclusions(**record["known"]))


def train(
    project: Project,
    chosen: Settings,
    *,
    backend: Backend = "local",
    algorithm: Algorithm = "scones",
) -> Card:
    """Train on the staged hours, here or by a SageMaker job; return the model's card.

    The model is kept for forecasts, except AWS's built-in algorithm's: it stays in S3, and its
    score is a row of the leaderboard. Raises SettingsError for flags that do not go together.
    """
    if algorithm == "builtin" and backend == "local":
        raise SettingsError(
            "The built-in algorithm is a container of Amazon's: it trains by --backend sagemaker."
        )
    if algorithm == "autogluon" and backend == "sagemaker":
        raise SettingsError(
            "--algorithm autogluon trains on this host; a SageMaker job trains by AutoGluon with "
            "--algorithm builtin."
        )
    hours, target = staged(project), folder(project) / "model"
    started = time.perf_counter()
    if backend == "sagemaker":
        card = _train_there(project, chosen, target)
    else:
        card = _train_here(project, hours, chosen, target)
    _record(project, algorithm, card, time.perf_counter() - started)
    _print_score(project, card)
    project.hint("demand.report", "demand.forecast")
    return card


def _train_there(project: Project, chosen: Settings, target: Path) -> Card:
    from scones_toolkit.tasks.demand.jobs import train_builtin, train_by_job

    hours = folder(project) / "train.csv"
    if isinstance(chosen, autogluon.AutoGluonSettings):
        return train_builtin(project, hours, chosen, target)
    source = SYNTHETIC if project.records.read(DATA)["synthetic"] else "csv"
    return train_by_job(project, hours, chosen, target, data_source=source).card


def _train_here(project: Project, hours: Hours, chosen: Settings, target: Path) -> Card:
    data = project.records.read(DATA)
    with project.console.progress("training") as advance:

        def progress(done: int, total: int, score: float) -> None:
            advance(done, total, f"RMSLE {score:.4f}")

        if isinstance(chosen, autogluon.AutoGluonSettings):
            card, validated = autogluon.train(hours, chosen, target, progress, data=data)
            write_held_out(target, hours, validated)
            return card
        model, validated = fit_model(hours, chosen, progress, data=data)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    write_held_out(target, hours, validated)
    model.write(target)
    return model.card


def _record(project: Project, algorithm: Algorithm, card: Card, seconds: float) -> None:
    """Add a training to the leaderboard and, where its model is kept, to the versions."""
    versions, score = _versions(project), card.metrics["rmsle"]
    staged_now = project.records.read(DATA)
    hours = sum(fold["hours"] for fold in card.folds)
    if algorithm != "builtin":
        version = {
            "version": len(versions) + 1,
            "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            "rmsle": score,
            "hours": hours,
            "seconds": seconds,
            "sha256": staged_now["sha256"],
            "source": staged_now["source"],
            "algorithm": algorithm,
            "settings": dict(card.settings),
        }
        versions = [*versions, version]
    board = _with_row(_board(project), LINES[algorithm], score, seconds, hours)
    _write_training(project, versions, board)


def _write_training(project: Project, versions: list[Any], board: list[Any]) -> None:
    record = {
        "sha256": project.records.read(DATA)["sha256"],
        "versions": versions,
        "leaderboard": board,
    }
    project.records.write(TRAINING, record)


def _versions(project: Project) -> list[Any]:
    path = project.records.path(TRAINING)
    return list(project.records.read(TRAINING)["versions"]) if path.exists() else []


def _board(project: Project) -> list[Any]:
    """Return the leaderboard of the staged hours; scores of other hours do not compare."""
    if not project.records.path(TRAINING).exists():
        return []
    record = project.records.read(TRAINING)
    return list(record["leaderboard"]) if _is_of_staged(project, record) else []


def _is_of_staged(project: Project, record: Mapping[str, Any]) -> bool:
    """Return whether a training was of the hours that are staged; earlier records do not say."""
    staged_now = project.records.read(DATA)["sha256"]
    return bool(record.get("sha256", staged_now) == staged_now)


def _require_of_staged(project: Project, card: Card) -> None:
    """Raise TrainingError where other hours were staged since the model was trained."""
    record = project.records.read(TRAINING)
    if not _is_of_staged(project, record) or not _is_of_staged(project, card.data or {}):
        raise TrainingError(
            f"Other hours were staged since the training: inv demand.train{project.env_flag}"
        )


def _with_row(board: list[Any], name: str, *figures: float) -> list[Any]:
    """Return the leaderboard with a row of RMSLE, seconds and hours scored, the best first."""
    rows = [row for row in board if row[0] != name]
    return sorted([*rows, [name, *figures]], key=lambda row: float(row[1]))


def _print_score(project: Project, card: Card) -> None:
    found = card.metrics
    project.console.table(
        "On blocks of days: of each, and of what came after, the model had seen nothing",
        {
            "RMSLE": f"{found['rmsle']:.4f}",
            "worst block": f"{found['worst_fold_rmsle']:.4f}",
            "mean absolute error": f"{found['mean_absolute_error']:.1f} riders an hour",
            f"{card.coverage:.0%} interval holds": f"{found['interval_coverage']:.3f}",
            "blocks": f"{found['folds']:.0f}",
        },
    )


def tune(project: Project, chosen: DemandSettings, *, trials: int) -> Card:
    """Search hyperparameters, print the leaderboard, and train a model by the best."""
    hours = staged(project)
    with project.console.progress("searching") as advance:
        found = search(
            hours,
            chosen,
            trials,
            lambda done, total, score: advance(done, total, f"RMSLE {score:.4f}"),
        )
    rows = [
        (f"{trial.rmsle:.4f}", *(f"{trial.values[name]:.4g}" for name in SEARCHED))
        for trial in found[:10]
    ]
    project.console.grid("The best by every fourth block", ("RMSLE", *SEARCHED), rows)
    return train(project, replace(chosen, **found[0].values))


def _rows(board: list[Any]) -> list[tuple[str, float, float, int]]:
    """Return the leaderboard's rows; an earlier record does not have the hours scored."""
    return [(row[0], row[1], row[2], int(row[3]) if len(row) > 3 else 0) for row in board]


def evaluate(project: Project) -> None:
    """Score the model and simpler learners on the same blocks, and print the leaderboard."""
    model, hours = _model(project), staged(project)
    _require_of_staged(project, model.card)
    own = isinstance(model, DemandModel)
    chosen = DemandSettings(**model.card.settings) if own else DemandSettings()
    matrix, folds = feature_matrix(hours), blocked_folds(hours, every=chosen.fold_every)
    learners = dict(simple.baselines(hours))
    trees = replace(chosen, max_iter=max(1, chosen.max_iter // 4))
    learners["gradient boosting, a quarter of the trees"] = lambda fold: fit_fold(
        hours, matrix, fold, trees
    )
    board = _board(project)
    with project.console.progress("evaluating") as advance:
        for number, (name, learner) in enumerate(learners.items()):
            started = time.perf_counter()
            scored = validate(hours, folds, learner, chosen.coverage)
            seconds = time.perf_counter() - started
            board = _with_row(board, name, scored.metrics["rmsle"], seconds, len(scored.position))
            advance(number + 1, len(learners), name)
    _write_training(project, _versions(project), board)
    rows = [(n, f"{score:.4f}", f"{hours:,}", f"{s:.1f}") for n, score, s, hours in _rows(board)]
    header = ("model", "RMSLE", "hours scored", "seconds")
    project.console.grid("By blocks of later days", header, rows)
    _print_score(project, model.card)
    project.hint("demand.report")


def _model(project: Project) -> DemandModel | autogluon.AutoGluonModel:
    """Return the model that was trained last; raises SconesError, naming the task, without one."""
    project.records.read(TRAINING)
    path = folder(project) / "model"
    kind = autogluon.AutoGluonModel if autogluon.is_autogluon(path) else DemandModel
    return kind.read(path)


def forecast(project: Project, *, source: str | None, out: Path) -> None:
    """Forecast the hours of a file and write them in the competition's format.

    Without `source`, of the hours that were staged to be forecast. Raises DatasetError for a file
    that cannot be used, or that has days which were trained on, and TrainingError where the model
    is not of the staged hours.
    """
    path = Path(source).expanduser() if source else folder(project) / "test.csv"
    if source is None and not path.exists():
        raise SconesError("No hours to forecast were staged: give a file with --source.")
    model = _model(project)
    if source is None:
        _require_of_staged(project, model.card)
    hours = read_hours(path, known=False)
    model.require_new(hours)
    project.require_writable(out, read=path)
    _print_hours_read(project, hours)
    write_atomically(out, to_csv(hours, model.forecast(hours), interval=False))
    project.console.say(f"  {out}: {plural(len(hours), 'row')}, {_trained_on(project)}")


def _trained_on(project: Project) -> str:
    """Return which model forecasts, in words; an earlier record does not have its source."""
    last = _versions(project)[-1]
    of = f", trained on {last['source']}" if "source" in last else ""
    return f"by the model of {last['made']}{of}"


def report(project: Project, *, out: Path | None = None, in_browser: bool = False) -> Path:
    """Write the page about the model that was trained last, and return its path."""
    if out is not None:
        project.require_writable(out)
    model, hours = _model(project), staged(project)
    data, record = project.records.read(DATA), project.records.read(TRAINING)
    _require_of_staged(project, model.card)
    validated = read_held_out(folder(project) / "model", hours, model.card)
    path = out or folder(project) / "report.html"
    with project.console.working("measuring what the model relies on"):
        importance = permutation_importance(model, hours)
    asked = {"hours to forecast": Exclusions(**data["asked"])} if data["asked"] else {}
    found = DemandReport(
        environment=project.environment,
        generated=datetime.now(UTC),
        hours=hours,
        card=model.card,
        validated=validated,
        importance=importance,
        leaderboard=_rows(record["leaderboard"]),
        versions=[
            (f"{v['version']} ({v['made']})", v["rmsle"], v.get("hours", 0))
            for v in record["versions"]
            if _is_of_staged(project, v)
        ],
        synthetic=bool(data["synthetic"]),
        asked=asked,
    )
    write_page(path, found)
    project.console.say(f"  {path}")
    if in_browser:
        webbrowser.open(path.resolve().as_uri())
    project.hint("demand.train", "demand.forecast")
    return path
