"""The task that releases a model: through the quality gate, into what Terraform deploys."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from scones_core.errors import MalformedArtifact, ReleaseError
from scones_deploy.artifact import artifact_release
from scones_deploy.release import Release, Releases, activate, add_release
from scones_etl.load import read_manifest
from scones_toolkit import candidates
from scones_toolkit.artifacts import unpacked
from scones_toolkit.project import Project
from scones_train.artifact import read_predictions
from scones_train.evaluation.quality_gate import (
    MIN_COMMON_IMAGES,
    ScoredModel,
    below_active,
    below_limits,
    in_common,
)
from scones_train.sagemaker.registry import Candidate

BUILTIN = "builtin"


def release(
    project: Project,
    *,
    candidate: int | None = None,
    artifact: str | None = None,
    activate_id: str | None = None,
    overrule: str = "",
) -> Releases:
    """Write an approved candidate into the release file and activate it, or an older release.

    The candidate is named by its number or its artifact; else it is the last training's. Raises
    ReleaseError where it is not approved, or does not pass the quality gate, unless `overrule`
    says why it is released all the same; the release then carries that and what the gate said.
    """
    path = project.release_file
    if activate_id is not None:
        releases = activate(path, activate_id)
    else:
        chosen = _approved(project, candidate, artifact)
        made = artifact_release(
            project.client("s3"),
            chosen.training.model_data_url,
            image=chosen.training.image,
            endpoint=project.settings.endpoint,
            now=datetime.now(UTC),
            threshold=project.settings.workflow.threshold,
            card=_card(project, chosen) if chosen.training.algorithm == BUILTIN else None,
        )
        refusals = _refusals(project, made, chosen)
        made = replace(_gated(project, made, refusals, overrule), model_package_arn=chosen.arn)
        releases = add_release(path, made)
    active = releases.releases[releases.active or ""]
    project.console.say(
        f"  release {active.id} is active in {path.relative_to(project.root)}: "
        f"threshold {active.threshold:.4f}, {', '.join(active.labels)}"
    )
    return releases


def _approved(project: Project, version: int | None, artifact: str | None) -> Candidate:
    """Return the candidate that is meant; raises ReleaseError where nobody approved it."""
    registry = candidates.registry(project)
    if version is not None:
        chosen = registry.get(version)
    else:
        chosen = registry.of_artifact(
            artifact or project.records.read("training")["model_data_url"]
        )
    if not chosen.approved:
        raise ReleaseError(
            f"Candidate {chosen.version} is {chosen.status}; look at it by `inv candidates`, and "
            f"`inv approve {chosen.version}` lets it be released."
        )
    return chosen


def _card(project: Project, candidate: Candidate) -> dict[str, Any]:
    """Return what a model of the built-in algorithm, which describes nothing, is released with.

    Raises ReleaseError without a threshold in the settings: nothing has calibrated the model.
    """
    threshold = project.settings.workflow.threshold
    if threshold is None:
        raise ReleaseError(
            f"Candidate {candidate.version} is of the built-in algorithm and has no threshold of "
            "its own; set workflow.threshold."
        )
    origin = candidate.training
    bucket = project.deployment.data_bucket
    return {
        "threshold": threshold,
        # The algorithm's classes are the indexes of the .lst files, in the manifest's order.
        "labels": read_manifest(project.client("s3"), bucket, origin.dataset_version).classes,
        "metrics": dict(origin.metrics),
        "dataset_version": origin.dataset_version,
    }


def _refusals(project: Project, made: Release, candidate: Candidate) -> list[str]:
    """Return a clause for each reason not to release a model."""
    if candidate.training.algorithm == BUILTIN:
        return ["the built-in algorithm keeps no answers for test images to judge it by"]
    scored = _scored(project, made)
    limits = below_limits(scored, project.settings.quality)
    return [*limits, *_against_active(project, scored)]


def _gated(project: Project, made: Release, refusals: list[str], overrule: str) -> Release:
    """Return the release, marked where the gate was overruled; raises ReleaseError."""
    if not refusals:
        return made
    said = "; ".join(refusals)
    if not overrule.strip():
        raise ReleaseError(
            f"The model {made.model_data_url} is not released: {said}. The limits are [quality] "
            "in scones.toml; --overrule '<why>' releases it all the same, and says so for good."
        )
    project.console.warn(f"  The quality gate is overruled ({overrule.strip()}): {said}.")
    return replace(made, overruled=f"{overrule.strip()} (the gate: {said})")


def _against_active(project: Project, candidate: ScoredModel) -> list[str]:
    """Return how the candidate is worse than the active release; says what was not compared."""
    active = project.active_release
    if active is None:
        return []
    try:
        mine, its = in_common(candidate, _scored(project, active))
    except MalformedArtifact as error:
        project.console.warn(f"  Not compared with the active release: {error}")
        return []
    if len(mine.predictions) < MIN_COMMON_IMAGES:
        project.console.warn(
            f"  Not compared with release {active.id}: the two were tested on "
            f"{len(mine.predictions)} common images, and {MIN_COMMON_IMAGES} are needed."
        )
        return []
    return below_active(mine, its, project.settings.quality.significance)


def _scored(project: Project, release: Release) -> ScoredModel:
    with unpacked(project, release.model_data_url) as folder:
        return ScoredModel(read_predictions(folder), release.threshold)
