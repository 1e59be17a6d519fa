"""The task that trains a model: here or on SageMaker, by this project's recipe or Amazon's."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from botocore.exceptions import ClientError

from scones_core.errors import SettingsError, TrainingError
from scones_core.model_card import ModelCard
from scones_toolkit.console import ProgressCallback
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl
from scones_toolkit.tasks.training import candidates
from scones_toolkit.tasks.training import requests as training_requests
from scones_toolkit.tasks.training.local import (
    figures,
    print_confusions,
    run_training,
    write_channels,
)
from scones_toolkit.tasks.training.requests import (
    builtin_request,
    data_hash,
    own_request,
    recipe,
    serving_image,
)
from scones_train.sagemaker.metric_lines import parse_line
from scones_train.sagemaker.model_package import Training
from scones_train.sagemaker.registry import Candidate
from scones_train.sagemaker.role_and_quota_checks import require_quota, require_role
from scones_train.sagemaker.sdk_core import SdkSageMaker
from scones_train.sagemaker.sdk_trainer import TrainerSageMaker
from scones_train.sagemaker.training_job import SageMaker, TrainingResult, launch
from scones_train.sagemaker.training_job_request import TrainingRequest

Backend = Literal["sagemaker", "local"]
Algorithm = Literal["scones", "builtin"]
# Of all that a job reports, what a person looks at first.
PRINTED_METRICS = (
    "test_accuracy",
    "test_coverage_at_threshold",
    "test_precision_at_threshold",
    "threshold",
    "validation:accuracy",
)


def train(
    project: Project,
    *,
    backend: Backend = "sagemaker",
    algorithm: Algorithm = "scones",
    source: str | None = None,
    images: Mapping[str, Any] | None = None,
    resume: str = "",
    **flags: int | bool | str | None,
) -> Candidate | ModelCard:
    """Train a model by SageMaker or on this host, print its figures, and return it.

    `flags` replace settings of [training] where they are not None; `images` are further
    arguments of `etl.extract`, for the source. Raises SettingsError for flags that
    do not go together.
    """
    if backend == "local" and algorithm == "builtin":
        raise SettingsError(
            "The built-in algorithm is a container of Amazon's: it trains by --backend sagemaker."
        )
    if resume and (backend, algorithm) != ("sagemaker", "scones"):
        raise SettingsError(
            "--resume names a SageMaker job of this project's recipe; a training by "
            "--backend local goes on by itself, and the built-in algorithm keeps no checkpoints."
        )
    project = replace(project, settings=project.settings.override("training", **flags))
    if backend == "local":
        return train_locally(project, source, images)
    if source is not None or any(value is not None for value in (images or {}).values()):
        raise SettingsError(
            "--source, --classes, --image-side and --image-mode go with --backend local; else `inv "
            "etl` takes them, and the job trains on what it staged."
        )
    return train_on_sagemaker(project, algorithm, resume)


def train_on_sagemaker(
    project: Project, algorithm: Algorithm = "scones", resume: str = ""
) -> Candidate:
    """Run a training job on the staged dataset and return its model as a candidate.

    `resume` is an earlier job whose checkpoints this one goes on from. Raises TrainingError
    before an instance starts where role, quota or hyperparameters do not allow the job.
    """
    settings = project.settings.training
    if resume:
        require_resumable(project.client("sagemaker"), resume)
    if algorithm == "builtin":
        request = builtin_request(project, settings, project.settings.builtin)
    else:
        request = own_request(project, settings, resume)
    require_role(project.client("iam"), request.role_arn, project.console.warn)
    if project.environment != "local":
        require_quota(project.client("service-quotas"), request.compute, project.console.warn)
    result = _launched(project, request)
    manifest = etl.current(project)
    project.records.write(
        "training",
        {
            "job_name": result.job_name,
            "model_data_url": result.model_data_url,
            "metrics": dict(result.metrics),
        },
    )
    return candidates.register(
        project,
        Training(
            job=result.job_name,
            image=request.image_uri if algorithm == "builtin" else serving_image(project),
            model_data_url=result.model_data_url,
            metrics=result.metrics,
            dataset_version=manifest.version,
            manifest_sha256=data_hash(manifest),
            commit=candidates.commit(project.root),
            algorithm=algorithm,
            data_source=manifest.source["kind"],
        ),
    )


def _launched(project: Project, request: TrainingRequest) -> TrainingResult:
    with project.console.progress("training") as advance:

        def follow(done: int, total: int, line: str) -> None:
            _show(advance, done, total, line)

        try:
            result = launch(_sagemaker(project), project.client("logs"), request, progress=follow)
        except KeyboardInterrupt:
            _print_how_to_resume(project, request)
            raise
    found = {name: value for name, value in result.metrics.items() if name in PRINTED_METRICS}
    shown = ", ".join(f"{name} {value:.4g}" for name, value in sorted(found.items()))
    project.console.say(f"  {result.job_name} took {result.seconds:.0f} s: {shown}")
    project.console.say(f"  {result.model_data_url}")
    return result


def require_resumable(sagemaker: Any, job: str) -> None:
    """Raise TrainingError, naming the jobs that can be resumed, where this one cannot."""
    stopped = [
        found["TrainingJobName"]
        for status in ("Stopped", "Failed")
        for found in sagemaker.list_training_jobs(StatusEquals=status)["TrainingJobSummaries"]
    ]
    names = ", ".join(stopped) or "none"
    try:
        status = sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobStatus"]
    except ClientError as error:
        raise TrainingError(
            f"There is no training job {job!r} to resume; interrupted jobs: {names}."
        ) from error
    if status not in ("Stopped", "Failed"):
        raise TrainingError(
            f"Training job {job} is {status}: there is nothing to resume; interrupted jobs: "
            f"{names}."
        )


def _print_how_to_resume(project: Project, request: TrainingRequest) -> None:
    """Name the job that was just stopped, where it keeps checkpoints."""
    newest = project.client("sagemaker").list_training_jobs(
        NameContains=request.name_prefix, SortBy="CreationTime", SortOrder="Descending"
    )["TrainingJobSummaries"]
    if newest and request.own_program:
        job = newest[0]["TrainingJobName"]
        project.console.say(
            f"  {job} is being stopped; to continue it: inv train{project.env_flag} --resume {job}"
        )


def _sagemaker(project: Project) -> SageMaker:
    """Return what training jobs are started with; raises SettingsError for another client."""
    client = project.settings.training.client
    if client == "boto3":
        found: SageMaker = project.client("sagemaker")
        return found
    kinds = {"sdk": SdkSageMaker, "modeltrainer": TrainerSageMaker}
    if client not in kinds:
        raise SettingsError(f"training.client is boto3, {' or '.join(kinds)}, not {client!r}.")
    endpoint = project.environ.get("AWS_ENDPOINT_URL")
    return kinds[client](project.session, endpoint if project.environment == "local" else None)


def _show(advance: ProgressCallback, done: int, total: int, line: str) -> None:
    """Pass a line's own estimate on; one without says nothing of how far all trainings are."""
    left = re.search(r"\bseconds_left=(\d+)", line)
    if left:
        advance(done, total, left=float(left[1]))


def train_locally(
    project: Project, source: str | None = None, images: Mapping[str, Any] | None = None
) -> ModelCard:
    """Run the training program on this host, on a source of images, without any AWS.

    The model is in `build/<environment>/training/model` then. A training that was interrupted
    goes on from its last checkpoint, where images and settings are the same.
    """
    # Reading many images takes minutes, in which a wrong weights file would go unnoticed.
    training_requests.weights_hyperparameters(project.settings.training)
    staged = etl.extract(project, source, **(images or {}))
    base = project.build / project.environment / "training"
    write_channels(staged, base)
    hyperparameters = recipe(staged.manifest, project.settings.training)
    training_requests.place_weights(project.settings.training, base)
    with project.console.progress("training") as advance:
        steps = {"step": 0.0, "steps": 0.0}

        def follow(line: str) -> None:
            if "=" not in line:
                project.console.say(f"  {line}")
            steps.update({n: v for n, v in parse_line(line).items() if n in steps})
            _show(advance, int(steps["step"]), int(steps["steps"]), line)

        try:
            card = run_training(base, hyperparameters.strings(), follow)
        except KeyboardInterrupt:
            project.console.say("  The same command goes on from the training's last checkpoint.")
            raise
    project.console.table(f"{base / 'model'} on its test images", figures(card))
    print_confusions(project.console, card)
    return card
