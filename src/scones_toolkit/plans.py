"""Plans that are kept: written with a summary for a review, applied later, compared nightly."""

from datetime import UTC, datetime
from pathlib import Path

from scones_core.files import write_atomically
from scones_deploy.office_hours import OfficeHours, only_creates_endpoint
from scones_deploy.terraform.plan import Plan
from scones_toolkit.deployments import carry_out, describe, prepare, require_bundles
from scones_toolkit.project import Project

# GitHub takes 65536 characters of a comment; two environments share one.
MAX_WORDS = 28_000


def plan(
    project: Project, *, out: Path | None = None, summary: Path | None = None, destroy: bool = False
) -> Plan:
    """Plan, print what it comes to, and return the saved plan.

    `out` keeps it, with a record of what it was made from, for `apply_kept`; a plan without
    changes leaves no file. `summary` takes the plan as Markdown, for a comment.
    """
    require_bundles(project)
    prepare(project)
    made = project.terraform.plan(destroy=destroy, out=out)
    describe(project, made)
    if summary is not None:
        write_atomically(summary, markdown(project.environment, made, _words(project, made)))
    return made


def apply_kept(project: Project, path: Path, *, allow_destroy: bool = False) -> Plan:
    """Apply what the plan that `plan(out=path)` kept changes; nobody is asked, it was reviewed.

    It is planned once more, and that plan is applied. Raises DeployError for a plan of another
    environment, of other code, variables or zips, and where the new plan makes other changes.
    """
    require_bundles(project)
    prepare(project)
    made = project.terraform.kept_plan(path)
    describe(project, made)
    return carry_out(project, made, allow_destroy=allow_destroy)


def drift(project: Project, *, summary: Path | None = None) -> bool:
    """Return whether the environment differs from the code; apply nothing, keep no plan.

    An endpoint that its schedule deleted for the night is no difference.
    `summary` takes the difference as Markdown, and is not written where there is none.
    """
    require_bundles(project)
    prepare(project)
    path = project.terraform_data / "drift.tfplan"
    try:
        made = project.terraform.plan(out=path)
        describe(project, made)
        if is_down_for_the_night(project, made, datetime.now(UTC)):
            project.console.say("  The endpoint is down outside office hours; all else is alike.")
            return False
        if made.has_changes and summary is not None:
            write_atomically(summary, markdown(project.environment, made, _words(project, made)))
    finally:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.json").unlink(missing_ok=True)
    return made.has_changes


def is_down_for_the_night(project: Project, made: Plan, now: datetime) -> bool:
    """Return whether all that is missing is the endpoint, at an hour when it is meant to be."""
    if not only_creates_endpoint(made):
        return False
    hours = OfficeHours.of(project.terraform.outputs().get("office_hours"))
    return hours is not None and hours.is_down(now)


def markdown(environment: str, made: Plan, words: str) -> str:
    """Return a plan as Markdown: its counts, what it destroys, and Terraform's own words."""
    if not made.has_changes:
        return f"### {environment}: no changes\n"
    counts = f"{made.add} to add, {made.change} to change, {made.destroy} to destroy"
    lost = "".join(f"- destroys `{c.address}`\n" for c in made.changes if c.destroys)
    cut = words[:MAX_WORDS].rstrip()
    if len(words) > MAX_WORDS:
        cut += f"\n... cut after {MAX_WORDS:,} of {len(words):,} characters; the log has all of it"
    fence = "`" * max(3, _longest_run(cut) + 1)
    return (
        f"### {environment}: {counts}\n\n{lost}\n<details><summary>The plan</summary>\n\n"
        f"{fence}text\n{cut}\n{fence}\n\n</details>\n"
    )


def _words(project: Project, made: Plan) -> str:
    return project.terraform.words(made) if made.has_changes else ""


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks, which would end a shorter fence."""
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest
