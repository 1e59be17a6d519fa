"""The tasks that carry a release from one environment to the next."""

from pathlib import Path

from scones_core.errors import ReleaseError
from scones_deploy import promotion
from scones_deploy.release import Release, Releases, add_release, read_releases
from scones_toolkit.deployments import prepare
from scones_toolkit.project import Project


def fetch(source: Project, *, release: str | None = None) -> Path:
    """Download a release's artifact into the cache, its hash verified, and return the file."""
    wanted = _wanted(source, release)
    path = promotion.fetch(source.client("s3"), wanted, source.cache / "artifacts")
    source.console.say(f"  {wanted.id}: {path.stat().st_size:,} bytes, sha256 as released")
    return path


def promote(source: Project, target: Project, *, release: str | None = None) -> Releases:
    """Copy one release block into another environment's release file, and activate it there.

    Its artifact is put into that environment's bucket first, unless it is there already; one
    that `fetch` left in the cache needs no access to the source. Image, figures, threshold and
    labels stay what they are. Raises ReleaseError where an artifact is not the released one.
    """
    if source.environment == target.environment:
        raise ReleaseError(f"{source.environment} is both source and target; name two.")
    wanted = _wanted(source, release)
    artifact = fetch(source, release=wanted.id)
    prepare(target)
    copy = promotion.promoted(wanted, target.deployment.artifacts_bucket)
    uploaded = promotion.place(target.client("s3"), artifact, copy)
    releases = add_release(target.release_file, copy)
    say = target.console.say
    say(f"  {copy.model_data_url} {'is uploaded' if uploaded else 'was there already'}")
    say(f"  release {copy.id} is active in {target.release_file.relative_to(target.root)}")
    _mind_image(target, copy)
    return releases


def _wanted(source: Project, release: str | None) -> Release:
    return promotion.chosen(read_releases(source.release_file), release, source.environment)


def _mind_image(target: Project, release: Release) -> None:
    """Warn where the image lies in a repository that the target's endpoint may not pull from."""
    registry = release.image.partition("@")[0]
    if not registry.startswith(target.deployment.model_repository_url):
        target.console.warn(
            f"  The image stays in {registry}: its ARN must be in model_repository_arns of "
            f"{target.environment}, and the repository must let that account pull."
        )
