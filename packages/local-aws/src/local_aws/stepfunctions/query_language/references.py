"""What an expression of JSONata refers to, and which references AWS refuses in a definition.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
https://states-language.net/#jsonata-restrictions
"""

from collections.abc import Iterator
from typing import Any

from local_aws.stepfunctions.query_language.jsonata import syntax_tree

# Where the parser keeps the parts that are evaluated with another context than the whole.
_NESTED = ("stages", "predicate", "group", "terms", "pattern", "update", "delete")
_LEVEL = (
    *("lhs", "rhs", "expression", "expressions", "lhs_object", "rhs_object", "expr"),
    *("arguments", "procedure", "condition", "then", "_else", "rhs_terms"),
)


def refused_references(expression: str, field: str) -> Iterator[str]:
    """Yield a sentence for each reference that AWS does not offer in a field.

    `field` is the path of the field in its state, such as `Output/key` or `Catch[0]/Assign/x`.
    Raises QueryFailed where the text is not JSONata.
    """
    found = dict.fromkeys(_references(syntax_tree(expression), nested=False))
    for name in found:
        if name == "$$":
            yield "Reference to '$$' is not supported."
        elif name.startswith("$states."):
            if not _is_offered(name.removeprefix("$states."), field):
                yield f"Reference to '{name}' is not supported in this field."
        else:
            yield f"Reference to '{name}' at the top level is not supported."


def _is_offered(member: str, field: str) -> bool:
    catcher = field.startswith("Catch[")
    last = field.partition("]/")[2] if catcher else field
    shapes = last.startswith(("Output", "Assign"))
    if member == "errorOutput":
        return catcher and shapes
    if member == "result":
        return shapes and not catcher
    return True


def _references(node: Any, *, nested: bool) -> Iterator[str]:
    """Yield `$$`, `$states.x` anywhere, and what is read of the context at the top level."""
    kind, value = getattr(node, "type", None), getattr(node, "value", None)
    if kind == "lambda":
        # A name in the body is read when the function is called, with that call's context.
        yield from _references(node.body, nested=True)
        return
    if kind == "path":
        first, *others = node.steps
        if _is_states(first) and others and getattr(others[0], "type", None) == "name":
            yield f"$states.{others[0].value}"
        yield from _references(first, nested=nested)
        for step in others:
            yield from _references(step, nested=True)
    elif kind == "variable" and value == "$":
        yield "$$"
    elif not nested and kind == "variable" and value == "":
        yield "$"
    elif not nested and kind in ("name", "wildcard", "descendant"):
        yield str(value)
    for part in _LEVEL if kind != "path" else ():
        yield from _each(getattr(node, part, None), nested=nested)
    for part in _NESTED:
        yield from _each(getattr(node, part, None), nested=True)


def _is_states(node: Any) -> bool:
    return getattr(node, "type", None) == "variable" and getattr(node, "value", None) == "states"


def _each(part: Any, *, nested: bool) -> Iterator[str]:
    if isinstance(part, list | tuple):
        for one in part:
            yield from _each(one, nested=nested)
    elif part is not None:
        yield from _references(part, nested=nested)
