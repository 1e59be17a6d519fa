"""The task that releases a model: through the quality gate, into what Terraform deploys."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.assignments import Assignment, require_assignments
from scones_core.errors import MalformedArtifact, ReleaseError
from scones_core.terraform_outputs import Challenge
from scones_core.uris import S3Uri
from scones_deploy import promotion
from scones_deploy.artifact_release import artifact_release
from scones_deploy.release import (
    Release,
    Releases,
    activate,
    drop_releases,
    read_releases,
    require_share,
    with_release,
    write_releases,
)
from scones_deploy.verification import served_release
from scones_etl.load import read_manifest
from scones_toolkit.project import Project
from scones_toolkit.tasks.deployment.deploy import prepare
from scones_toolkit.tasks.training import candidates
from scones_train.evaluation.quality_gate import (
    MIN_COMMON_IMAGES,
    ScoredModel,
    below_active,
    below_limits,
    below_on_classes,
    in_common,
)
from scones_train.model_folder import read_predictions, unpack_artifact
from scones_train.sagemaker.model_package import REJECTED
from scones_train.sagemaker.registry import Candidate

BUILTIN = "builtin"


def release(
    project: Project,
    *,
    candidate: int | None = None,
    artifact: str | None = None,
    gate_override: str = "",
    allow_synthetic: bool = False,
    share: float | None = None,
    approval: str | None = None,
) -> Releases:
    """Write an approved candidate into the release file and make it the active release.

    With a `share`, 0 to 1, it is no active release but its challenger, which answers that part of
    the requests.

    The candidate is named by its number or its artifact; else it is the last training's. Raises
    ReleaseError where it is not approved, or does not pass the quality gate, unless
    `gate_override` gives a reason; the release then records the reason and the gate's verdict.
    Raises SettingsError where a class has no assignment, or an assignment no class.
    The gate refuses a model trained on synthetic images, unless `allow_synthetic`. With an
    `approval`, its note, the candidate is approved once nothing else refuses the release.
    """
    if share is not None:
        require_share(share, "`inv release` without --share makes the model")
    chosen = _chosen(project, candidate, artifact)
    if approval is None:
        _require_approved(chosen)
    made = artifact_release(
        project.client("s3"),
        chosen.training.model_data_url,
        image=chosen.training.image,
        endpoint=project.settings.endpoint,
        now=project.now(),
        threshold=project.settings.workflow.threshold,
        card=_card(project, chosen) if chosen.training.algorithm == BUILTIN else None,
    )
    assignments = _assignments(project, made.labels)
    refusals = _refusals(project, made, chosen)
    if not allow_synthetic:
        refusals = [*_synthetic(chosen), *refusals]
    made = replace(_gated(project, made, refusals, gate_override), model_package_arn=chosen.arn)
    path, before = project.release_file, read_releases(project.release_file)
    after = with_release(before, made, assignments=assignments, share=share)
    if approval is not None:
        # Its hint is the release that follows here.
        candidates.approve(replace(project, hints=False), chosen.version, note=approval)
    write_releases(path, after)
    if share is None or after.challenger is None:
        return _announce(project, before, after)
    project.console.say(
        f"  {after.challenger.release} is written to {path.relative_to(project.root)}; it answers "
        f"{share:.2%} of the requests next to {after.active}, once applied."
    )
    project.hint("plan", "apply")
    return after


def _assignments(project: Project, labels: Sequence[str]) -> Mapping[str, Assignment]:
    """Return the settings' assignments, for a release with these labels; raises SettingsError."""
    assignments, known = project.settings.assignment, read_releases(project.release_file)
    retained = [name for each in known.releases.values() for name in each.labels]
    require_assignments(assignments, labels, [*project.settings.dataset.classes, *retained])
    return assignments


def rollback(project: Project, release_id: str) -> Releases:
    """Make an earlier release the active one, with the assignments of the settings.

    Raises ReleaseError for one that is not there, or whose candidate was rejected since, and
    SettingsError where one of its classes has no assignment.
    """
    known, assignments = read_releases(project.release_file), None
    if release_id in known.releases:
        chosen = known.releases[release_id]
        require_not_rejected(project, chosen)
        assignments = _assignments(project, chosen.labels)
    releases = activate(project.release_file, release_id, assignments=assignments)
    return _announce(project, known, releases)


def require_not_rejected(project: Project, release: Release) -> None:
    """Raise ReleaseError where a release's candidate, of the own registry, was rejected."""
    arn = release.model_package_arn
    if f"/{project.deployment.model_package_group}/" not in arn:
        return
    of_release = (found for found in candidates.registry(project).all() if found.arn == arn)
    candidate = next(of_release, None)
    if candidate is not None and candidate.status == REJECTED:
        note = f" ({candidate.note})" if candidate.note else ""
        raise ReleaseError(
            f"Release {release.id} is of candidate {candidate.version}, which was rejected{note}; "
            f"`inv approve {candidate.version}` lets it be released again."
        )


def _announce(project: Project, before: Releases, releases: Releases) -> Releases:
    active, path = releases.releases[releases.active or ""], project.release_file
    project.console.say(
        f"  {active.id} is written to {path.relative_to(project.root)} as the next release: "
        f"threshold {active.threshold:.4f}, {', '.join(active.labels)}"
    )
    _print_ended(project, before, releases)
    project.hint("plan", "apply")
    return releases


def _print_ended(project: Project, before: Releases, after: Releases) -> None:
    """Say where a change of the active release ends its comparison with a challenger."""
    if before.challenger and not after.challenger:
        project.console.say(
            f"  The comparison of {before.active} with {before.challenger.release} ends with it."
        )
    elif after.challenger:
        project.console.say(
            f"  {after.challenger.release} still challenges it; inv challenger --end"
            f"{project.env_flag} ends that."
        )


def list_releases(project: Project, *, drop: Sequence[str] = ()) -> Releases:
    """Print every release, newest first, which one is chosen and which the endpoint serves.

    `drop` are ids of releases to take out of the file first. Raises ReleaseError for one that
    is not there, is chosen, or is deployed.
    """
    path = project.release_file
    known, applied = read_releases(path), project.deployment
    deployed = served_release(project.client("sagemaker"), applied.endpoint_name, known.releases)
    for name in drop:
        challenging = known.challenger.release if known.challenger else None
        in_use = (known.active, applied.active_release, deployed, challenging)
        if name not in known.releases or name in in_use:
            state = _state(name, known, deployed, applied.challenger)
            state = state or ("applied" if name in known.releases else "unknown")
            raise ReleaseError(
                f"{name} cannot be dropped: it is {state}; `inv releases` lists what there is."
            )
    if drop:
        known = drop_releases(path, drop)
    if not known.releases:
        project.console.say(
            f"Nothing was released in {project.environment} yet: inv release{project.env_flag}"
        )
        return known
    trained = {found.arn: found for found in candidates.registry(project).all()}
    rows = []
    for name in sorted(known.releases, reverse=True):
        release, found = known.releases[name], trained.get(known.releases[name].model_package_arn)
        rows.append(
            (
                name,
                _state(name, known, deployed, applied.challenger),
                str(found.version) if found else "-",
                _accuracy(release),
                f"{release.threshold:.4f}",
                found.training.data_source if found else "-",
                release.dataset_version,
                release.model_data_url,
            )
        )
    header = ("release", "state", "candidate", "accuracy", "threshold", "data source")
    project.console.grid("", (*header, "dataset", "model"), rows)
    return known


def _state(name: str, known: Releases, deployed: str, challenge: Challenge | None) -> str:
    """Return whether a release is deployed, chosen for the next apply, or both; or challenges."""
    if known.challenger and name == known.challenger.release:
        chosen = f"challenger, {known.challenger.share:.2%}"
        if challenge is None or challenge.release != name:
            return f"{chosen}, not deployed"
        share = known.challenger.share
        return chosen if challenge.share == share else f"{chosen}, deployed {challenge.share:.2%}"
    if name == deployed:
        return "deployed" if name == known.active else "deployed, not chosen"
    return "chosen, not deployed" if name == known.active else ""


def _accuracy(release: Release) -> str:
    found = release.metrics.get("accuracy", release.metrics.get("test_accuracy"))
    return "-" if found is None else f"{found:.4f}"


def _chosen(project: Project, version: int | None, artifact: str | None) -> Candidate:
    """Return the candidate that is meant; raises ReleaseError for two names of one."""
    if version is not None and artifact is not None:
        raise ReleaseError("A candidate has one name: give --candidate or --artifact.")
    registry = candidates.registry(project)
    if version is not None:
        return registry.get(version)
    return registry.of_artifact(artifact or project.records.read("training")["model_data_url"])


def _require_approved(chosen: Candidate) -> None:
    if not chosen.approved:
        raise ReleaseError(
            f"Candidate {chosen.version} is {chosen.status}; look at it by `inv candidates`, and "
            f"`inv approve {chosen.version}` lets it be released."
        )


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
    active = project.active_release
    if active is None:
        return limits
    classes = below_on_classes(scored, made.labels, active.labels, project.settings.quality)
    return [*limits, *classes, *_against_active(project, active, scored)]


def _synthetic(candidate: Candidate) -> list[str]:
    """Return a clause where a model was trained on synthetic images, which prove nothing."""
    if "synthetic" not in candidate.training.data_source.split("+"):
        return []
    return ["it was trained on synthetic images (--allow-synthetic accepts that)"]


def _gated(project: Project, made: Release, refusals: list[str], gate_override: str) -> Release:
    """Return the release, marked where the gate was overridden; raises ReleaseError."""
    if not refusals:
        return made
    reasons = "; ".join(refusals)
    if not gate_override.strip():
        raise ReleaseError(
            f"The model {made.model_data_url} is not released: {reasons}. The limits are [quality] "
            "in scones.toml; --override-gate '<reason>' releases it anyway and records the reason."
        )
    project.console.warn(f"  The quality gate is overridden ({gate_override.strip()}): {reasons}.")
    return replace(made, gate_override=f"{gate_override.strip()} (the gate: {reasons})")


def _against_active(project: Project, active: Release, candidate: ScoredModel) -> list[str]:
    """Return how the candidate is worse than the active release; says what was not compared."""
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


@contextmanager
def unpacked(project: Project, model_data_url: str) -> Iterator[Path]:
    """Yield the model folder of an artifact in S3; it is gone afterwards.

    Raises MalformedArtifact for one that is missing or no model.
    """
    location = S3Uri.parse(model_data_url)
    with tempfile.TemporaryDirectory() as name:
        archive, folder = Path(name) / "model.tar.gz", Path(name) / "model"
        try:
            project.client("s3").download_file(location.bucket, location.key, str(archive))
        except (ClientError, BotoCoreError) as error:
            raise MalformedArtifact(
                f"There is no model artifact at {location} ({error}); run `inv train` first."
            ) from error
        unpack_artifact(archive, folder)
        yield folder


def fetch(source: Project, *, release: str | None = None) -> Path:
    """Download a release's artifact into the cache, its hash verified, and return the file."""
    release_to_fetch = _wanted(source, release)
    path = promotion.fetch(source.client("s3"), release_to_fetch, source.cache / "artifacts")
    source.console.say(
        f"  {release_to_fetch.id}: {path.stat().st_size:,} bytes, sha256 as released"
    )
    if source.hints:
        source.console.say(f"Next: inv promote --from {source.environment}")
    return path


def promote(source: Project, target: Project, *, release: str | None = None) -> Releases:
    """Copy one release block into another environment's release file, and activate it there.

    Its artifact is put into that environment's bucket first, unless it is there already; one
    that `fetch` left in the cache needs no access to the source. Image, figures, threshold and
    labels stay what they are. Raises ReleaseError where an artifact is not the released one.
    """
    if source.environment == target.environment:
        raise ReleaseError(f"{source.environment} is both source and target; name two.")
    chosen = _wanted(source, release)
    artifact = fetch(replace(source, hints=False), release=chosen.id)
    prepare(target)
    copy = promotion.promoted(chosen, target.deployment.artifacts_bucket)
    assignments = _assignments(target, copy.labels)
    before = read_releases(target.release_file)
    releases = with_release(before, copy, assignments=assignments)
    uploaded = promotion.place(target.client("s3"), artifact, copy)
    write_releases(target.release_file, releases)
    state = "is uploaded" if uploaded else "was there already"
    target.console.say(f"  {copy.model_data_url} {state}")
    _warn_of_foreign_image(target, copy)
    return _announce(target, before, releases)


def _wanted(source: Project, release: str | None) -> Release:
    return promotion.chosen(read_releases(source.release_file), release, source.environment)


def _warn_of_foreign_image(target: Project, release: Release) -> None:
    """Warn where the image lies in a repository that the target's endpoint may not pull from."""
    registry = release.image.partition("@")[0]
    if not registry.startswith(target.deployment.model_repository_url):
        target.console.warn(
            f"  The image stays in {registry}: its ARN must be in model_repository_arns of "
            f"{target.environment}, and the repository must let that account pull."
        )
