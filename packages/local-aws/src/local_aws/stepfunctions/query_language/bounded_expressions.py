"""Bounded expressions of JSONata: paths, operators, constructors cost no more than their data.

Whatever repeats (functions of its own, filters, a path within a path), refers to what it has made,
or has a regular expression, may cost any amount of time and memory.
"""

from typing import Any

# Each of the names in an expression stands for 256 KB at most.
MAX_CHARACTERS = 1_000
_OPERATORS = frozenset(
    ("=", "!=", "<", "<=", ">", ">=", "and", "or", "in", "+", "-", "*", "/", "%", "&")
)
_FUNCTIONS = frozenset(
    (
        *("boolean", "count", "exists", "length", "lowercase", "not", "number", "parse"),
        *("string", "substring", "type", "uppercase", "uuid"),
    )
)
_NAMES = ("name", "variable")
_LEAVES = (*_NAMES, "string", "number", "value")
# Of a node: what is done for each item, in another context, or with what was found before.
_REPEATED = ("stages", "predicate", "group", "focus", "index", "ancestor", "tuple", "terms")


def is_bounded(expression: str, tree: Any) -> bool:
    """Return whether an expression with this syntax tree is quick to evaluate."""
    return len(expression) <= MAX_CHARACTERS and _is_bounded(tree)


def _is_bounded(node: Any) -> bool:
    if any(getattr(node, part, None) for part in _REPEATED):
        return False
    parts = _parts(node)
    return parts is not None and all(map(_is_bounded, parts))


def _parts(node: Any) -> list[Any] | None:
    """Return the nodes that a node is evaluated from; None for a kind that may cost anything."""
    kind, value = getattr(node, "type", None), getattr(node, "value", None)
    parts: list[Any] | None = None
    if kind in _LEAVES:
        parts = []
    elif kind == "path" and all(getattr(step, "type", None) in _NAMES for step in node.steps):
        parts = list(node.steps)
    elif kind == "binary" and str(value) in _OPERATORS:
        parts = [node.lhs, node.rhs]
    elif kind == "condition":
        other = getattr(node, "_else", None)
        parts = [node.condition, node.then, *([] if other is None else [other])]
    elif kind == "unary" and value == "{":
        parts = [part for pair in node.lhs_object for part in pair]
    elif kind == "unary":
        parts = list(node.expressions) if value == "[" else [node.expression]
    elif kind == "function" and _is_known(node.procedure):
        parts = list(node.arguments)
    return parts


def _is_known(called: Any) -> bool:
    return getattr(called, "type", None) == "variable" and called.value in _FUNCTIONS
