"""The tasks around candidates: trained models, and who of them may be released."""

import subprocess
from pathlib import Path

from scones_deploy.release import read_releases
from scones_deploy.terraform.plan import Plan
from scones_deploy.verification import served_release
from scones_toolkit.console import plural
from scones_toolkit.project import Project
from scones_train.sagemaker.model_package import Training
from scones_train.sagemaker.registry import Candidate, Registry

# The group's type in Terraform.
GROUP = "aws_sagemaker_model_package_group."
# What the list shows of a candidate's figures.
LISTED_METRICS = ("test_accuracy", "test_coverage_at_threshold", "test_expected_calibration_error")


def registry(project: Project) -> Registry:
    """Return the registry of an environment."""
    return Registry(project.client("sagemaker"), project.deployment.model_package_group)


def register(project: Project, training: Training) -> Candidate:
    """Make a finished training's model a candidate, print its number, and return it."""
    candidate = registry(project).add(training)
    project.console.say(f"  candidate {candidate.version} waits for its approval.")
    project.hint(f"approve {candidate.version}")
    return candidate


def candidates(project: Project) -> None:
    """Print every candidate with its figures, newest first."""
    deployed = deployed_arns(project)
    rows = [
        (
            str(found.version),
            found.status,
            "yes" if found.arn in deployed else "",
            f"{found.created:%Y-%m-%d %H:%M}",
            *(_figure(found.training.metrics.get(name)) for name in LISTED_METRICS),
            found.training.data_source or "-",
            found.training.dataset_version,
            found.training.commit[:12],
            found.note,
        )
        for found in registry(project).all()
    ]
    if not rows:
        project.console.say(f"There is no candidate yet: inv train{project.env_flag}")
        return
    header = ("candidate", "state", "deployed", "made", "accuracy", "coverage", "calibration error")
    project.console.grid("", (*header, "data source", "dataset", "code", "note"), rows)


def deployed_arns(project: Project) -> set[str]:
    """Return the ARN of the candidate that the release which the endpoint serves was made from."""
    releases, endpoint = read_releases(project.release_file).releases, project.deployment
    name = served_release(project.client("sagemaker"), endpoint.endpoint_name, releases)
    deployed = releases.get(name)
    return {deployed.model_package_arn} if deployed else set()


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def approve(project: Project, version: int, *, reject: bool = False, note: str = "") -> Candidate:
    """Approve or reject a candidate for release, print that, and return it."""
    found = decide(project, registry(project), version, reject=reject, note=note)
    if found.approved:
        project.hint(f"release --candidate {found.version}")
    return found


def decide(
    project: Project, among: Registry, version: int, *, reject: bool, note: str
) -> Candidate:
    """Approve or reject a candidate of a registry, print that, and return it."""
    found = among.decide(version, approved=not reject, note=note)
    note_text = f" ({note})" if note else ""
    project.console.say(f"  candidate {found.version} is {found.status}{note_text}.")
    return found


def clear(project: Project, made: Plan) -> None:
    """Remove the candidates of each group that a plan destroys: AWS asks for an empty one."""
    destroyed = [c.address for c in made.changes if c.destroys and GROUP in c.address]
    for address in destroyed:
        deployed, of_demand = project.deployment, address.startswith("module.demand")
        group = deployed.demand_model_group if of_demand else deployed.model_package_group
        if count := Registry(project.client("sagemaker"), group).clear():
            project.console.say(
                f"  Removed from the registry {group}: {plural(count, 'candidate')}."
            )


def commit(root: Path) -> str:
    """Return the code's commit, `+changes` behind it where files differ; empty outside git."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top) != root.resolve():
        return ""
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return _git(root, "rev-parse", "HEAD") + ("+changes" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
