"""After an apply: what runs is compared with what was meant, and golden samples are scored."""

from scones_core.errors import DeployError
from scones_deploy.artifact import released_images
from scones_deploy.bundle import BundleManifest
from scones_deploy.release import Release, read_releases
from scones_deploy.terraform.state import AppliedResource, served_configurations
from scones_deploy.verification import (
    endpoint_differences,
    function_differences,
    score_differences,
    setting_differences,
    way_back,
)
from scones_toolkit.project import Project


def verify(project: Project) -> None:
    """Compare endpoint and functions with release and Terraform, and score the golden samples.

    Prints what was compared. Raises DeployError, naming every difference and how to go back.
    An environment without resources is passed by.
    """
    applied = project.terraform.applied()
    if not applied:
        return
    release, endpoint = project.active_release, project.deployment.endpoint_name
    bundles = BundleManifest.read(project.build / "lambda").bundles
    found = function_differences(project.client("lambda"), bundles, applied)
    found += setting_differences(release, applied, endpoint)
    said = f"the code and settings of {len(bundles)} functions"
    if release is None:
        said += "; there is no endpoint, so nothing was scored"
    else:
        pairs = served_configurations(applied, release.id)
        for served, intended in pairs:
            name = str(served.values["name"])
            found += endpoint_differences(
                project.client("sagemaker"), name, release, intended.values
            )
        said += f", {len(pairs)} endpoint{'s' * (len(pairs) > 1)} on {release.id}"
        if not found:
            scored, found = _score(project, release, pairs)
            said += f", {scored}"
    if found:
        _fail(project, found)
    project.console.say(f"  Verified: {said}.")


def _score(
    project: Project, release: Release, pairs: list[tuple[AppliedResource, AppliedResource]]
) -> tuple[str, list[str]]:
    """Return what is to be said of the golden samples, and how they are answered otherwise."""
    images = released_images(project.client("s3"), release)
    if not images:
        return "no golden samples: its artifact has none, train anew to have some", []
    said, found = f"golden samples answered as in training: {len(images)}", []
    for endpoint, configuration in pairs:
        name = str(endpoint.values["name"])
        if configuration.values.get("async_inference_config"):
            said += f", not asked of {name}, which answers later"
        else:
            found += score_differences(project.client("sagemaker-runtime"), name, images)
    return said, found


def _fail(project: Project, found: list[str]) -> None:
    releases = read_releases(project.release_file)
    raise DeployError(
        f"{project.environment} is not what was applied: {'; '.join(found)}. "
        f"{way_back(releases, project.environment)}"
    )
