"""The permissions boundary of bootstrap against every role policy of the modules, as files.

An action that the boundary lacks is denied in an account that has it, whatever the role's own
policy says. Resources are not compared: their names are known only when Terraform applies.
"""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import tree_sitter_hcl
from tree_sitter import Language, Node, Parser

TERRAFORM = Path(__file__).parents[2] / "terraform"
PARSER = Parser(Language(tree_sitter_hcl.language()))
KINDS = ("Processing", "Training", "Transform")
VERBS = ("Create", "Describe", "Stop")


def text(node: Node) -> str:
    return (node.text or b"").decode()


def objects(node: Node) -> Iterator[dict[str, str]]:
    """Yield each object below a node, as its keys and the text of their values."""
    if node.type == "object":
        elements = [child for child in node.children if child.type == "object_elem"]
        yield {text(e.children[0]): text(e.children[2]) for e in elements}
    for child in node.children:
        yield from objects(child)


def allowed(file: Path) -> Iterator[str]:
    """Yield the actions of a file's policy statements; those of a resource's policy are not."""
    root = PARSER.parse(file.read_bytes()).root_node
    assert not root.has_error, file
    for statement in objects(root):
        if "Action" in statement and "Principal" not in statement:
            found = re.findall(r'"([a-z0-9-]+:[^"]+)"', statement["Action"])
            assert found, f"{file} has an Action that this cannot read: {statement['Action']}"
            for action in found:
                yield from expanded(action)


def given(folder: Path) -> set[str]:
    """Return the actions of a module's role policies."""
    files = (file for file in folder.glob("*.tf") if file.name != "variables.tf")
    return {action for file in files for action in allowed(file)}


def expanded(action: str) -> Iterator[str]:
    """Yield an action with every value of the placeholders for kinds of jobs."""
    for kind, verb in product(KINDS, VERBS) if "${" in action else [("", "")]:
        filled = action.replace("${kind}", kind).replace("${verb}", verb)
        assert "${" not in filled, action
        yield filled


BOUNDARY = set(allowed(TERRAFORM / "bootstrap" / "boundary.tf"))
WITH_ROLES = [folder for folder in sorted((TERRAFORM / "modules").iterdir()) if given(folder)]


@pytest.mark.parametrize("folder", WITH_ROLES, ids=lambda folder: folder.name)
def test_the_boundary_has_every_action_of_a_module_s_roles(folder: Path) -> None:
    assert given(folder) - BOUNDARY == set()


def test_every_module_that_declares_a_role_is_compared() -> None:
    declares = {
        file.parent
        for file in (TERRAFORM / "modules").rglob("*.tf")
        if 'resource "aws_iam_role_policy"' in file.read_text()
    }
    assert declares <= set(WITH_ROLES)
    assert declares


def test_no_role_may_be_given_what_no_module_needs() -> None:
    assert set().union(*map(given, WITH_ROLES)) >= BOUNDARY
