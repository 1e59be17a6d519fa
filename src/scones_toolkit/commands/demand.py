"""The tasks that forecast the demand of each hour: their flags and their help."""

from pathlib import Path
from typing import Annotated, Literal

import scones_toolkit.tasks as do
from scones_toolkit.cli import GoesWith, task
from scones_toolkit.project import Project

OWN_MODEL = GoesWith("algorithm", ("scones",))


@task("inv demand.etl --source ~/bike-sharing")
def etl(
    project: Project,
    *,
    source: Annotated[
        str | None,
        "CSV, folder with train.csv and test.csv, or synthetic; default: synthetic, if nothing "
        "else is staged",
    ] = None,
) -> None:
    """Stage hourly demand: read the rows, count what is left out, keep them for training."""
    do.forecast.etl(project, source)


@task("inv demand.train --env dev --backend sagemaker")
def train(
    project: Project,
    *,
    backend: Annotated[
        Literal["local", "sagemaker"],
        "local: on this host, without AWS; sagemaker: as a training job",
    ] = "local",
    algorithm: Annotated[
        Literal["scones", "autogluon", "builtin"],
        "autogluon: AutoGluon, if installed; builtin: SageMaker's AutoGluon image",
    ] = "scones",
    seed: Annotated[int, "random seed", OWN_MODEL] = 0,
    coverage: Annotated[str, "share of hours that the prediction interval holds"] = "0.9",
    max_iter: Annotated[int, "boosting iterations", OWN_MODEL] = 160,
    fold_every: Annotated[int, "months from one fold to the next"] = 1,
    time_limit: Annotated[
        int, "seconds for all of AutoGluon's fits", GoesWith("algorithm", ("autogluon", "builtin"))
    ] = 600,
) -> None:
    """Train the demand forecast on the staged hours, and validate it on blocks of later days."""
    chosen = do.forecast.settings_of(
        algorithm,
        seed=seed,
        coverage=coverage,
        max_iter=max_iter,
        fold_every=fold_every,
        time_limit=time_limit,
    )
    do.forecast.train(project, chosen, backend=backend, algorithm=algorithm)


@task("inv demand.tune --trials 30")
def tune(
    project: Project,
    *,
    trials: Annotated[int, "sets of hyperparameters to try"] = 20,
    seed: Annotated[int, "random seed"] = 0,
    fold_every: Annotated[int, "for the best one: months from one fold to the next"] = 1,
) -> None:
    """Search the hyperparameters of the demand forecast, and train a model by the best."""
    do.forecast.tune(project, do.forecast.settings(seed=seed, fold_every=fold_every), trials=trials)


@task("inv demand.candidates --env dev")
def candidates(project: Project) -> None:
    """List the demand models of training jobs, with metrics and approval status."""
    do.jobs.list_candidates(project)


@task("inv demand.approve 3 --env dev --note 'better on rainy days'")
def approve(
    project: Project,
    candidate: Annotated[int, "its number in `inv demand.candidates`"],
    *,
    reject: Annotated[bool, "reject it instead"] = False,
    note: Annotated[str, "the reason, kept with the decision"] = "",
) -> None:
    """Approve or reject a demand model, and print the setting that deploys it."""
    do.jobs.approve(project, candidate, reject=reject, note=note)


@task("inv demand.evaluate")
def evaluate(project: Project) -> None:
    """Compare the demand forecast with simpler models, on the same blocks of days."""
    do.forecast.evaluate(project)


@task("inv demand.forecast --source test.csv --out submission.csv")
def forecast(
    project: Project,
    *,
    source: Annotated[
        str | None, "CSV with the hours to forecast; default: the staged ones"
    ] = None,
    out: Annotated[Path, "the file to write, in the competition's format"] = Path("submission.csv"),
) -> None:
    """Forecast the riders of each hour of a file."""
    do.forecast.forecast(project, source=source, out=out)


@task("inv demand.report --open")
def report(
    project: Project,
    *,
    out: Annotated[Path | None, "the page; default: in build/<env>/demand"] = None,
    open: Annotated[bool, "open the page in a browser"] = False,
) -> None:
    """Write the page about the demand forecast: scores, a week, errors, feature importance."""
    do.forecast.report(project, out=out, in_browser=open)
