"""The tasks that deploy with Terraform, check it and take it down: their flags and their help."""

from pathlib import Path
from typing import Annotated

from invoke.exceptions import Exit

import scones_toolkit.tasks as do
from scones_core.errors import DeployError
from scones_toolkit import cli as flags
from scones_toolkit.cli import task
from scones_toolkit.project import Project


@task("inv build", local=True)
def build(project: Project) -> None:
    """Build the Lambda zips into build/lambda, reproducibly."""
    do.deploy.build(project)


@task("inv plan --env dev", terraform=True)
def plan(
    project: Project,
    *,
    destroy: Annotated[bool, "plan the removal of everything"] = False,
    out: Annotated[Path | None, "where to keep the plan, for `inv apply --plan`"] = None,
    summary: flags.Summary = None,
) -> None:
    """Show what Terraform would change, and keep that plan for `inv apply`."""
    do.deploy.plan(project, destroy=destroy, out=out, summary=summary)


@task("inv apply --env dev", terraform=True)
def apply(
    project: Project,
    *,
    allow_destroy: flags.AllowDestroy = False,
    yes: flags.Yes = False,
    plan: Annotated[Path | None, "file written by `inv plan --out` from the same code"] = None,
    ignore_raised_alarms: Annotated[
        bool, "raised rollback alarms do not roll an endpoint's update back, this once"
    ] = False,
) -> None:
    """Apply the plan that `inv plan` showed; without one: plan, ask, and apply."""
    if plan is not None:
        if ignore_raised_alarms:
            raise DeployError("--ignore-raised-alarms plans anew: leave out --plan.")
        do.deploy.apply_kept(project, plan, allow_destroy=allow_destroy)
    else:
        do.deploy.apply(
            project,
            allow_destroy=allow_destroy,
            confirmed=yes,
            ignore_raised_alarms=ignore_raised_alarms,
        )


@task("inv verify --env dev", terraform=True)
def verify(project: Project) -> None:
    """Compare what runs with what was applied, and score the model's golden samples."""
    do.deploy.verify_deployed(project)


@task("inv drift --env prod", terraform=True)
def drift(project: Project, *, summary: flags.Summary = None) -> None:
    """Compare what is deployed with the code, and change nothing; exit code 2 on a difference."""
    if do.deploy.drift(project, summary=summary):
        raise Exit(f"{project.environment} differs from the code.", code=2)


@task("inv cost --env dev --images 200000", terraform=True)
def cost(
    project: Project,
    *,
    images: Annotated[int | None, "images a month; default: [cost] images"] = None,
    json: Annotated[bool, "print the figures as JSON"] = False,
) -> None:
    """Estimate what the environment costs a month, and for each million images."""
    do.cost.cost(project, images=images, as_json=json)


@task("inv destroy --env dev", terraform=True)
def destroy(project: Project, *, yes: flags.Yes = False) -> None:
    """Remove everything that Terraform deployed, after you type the environment's name."""
    do.deploy.destroy(project, confirmed=yes)


@task("inv unlock --env dev", terraform=True)
def unlock(project: Project, *, yes: flags.Yes = False) -> None:
    """Remove the lock that a killed run left on Terraform's state."""
    do.deploy.unlock(project, confirmed=yes)


@task("inv pause --env dev", terraform=True)
def pause(project: Project, *, yes: flags.Yes = False) -> None:
    """Remove what is billed by the hour, and list what remains; `inv apply` restores it.

    Where jobs are running, their names are shown, and the environment's name is asked for.
    """
    do.removal.pause(project, confirmed=yes)


@task("inv purge --env dev", terraform=True)
def purge(project: Project, *, yes: flags.Yes = False) -> None:
    """Remove the environment with all its data, including what only its tags identify."""
    do.removal.purge(project, confirmed=yes)
