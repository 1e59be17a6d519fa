"""The task that searches hyperparameters: by SageMaker, or here."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from local_aws.hyperparameter_search import Trial as Place
from local_aws.hyperparameter_search import parse_ranges, search_for
from scones_core.errors import SettingsError, TrainingJobFailed
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl
from scones_toolkit.tasks.training import candidates
from scones_toolkit.tasks.training.local import run_training, write_channels
from scones_toolkit.tasks.training.requests import data_hash, own_request, recipe, serving_image
from scones_train.model_folder import read_artifact
from scones_train.sagemaker.model_package import Training
from scones_train.sagemaker.registry import Candidate
from scones_train.sagemaker.role_and_quota_checks import require_quota, require_role
from scones_train.sagemaker.training_job_request import job_name
from scones_train.sagemaker.tuning_job import search, training
from scones_train.sagemaker.tuning_job_request import (
    NAME_CHARACTERS,
    OBJECTIVE,
    RANGES,
    STRATEGIES,
    Trial,
    best,
    parameter_ranges,
    ranked,
    require_search,
    tuning_request,
)


def tune(
    project: Project,
    *,
    backend: Literal["sagemaker", "local"] = "sagemaker",
    strategy: str = "bayesian",
    jobs: int = 10,
    parallel: int = 2,
    source: str | None = None,
    images: Mapping[str, Any] | None = None,
    epochs: int | None = None,
) -> Trial:
    """Search hyperparameters, print the leaderboard, and return the best trial.

    By SageMaker the best model becomes a candidate; here it is left in
    `build/<environment>/tuning/best`. Raises SettingsError and TrainingError for a search that
    there is not.
    """
    given = source is not None or any(value is not None for value in (images or {}).values())
    if backend == "sagemaker" and given:
        raise SettingsError(
            "--source, --classes, --image-side and --image-mode go with --backend local; else `inv "
            "etl` takes them, and the jobs train on what it staged."
        )
    if project.settings.training.weights:
        raise SettingsError(
            "A search trains this project's own network; remove [training] weights for it."
        )
    require_search(strategy, jobs, min(parallel, jobs))
    project = replace(project, settings=project.settings.override("training", epochs=epochs))
    if backend == "local":
        return tune_locally(project, strategy, jobs, source, images)
    return tune_on_sagemaker(project, strategy, jobs, min(parallel, jobs))


def tune_on_sagemaker(project: Project, strategy: str, jobs: int, parallel: int) -> Trial:
    """Search by a tuning job, make the best model a candidate, and return its trial."""
    request = own_request(project, project.settings.training)
    require_role(project.client("iam"), request.role_arn, project.console.warn)
    if project.environment != "local":
        require_quota(project.client("service-quotas"), request.compute, project.console.warn)
    seed = project.settings.training.seed
    name = job_name("scones", datetime.now(UTC))[:NAME_CHARACTERS]
    job_request = tuning_request(request, name, strategy, jobs=jobs, at_once=parallel, seed=seed)
    sagemaker = project.client("sagemaker")
    trials = searched(project, sagemaker, job_request)
    found = _leaderboard(project, trials)
    url, metrics = training(sagemaker, found.name)
    _register(project, found, url, metrics)
    return found


def searched(project: Project, sagemaker: Any, request: Mapping[str, Any]) -> list[Trial]:
    """Return the trainings of a search by a tuning job; an interrupt says that it is stopped."""
    try:
        with project.console.progress("searching") as advance:
            return search(sagemaker, request, progress=advance)
    except KeyboardInterrupt:
        project.console.say(
            f"  The search {request['HyperParameterTuningJobName']} is being stopped, with its "
            "trainings; none of them becomes a candidate."
        )
        raise


def _register(project: Project, found: Trial, url: str, metrics: dict[str, float]) -> Candidate:
    manifest = etl.current(project)
    project.records.write(
        "training", {"job_name": found.name, "model_data_url": url, "metrics": metrics}
    )
    made = Training(
        job=found.name,
        image=serving_image(project),
        model_data_url=url,
        metrics=metrics,
        dataset_version=manifest.version,
        manifest_sha256=data_hash(manifest),
        commit=candidates.commit(project.root),
        data_source=manifest.source["kind"],
    )
    return candidates.register(project, made)


def tune_locally(
    project: Project,
    strategy: str,
    jobs: int,
    source: str | None = None,
    images: Mapping[str, Any] | None = None,
) -> Trial:
    """Search on this host, without any AWS, and keep the best model.

    One training after the other, in the same ranges and by the embedded AWS's strategies.
    `images` are further arguments of `etl.extract`.
    """
    staged = etl.extract(project, source, **(images or {}))
    base = project.build / project.environment / "tuning"
    write_channels(staged, base)
    settings = project.settings.training
    plain = recipe(staged.manifest, settings).strings()
    ranges = parse_ranges(parameter_ranges())
    looking = search_for(STRATEGIES[strategy], ranges, settings.seed)
    trials, places = list[Trial](), list[Place]()
    with project.console.progress("searching") as advance:
        while len(trials) < jobs and (point := looking.next(places)) is not None:
            values = {each.name: each.value(at) for each, at in zip(ranges, point, strict=True)}
            trial = _tried(base, f"trial-{len(trials) + 1}", plain, values)
            trials.append(trial)
            places.append(Place(point, trial.objective))
            if trial.objective is not None and best(trials) is trial:
                _keep(base)
            advance(len(trials), jobs)
    found = _leaderboard(project, trials)
    project.console.say(f"  The best model is {base / 'best'}.")
    return found


def _tried(base: Path, name: str, plain: dict[str, str], values: dict[str, str]) -> Trial:
    try:
        card = run_training(base, {**plain, **values}, lambda _: None)
    except TrainingJobFailed:
        return Trial(name, values, None, "Failed")
    return Trial(name, values, card.metrics[OBJECTIVE])


def _keep(base: Path) -> None:
    """Make the model of the last training the best one; a reader sees one or the other."""
    read_artifact(base / "model")
    shutil.rmtree(base / "best", ignore_errors=True)
    (base / "model").rename(base / "best")


def _leaderboard(project: Project, trials: Sequence[Trial]) -> Trial:
    found = best(trials)
    names = [each.name for each in RANGES]
    rows = [
        (
            trial.name,
            trial.status if trial.objective is None else f"{trial.objective:.4f}",
            *(f"{float(trial.values.get(name, 'nan')):.4g}" for name in names),
        )
        for trial in ranked(trials)
    ]
    title = "By the accuracy on images held out of each training, the test images apart"
    project.console.grid(title, ("training", "accuracy", *names), rows)
    return found
