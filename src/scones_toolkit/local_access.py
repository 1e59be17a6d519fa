"""What the roles in the embedded AWS used of what they may do, since it was started."""

from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.iam.access_usage import ACCESS_PATH
from scones_toolkit.project import Project

COLUMNS = ("role", "statement", "actions used", "not used")


def access(project: Project, role: str = "") -> None:
    """Print each statement of the roles' policies, with the actions that it allowed.

    `role` is a part of a role's name; "" for all that acted. A statement that allowed nothing is
    no proof that nothing needs it: only what was run since the start is known.
    """
    found = [use for use in project.local_aws().ask(ACCESS_PATH) if role in _name(use)]
    if not found:
        which = f" with {role!r} in its name" if role else ""
        project.console.say(f"No role{which} was allowed anything yet; try: inv run")
        return
    project.console.grid("", COLUMNS, [_row(use) for use in found])
    idle = sum(not use["used"] for use in found)
    project.console.say(f"{len(found)} statements; {idle} of them allowed nothing so far.")


def _row(use: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return _name(use), use["sid"], _words(use["used"]) or "-", _words(use["unused"])


def _name(use: Mapping[str, Any]) -> str:
    return str(use["role"]).rpartition("/")[2]


def _words(actions: Sequence[str]) -> str:
    return ", ".join(actions)
