"""Names in a variable file that the root module does not declare.

Terraform drops an attribute that an object's type does not have without a word, and only warns
of a variable: a misspelt alarm or limit would silently keep its default.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tree_sitter import Language, Node, Parser

from scones_core.errors import TerraformError

# Of a type's functions those that hold others of one type.
COLLECTIONS = ("list", "set", "map")


@dataclass(frozen=True, slots=True)
class Declared:
    """A type as far as it names attributes: an object's, or those of what a collection holds."""

    attributes: Mapping[str, "Declared"] = field(default_factory=dict)
    held: "Declared | None" = None

    @classmethod
    def of(cls, expression: Node | None) -> Self:
        """Return what a type expression, like `optional(object({a = string}))`, declares."""
        call = _child(expression, "function_call")
        if call is None:
            return cls()
        arguments = _child(call, "function_arguments")
        inner = _child(arguments, "expression")
        name = _text(call.named_children[0])
        if name == "optional":
            return cls.of(inner)
        if name in COLLECTIONS:
            return cls(held=cls.of(inner))
        return cls({name: cls.of(value) for name, _, value in _elements(inner)})


def require_declared(root: Path, file: Path) -> None:
    """Raise TerraformError for the first name of a variable file that `root` does not declare.

    A file that is not valid HCL is left to Terraform, which says what is wrong with it.
    """
    tree = _tree(file)
    if tree.has_error:
        return
    variables = _variables(root)
    for attribute in _of_type(_child(tree, "body"), "attribute"):
        name = _text(attribute.named_children[0])
        if name not in variables:
            raise _unknown(file, attribute, f"variable {name!r}", name, variables)
        _require_attributes(file, attribute.named_children[-1], variables[name], name)


def _require_attributes(file: Path, value: Node, declared: Declared, place: str) -> None:
    collection = _child(value, "collection_value")
    held = declared.held
    if held is not None:
        parts = [element for _, _, element in _elements(value)]
        for part in parts or _of_type(_child(collection, "tuple"), "expression"):
            _require_attributes(file, part, held, place)
        return
    for name, element, inner in _elements(value):
        if declared.attributes and name not in declared.attributes:
            raise _unknown(file, element, f"{place}.{name}", name, declared.attributes)
        if name in declared.attributes:
            _require_attributes(file, inner, declared.attributes[name], f"{place}.{name}")


def _unknown(
    file: Path, node: Node, described: str, name: str, known: Iterable[str]
) -> TerraformError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}."
    return TerraformError(
        f"{file}, line {node.start_point[0] + 1}: there is no {described}, so that it would set "
        f"nothing; {hint}"
    )


def _variables(root: Path) -> dict[str, Declared]:
    found = {}
    for file in sorted(root.glob("*.tf")):
        for block in _of_type(_child(_tree(file), "body"), "block"):
            if _text(block.named_children[0]) == "variable":
                body = _of_type(_child(block, "body"), "attribute")
                given = {_text(each.named_children[0]): each.named_children[-1] for each in body}
                name = _text(block.named_children[1]).strip('"')
                found[name] = Declared.of(given.get("type"))
    return found


def _elements(expression: Node | None) -> Iterator[tuple[str, Node, Node]]:
    """Yield each name of an object's expression, with its place and its value."""
    for element in _of_type(
        _child(_child(expression, "collection_value"), "object"), "object_elem"
    ):
        key, value = element.named_children
        yield _text(key).strip('"'), element, value


def _of_type(node: Node | None, kind: str) -> list[Node]:
    return [child for child in node.named_children if child.type == kind] if node else []


def _child(node: Node | None, kind: str) -> Node | None:
    return next(iter(_of_type(node, kind)), None)


def _tree(file: Path) -> Node:
    import tree_sitter_hcl

    return Parser(Language(tree_sitter_hcl.language())).parse(file.read_bytes()).root_node


def _text(node: Node) -> str:
    return (node.text or b"").decode()
