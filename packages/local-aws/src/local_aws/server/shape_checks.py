"""Values held against a shape of botocore's models: one walk for types and all constraints.

What a shape needs is worked out once, at its first request; a value is then compared with what
its shape says only, and its place is put into words only where something is wrong.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html and the pages
of the other operations have the numbers and patterns that botocore's models have.
"""

import base64
import binascii
import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

_BITS = {"integer": 31, "long": 63}
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")
_ARTICLES = {
    "boolean": "a Boolean",
    "blob": "a ByteBuffer",
    "double": "a Double",
    "float": "a Float",
    "integer": "an Integer",
    "list": "a list",
    "long": "a Long",
    "map": "a map",
    "string": "a String",
    "structure": "a structure",
    "timestamp": "a Timestamp",
}
_MAX_SHOWN = 256
# A list of choices that is longer is cut.
_MAX_CONSTRAINT = 2048
COSTLY = frozenset(
    {
        r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$",
        r"[a-z0-9]([-a-z0-9]*[a-z0-9]){0,39}?",
        r"https://([.\-_a-zA-Z0-9]+/?){3,1016}",
        r"^[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*$",
        r"^[ \t]*[^\x00-\x1F:\x7F]+([ \t]+[^\x00-\x1F:\x7F]+)*[ \t]*$",
    }
)
"""Patterns that may take years for a text that they do not match; they are not looked at."""

# Java's classes of letters, spaces and numbers; those of tags have the underscore of \w as well.
_TAG_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\uD800\uDC00-\uDBFF\uDFFF": "\U00010000-\U0010ffff",
}


class Malformed(Exception):
    """A value of another type than the model's."""


_Test = Callable[[Any], bool]
# A place in a request: the place around it, and its name in that one.
_Place = tuple[Any, str] | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that a constraint of its shape forbids."""

    place: str
    value: Any
    # As it follows "Member must" or "Map keys must".
    constraint: str = "not be null"
    subject: str = "Member"
    is_secret: bool = False

    def __str__(self) -> str:
        """Return AWS's sentence."""
        shown = "" if self.is_secret else f" '{_shown(self.value)[:_MAX_SHOWN]}'"
        if self.value is None:
            shown = " null"
        return (
            f"Value{shown} at '{self.place}' failed to satisfy constraint: "
            f"{self.subject} must {self.constraint[:_MAX_CONSTRAINT]}"
        )


@dataclass(slots=True)
class _Node:
    """What is asked of the values of one shape."""

    type_name: str
    takes: _Test
    is_secret: bool
    # A test that a forbidden value meets, and the words for it.
    constraints: tuple[tuple[_Test, str], ...] = ()
    # All constraints, as AWS lists them for the values of a list or a map.
    words: str = ""
    # Of a structure: by each name that a member may be sent under.
    members: dict[str, tuple[str, "_Node"]] | None = None
    # Of a structure: the members that must be there, with the names that they are sent under.
    required: list[tuple[str, str]] = field(default_factory=list)
    # Of a list or a map.
    key: "_Node | None" = None
    value: "_Node | None" = None


def faults(shape: Shape, value: Any, name: str = "", *, minima_only: bool = False) -> list[Fault]:
    """Return what is wrong with a value, parsed from JSON or typed; raises Malformed for a type.

    `name` is that of the value, "" for a whole request. With `minima_only` no more is asked than
    boto3 asks before it sends a request.
    """
    found: list[Fault] = []
    if value is not None:
        _walk(_node(shape, minima_only), value, (None, name) if name else None, found)
    return found


def has_member(shape: Shape, name: str) -> bool:
    """Return whether a structure within a shape has a member of that name."""
    waiting, seen = [_node(shape, minima_only=True)], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if name in (node.members or ()):
            return True
        inner = [member for _, member in (node.members or {}).values()]
        waiting += [*inner, *([node.value] if node.value else [])]
    return False


def _walk(node: _Node, value: Any, place: _Place, found: list[Fault]) -> None:
    if not node.takes(value):
        raise _malformed(node, value, place)
    for forbids, words in node.constraints:
        if forbids(value):
            found.append(Fault(_joined(place), value, words, is_secret=node.is_secret))
    _walk_within(node, value, place, found)


def _malformed(node: _Node, value: Any, place: _Place) -> Malformed:
    kind = _ARTICLES.get(node.type_name, node.type_name)
    at = f": '{_joined(place)}'" if place else ""
    return Malformed(f"{_json_kind(value)} can not be converted to {kind}{at}")


def _walk_within(node: _Node, value: Any, place: _Place, found: list[Fault]) -> None:
    if node.members is not None:
        for name, given in value.items():
            member = node.members.get(name)
            if member is not None and given is not None:
                _walk(member[1], given, (place, member[0]), found)
        for name, sent in node.required:
            if value.get(sent) is None and value.get(name) is None:
                found.append(Fault(_joined((place, _lower(name))), None))
    elif node.value is not None:
        if node.key is not None:
            _walk_all(node, node.key, value, place, found)
        _walk_all(node, node.value, value, place, found)


def _walk_all(node: _Node, part: _Node, whole: Any, place: _Place, found: list[Fault]) -> None:
    """Walk through the keys or values of a list or a map, which have one fault together."""
    is_map, is_key = node.key is not None, part is node.key
    is_deep, is_broken = part.members is not None or part.value is not None, False
    for number, value in enumerate(whole.values() if is_map and not is_key else whole, 1):
        if value is None:
            continue
        if not part.takes(value):
            raise _malformed(part, value, (place, f"{number}.member"))
        if part.constraints and any(forbids(value) for forbids, _ in part.constraints):
            is_broken = True
    if is_deep:
        named = whole.items() if is_map else ((f"{n}.member", v) for n, v in enumerate(whole, 1))
        for name, value in named:
            if value is not None:
                _walk_within(part, value, (place, str(name)), found)
    if is_broken:
        subject = "Map keys" if is_key else "Map value" if is_map else "Member"
        words = f"satisfy constraint: [{part.words}]"
        secret = node.is_secret or part.is_secret
        found.append(Fault(_joined(place), whole, words, subject, secret))


@functools.cache
def _node(shape: Shape, minima_only: bool) -> _Node:
    """Return the node of an operation's shape, which lives as long as botocore's model."""
    return _made(shape, minima_only, {})


def _made(shape: Shape, minima_only: bool, known: dict[str, _Node]) -> _Node:
    if shape.name in known:
        return known[shape.name]
    node = known[shape.name] = _Node(
        shape.type_name,
        _TESTS.get(shape.type_name, _is_text),
        is_secret=bool(shape.metadata.get("sensitive")),
    )
    if getattr(shape, "is_document_type", False):
        node.takes = lambda _: True
        return node
    every = [*_constraints(shape, minima_only)]
    node.constraints = tuple((forbids, words) for forbids, words in every if forbids is not None)
    node.words = ", ".join(f"Member must {words}" for _, words in every)
    if isinstance(shape, StructureShape):
        node.members = {}
        for name, member in shape.members.items():
            if "location" in member.serialization:
                continue
            sent = member.serialization.get("name", name)
            inner = (_lower(name), _made(member, minima_only, known))
            node.members[sent] = node.members[name] = inner
            if name in shape.required_members:
                node.required.append((name, sent))
    elif isinstance(shape, ListShape):
        node.value = _made(shape.member, minima_only, known)
    elif isinstance(shape, MapShape):
        node.key = _made(shape.key, minima_only, known)
        node.value = _made(shape.value, minima_only, known)
    return node


def _constraints(shape: Shape, minima_only: bool) -> Iterator[tuple[_Test | None, str]]:
    """Yield a shape's constraints in AWS's order; no test where no value breaks one."""
    size = _SIZES.get(shape.type_name)
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    unit = "value" if size is _number else "length"
    if size and most is not None and not minima_only:
        yield (lambda value: size(value) > most), f"have {unit} less than or equal to {most}"
        least = least or 0
    if size and least is not None:
        is_possible = unit == "value" or least > 0
        forbids = (lambda value: size(value) < least) if is_possible else None
        yield forbids, f"have {unit} greater than or equal to {least}"
    if minima_only or shape.type_name != "string":
        return
    if written := shape.metadata.get("pattern"):
        yield _mismatch(written), f"satisfy regular expression pattern: {written}"
    if choices := shape.metadata.get("enum"):
        known = frozenset(choices)
        yield (
            (lambda value: value not in known),
            f"satisfy enum value set: [{', '.join(choices)}]",
        )


def _mismatch(written: str) -> _Test | None:
    pattern = python_pattern(written)
    return None if pattern is None else lambda value: pattern.fullmatch(str(value)) is None


def python_pattern(text: str) -> re.Pattern[str] | None:
    """Return a pattern of a model, Java's, as Python's; None for one that Python cannot have."""
    if not text or text in COSTLY:
        return None
    flags = re.NOFLAG if r"\p" in text else re.ASCII
    if r"\p" not in text or "_" in text:
        for java, python in _TAG_CLASSES.items():
            text = text.replace(java, python)
    try:
        return re.compile(text, flags)
    except re.error:
        return None


def _number(value: Any) -> float:
    return float(value)


def _bytes(value: Any) -> int:
    """Return how many bytes a value has, which is base64 where it is a text."""
    return len(value) // 4 * 3 - value[-2:].count("=") if isinstance(value, str) else len(value)


# How the values of a type are measured.
_SIZES: dict[str, Callable[[Any], float]] = {
    **dict.fromkeys(("string", "list", "map"), len),
    **dict.fromkeys(("integer", "long", "float", "double"), _number),
    "blob": _bytes,
}


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _joined(place: _Place) -> str:
    names = []
    while place is not None:
        names.append(_lower(place[1]))
        place = place[0]
    return ".".join(reversed(names))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}={each}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(str(each) for each in value) + "]"
    return str(value)


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return f"{str(value).upper()}_VALUE"
    if isinstance(value, Mapping):
        return "START_OBJECT"
    if isinstance(value, list):
        return "START_ARRAY"
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or not isinstance(value, bool | int | float | Mapping | list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, bits: int) -> bool:
    whole = _is_number(value) and math.isfinite(value) and int(value) == value
    return whole and -(2**bits) <= value < 2**bits


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict | Mapping)


def _is_time(value: Any) -> bool:
    if hasattr(value, "timestamp"):
        return True
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        parse_timestamp(value)  # type: ignore[arg-type] # it takes numbers, too
    except (ValueError, RuntimeError, OverflowError):
        return False
    return True


def _is_bytes(value: Any) -> bool:
    if isinstance(value, bytes):
        return True
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_real(value: Any) -> bool:
    return _is_number(value) or value in _NOT_NUMBERS


_TESTS: dict[str, _Test] = {
    "blob": _is_bytes,
    "boolean": lambda value: isinstance(value, bool),
    "double": _is_real,
    "float": _is_real,
    "list": lambda value: isinstance(value, list | tuple),
    "map": _is_mapping,
    "structure": _is_mapping,
    "timestamp": _is_time,
    **{kind: functools.partial(_is_whole, bits=bits) for kind, bits in _BITS.items()},
}
