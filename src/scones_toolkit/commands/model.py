"""The tasks that train, tune and choose a model: their flags and their help."""

from typing import Annotated, Literal

import scones_toolkit.tasks as do
from scones_core.errors import ReleaseError
from scones_toolkit import cli as flags
from scones_toolkit.cli import GoesWith, task
from scones_toolkit.project import Environment, Project

# The built-in algorithm has a section of its own in scones.toml for its hyperparameters.
OWN_RECIPE = GoesWith("algorithm", ("scones",))
ON_SAGEMAKER = GoesWith("backend", ("sagemaker",))


@task("inv etl --env dev --source ~/vehicles --classes van,bicycle --image-side 224")
def etl(
    project: Project,
    *,
    source: flags.Source = None,
    classes: flags.Classes = None,
    add: Annotated[
        str | None,
        "further training images: folder, or answers in S3; --source is then the last one",
    ] = None,
    image_side: flags.ImageSide = None,
    image_mode: flags.ImageMode = None,
    recordio: Annotated[bool, "also write MXNet's .rec and .idx files"] = False,
) -> None:
    """Stage a dataset: read the images, split them, write them to the data bucket."""
    images = {"image_side": image_side, "image_mode": image_mode, "recordio": recordio or None}
    do.etl.etl(project, source, classes, add, **images)


@task("inv train --env dev --spot")
def train(
    project: Project,
    *,
    backend: flags.Backend = "sagemaker",
    algorithm: Annotated[Literal["scones", "builtin"], "builtin: SageMaker's own"] = "scones",
    source: flags.Source = None,
    classes: flags.Classes = None,
    image_side: flags.ImageSide = None,
    image_mode: flags.ImageMode = None,
    recipe: Annotated[
        Literal["auto", "pretrained", "scratch"] | None,
        "auto: pretrained for colour images, scratch for grey ones",
        OWN_RECIPE,
    ] = None,
    epochs: Annotated[flags.Epochs, OWN_RECIPE] = None,
    folds: Annotated[
        int | None, "cross-validation folds; 0: only the validation images", OWN_RECIPE
    ] = None,
    seed: Annotated[int | None, "random seed", OWN_RECIPE] = None,
    max_steps: Annotated[int | None, "bounds each network's optimiser steps", OWN_RECIPE] = None,
    no_flip: Annotated[bool, "no horizontal-flip augmentation (digits, text)", OWN_RECIPE] = False,
    weights: Annotated[
        str | None, "file with EfficientNet-Lite0 or ResNet-18 weights", OWN_RECIPE
    ] = None,
    spot: Annotated[
        bool, "use managed spot instances, which may be interrupted", ON_SAGEMAKER
    ] = False,
    resume: Annotated[str, "interrupted SageMaker job to continue from its last checkpoint"] = "",
) -> None:
    """Train a model: as a SageMaker job on the staged dataset, or on this host on local images.

    --source, --classes, --image-side and --image-mode go with --backend local.
    """
    do.train.train(
        project,
        backend=backend,
        algorithm=algorithm,
        source=source,
        images={"classes": classes, "image_side": image_side, "image_mode": image_mode},
        resume=resume,
        recipe=recipe,
        epochs=epochs,
        folds=folds,
        seed=seed,
        max_steps=max_steps,
        horizontal_flip=False if no_flip else None,
        weights=weights,
        spot=spot or None,
    )


@task("inv tune --env dev --strategy bayesian --jobs 20")
def tune(
    project: Project,
    *,
    backend: flags.Backend = "sagemaker",
    strategy: Annotated[Literal["bayesian", "random"], "search strategy"] = "bayesian",
    jobs: Annotated[int, "number of trainings"] = 10,
    parallel: Annotated[
        int, "trainings at the same time, with --backend sagemaker", ON_SAGEMAKER
    ] = 2,
    source: flags.Source = None,
    classes: flags.Classes = None,
    image_side: flags.ImageSide = None,
    image_mode: flags.ImageMode = None,
    epochs: flags.Epochs = None,
) -> None:
    """Search learning rates, batch size and label smoothing; the best model becomes a candidate.

    --source, --classes, --image-side and --image-mode go with --backend local.
    """
    do.tune.tune(
        project,
        backend=backend,
        strategy=strategy,
        jobs=jobs,
        parallel=parallel,
        source=source,
        images={"classes": classes, "image_side": image_side, "image_mode": image_mode},
        epochs=epochs,
    )


@task("inv retrain --env dev --min-new-images 50")
def retrain(
    project: Project,
    *,
    min_new_images: Annotated[int, "new labelled images that a run needs; 0: train anyway"] = 1,
) -> None:
    """Retrain the active model with the reviewers' answers; a better one is proposed."""
    do.retraining.retrain(project, min_new_images=min_new_images)


@task("inv evaluate --env dev --target endpoint")
def evaluate(
    project: Project,
    *,
    artifact: Annotated[str | None, "s3:// location; default: the last training job's"] = None,
    target: Annotated[Literal["artifact", "endpoint"], "endpoint: the deployed one"] = "artifact",
) -> None:
    """Score a model on its test images, by itself or through the deployed endpoint."""
    do.evaluation.evaluate(project, artifact=artifact, target=target)


@task("inv candidates --env dev")
def candidates(project: Project) -> None:
    """List the trained models: metrics, data, code, and approval status."""
    do.candidates.candidates(project)


@task("inv approve 3 --env dev --note 'better on wet roads'")
def approve(
    project: Project,
    candidate: Annotated[int, "its number in `inv candidates`"],
    *,
    reject: Annotated[bool, "reject it instead"] = False,
    note: Annotated[str, "the reason, kept with the decision"] = "",
) -> None:
    """Approve a candidate for release, or reject it."""
    do.candidates.approve(project, candidate, reject=reject, note=note)


@task("inv release --env dev")
def release(
    project: Project,
    *,
    candidate: Annotated[int | None, "its number; default: the last training job's"] = None,
    artifact: Annotated[str | None, "a candidate's s3:// location, instead of its number"] = None,
    override_gate: Annotated[str, "reason to release a model that the quality gate refuses"] = "",
    allow_synthetic: Annotated[bool, "accept a model trained on synthetic images"] = False,
    proposed: Annotated[bool, "approve and release the last retraining's proposal"] = False,
    share: Annotated[
        float | None, "share of the requests that it answers as a challenger, 0 to 1"
    ] = None,
) -> None:
    """Write an approved model into the release manifest that Terraform deploys.

    It must reach the limits under [quality], and not be worse than the active release. With
    --share it is not made the active one, but its challenger: see `inv challenger`.
    """
    if proposed:
        if candidate is not None or artifact is not None:
            raise ReleaseError("--proposed names the candidate: leave --candidate and --artifact.")
        # A workflow's checkout is not connected to the state yet.
        do.deploy.prepare(project)
        do.retraining.release_proposed(
            project, gate_override=override_gate, allow_synthetic=allow_synthetic, share=share
        )
        return
    do.releases.release(
        project,
        candidate=candidate,
        artifact=artifact,
        gate_override=override_gate,
        allow_synthetic=allow_synthetic,
        share=share,
    )


@task("inv challenger --env dev --release 20261129-074748-679c --share 0.2")
def challenger(
    project: Project,
    *,
    release: Annotated[str | None, "id of the release that challenges the active one"] = None,
    share: Annotated[float | None, "share of the requests that it answers, 0 to 1"] = None,
    promote: Annotated[bool, "make it the active release, if labels show it is not worse"] = False,
    end: Annotated[bool, "remove it: the active release answers all requests again"] = False,
) -> None:
    """Compare a release with the active one on a share of requests; without flags: show both.

    The labels decide, by a rule that allows to look as often as one likes. Each change is written
    into the release manifest; `inv apply` deploys it.
    """
    do.challenger.challenger(project, release=release, share=share, promote=promote, end=end)


@task("inv releases --env dev")
def releases(
    project: Project,
    *,
    drop: Annotated[tuple[str, ...], "id of a release to remove"] = (),
) -> None:
    """List the releases: which is deployed, its metrics and data source."""
    do.releases.list_releases(project, drop=drop)


@task("inv rollback r-20260101-120000 --env dev")
def rollback(project: Project, release: Annotated[str, "id of the release to go back to"]) -> None:
    """Make an earlier release the active one; `inv apply` deploys it."""
    do.releases.rollback(project, release)


@task("inv fetch --env dev")
def fetch(project: Project, *, release: flags.ReleaseId = None) -> None:
    """Download a release's model artifact into the cache, and verify its SHA-256."""
    do.releases.fetch(project, release=release)


@task("inv promote --from dev --to prod", local=True)
def promote(
    project: Project,
    *,
    from_: Annotated[Environment, "environment that has the release"] = "dev",
    to: Annotated[Environment, "environment that gets it"] = "prod",
    release: flags.ReleaseId = None,
) -> None:
    """Copy a release and its model artifact from one environment to another."""
    source, target = (Project.open(project.root, name) for name in (from_, to))
    do.releases.promote(source, target, release=release)
