"""The inputs and outputs of a Terraform module, as tables in its README.

They stand between two markers and are written from the module's own files, so that a README
says what a module takes, and the gate says when it no longer does.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tree_sitter import Language, Node, Parser

from scones_core.errors import DeployError
from scones_core.files import write_if_changed

BEGIN = "<!-- inputs and outputs, written by `inv terraform.docs` -->"
END = "<!-- end of inputs and outputs -->"


@dataclass(frozen=True, slots=True)
class Entry:
    """A variable or an output; `type` and `default` are HCL on one line, empty where not given."""

    name: str
    description: str
    type: str = ""
    default: str = ""


def modules(root: Path) -> list[Path]:
    """Return the folders below a root module that have a README with markers, sorted."""
    found = (file.parent for file in root.rglob("README.md") if BEGIN in file.read_text("utf-8"))
    return sorted(found)


def write_docs(root: Path) -> list[Path]:
    """Write the tables of every module below `root`; return the READMEs that changed."""
    stale = stale_docs(root)
    for readme in stale:
        write_if_changed(readme, documented(readme.parent).encode())
    return stale


def stale_docs(root: Path) -> list[Path]:
    """Return the READMEs whose tables are not what their module declares."""
    readmes = [folder / "README.md" for folder in modules(root)]
    return [file for file in readmes if file.read_text("utf-8") != documented(file.parent)]


def documented(folder: Path) -> str:
    """Return a module's README with its tables rewritten.

    Raises DeployError where the markers are not there in pairs, or a description is missing.
    """
    readme = folder / "README.md"
    before, begin, rest = readme.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DeployError(f"{readme} needs the lines {BEGIN!r} and {END!r}.")
    variables, outputs = entries(folder, "variable"), entries(folder, "output")
    parts = [BEGIN, "## Inputs", _inputs(variables), "## Outputs", _outputs(outputs), END]
    return before + "\n\n".join(part for part in parts if part) + after


def entries(folder: Path, kind: str) -> list[Entry]:
    """Return the variables or outputs that a module declares, in the order of its files.

    Raises DeployError for a file that cannot be read as HCL, and for a missing description.
    """
    return [
        _entry(file, block)
        for file in sorted(folder.glob("*.tf"))
        for block in _blocks(file)
        if _text(block.children[0]) == kind
    ]


def _blocks(file: Path) -> list[Node]:
    import tree_sitter_hcl

    tree = Parser(Language(tree_sitter_hcl.language())).parse(file.read_bytes())
    if tree.root_node.has_error:
        raise DeployError(f"{file} cannot be read as HCL; run `terraform validate`.")
    bodies = [node for node in tree.root_node.children if node.type == "body"]
    return [block for body in bodies for block in body.children if block.type == "block"]


def _entry(file: Path, block: Node) -> Entry:
    name = _text(block.children[1]).strip('"')
    body = next(node for node in block.children if node.type == "body")
    given = {
        _text(node.children[0]): _text(node.children[2])
        for node in body.children
        if node.type == "attribute"
    }
    if "description" not in given:
        raise DeployError(f"{file}: {name} has no description.")
    description = given["description"].strip('"').replace('\\"', '"')
    return Entry(name, description, _line(given.get("type", "")), _line(given.get("default", "")))


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _line(expression: str) -> str:
    """Return an HCL expression on one line: attributes of an object parted by commas."""
    text = re.sub(r"(?<=[^\s({\[,])[^\S\n]*\n\s*(?=[^\s)}\]])", ", ", expression)
    return re.sub(r"\s+", " ", text)


def _inputs(variables: list[Entry]) -> str:
    rows = [
        f"| `{v.name}` | {_cell(v.type)} | {_cell(v.default) if v.default else 'required'} "
        f"| {v.description} |"
        for v in variables
    ]
    return _table("| Name | Type | Default | Is |\n|---|---|---|---|", rows)


def _outputs(outputs: list[Entry]) -> str:
    return _table(
        "| Name | Is |\n|---|---|", [f"| `{o.name}` | {o.description} |" for o in outputs]
    )


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([head, *rows]) if rows else "None."


def _cell(code: str) -> str:
    return f"`{code.replace('|', chr(92) + '|')}`"
