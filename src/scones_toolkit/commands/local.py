"""The tasks that control the embedded AWS: their flags and their help."""

from typing import Annotated

import scones_toolkit.tasks as do
from scones_toolkit import cli as flags
from scones_toolkit.cli import task
from scones_toolkit.project import Project


@task("inv local.up", local=True)
def up(project: Project) -> None:
    """Start the embedded AWS with its saved state, and print how to reach it."""
    do.local.up(project)


@task("eval $(inv local.env)", local=True)
def env(project: Project) -> None:
    """Print the shell commands that point AWS clients and Terraform at the embedded AWS."""
    do.local.env(project)


@task("inv local.down", local=True)
def down(project: Project) -> None:
    """Stop the embedded AWS and every process that it started; what was deployed is kept."""
    do.local.down(project)


@task("inv local.reset --yes", local=True)
def reset(project: Project, *, yes: flags.Yes = False) -> None:
    """Stop the embedded AWS and remove everything that was deployed to it."""
    do.local.reset(project, confirmed=yes)


@task("inv local.status", local=True)
def status(project: Project) -> None:
    """Show functions, executions, endpoints and jobs, with their processes."""
    do.local.status(project)


@task("inv local.logs scones-local-classify-image -f", local=True)
def logs(
    project: Project,
    name: Annotated[str, "a function, endpoint, job or state machine; an unknown name lists all"],
    *,
    follow: Annotated[bool, "print new lines until Ctrl-C"] = False,
) -> None:
    """Print a log of the embedded AWS."""
    do.local.logs(project, name, follow=follow)


@task("inv local.access --role scones-local-workflow", local=True)
def access(project: Project, *, role: Annotated[str, "part of a role's name"] = "") -> None:
    """Show which permissions the roles used and which not, per policy statement."""
    do.local.access(project, role)
