"""JSONPath as Step Functions has it, which is Jayway's: what a path selects from a value.

A path of names and single indices is definite: it has one value, and it is an error where that is
absent. Wildcards, slices, filters, unions and `..` select a list of any length.

https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
https://github.com/json-path/JsonPath
"""

import functools
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_aws.core.bounded_calls import TooCostly
from local_aws.core.expressions import Expression
from local_aws.core.patching import patch, set_value
from local_aws.errors import LocalAwsError
from local_aws.stepfunctions.interpreter import modules_with

_NAME = re.compile(r"[^\s.\[\]()*,:'\"]+")
_NAME_IN_FILTER = re.compile(r"[^\s.\[\]()*,:'\"=<>!&|~]+")
_INTEGER = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_SLICE = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?")
_OPERATOR = re.compile(r"==|!=|<=|>=|=~|<|>|\b(?:in|nin|contains|size|empty)\b")
_FUNCTION = re.compile(r"\.(length|min|max|avg|sum)\(\)\Z")
_LITERALS = {"true": True, "false": False, "null": None}
_MISSING = object()
# Filters within filters, and `..` after `..`, look at the data again for each value.
MAX_VALUES = 1_000_000

# Yields what it selects of one value.
Step = Callable[[Any, Any], Iterable[Any]]
Operand = Callable[[Any, Any], Any]


class InvalidPath(LocalAwsError):
    """A string that is not a JSONPath."""


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path: its steps, whether it has one value, and a function of the result."""

    steps: tuple[Step, ...]
    definite: bool
    function: str = ""

    def values(self, data: Any, root: Any) -> list[Any]:
        """Return what the steps select of `data`; `$` in a filter is `root`."""
        values = [data]
        for step in self.steps:
            selected: list[Any] = []
            for value in values:
                before = len(selected)
                selected.extend(step(value, root))
                _looked.count(1 + len(selected) - before)
            values = selected
        return values


class _VisitCount(threading.local):
    """How many values this thread has looked at since it began with a path."""

    values = 0

    def count(self, values: int) -> None:
        """Count values; raises InvalidPath where they become too many."""
        self.values += values
        if self.values > MAX_VALUES:
            raise InvalidPath(f"A JSONPath looks at more than {MAX_VALUES:,} values.")


_looked = _VisitCount()


def find(path: str, data: Any) -> Any:
    """Return what a path selects: a value, or a list where it is not definite.

    Raises NoSuchJsonPathError for a definite path without a value, InvalidPath.
    """
    parsed = parse(path)
    _looked.values = 0
    values = parsed.values(data, data)
    if parsed.definite and not values:
        raise NoSuchJsonPathError(json_path=path, data=data)
    value = values[0] if parsed.definite else values
    return _applied(parsed.function, value) if parsed.function else value


@functools.lru_cache(maxsize=2048)
def parse(path: str) -> Path:
    """Return the parsed form of a path that begins with `$`; raises InvalidPath."""
    if not path.startswith("$"):
        raise InvalidPath(f"The JSONPath '{path}' does not begin with $.")
    function = _FUNCTION.search(path)
    body = path[: function.start()] if function else path
    try:
        steps, end, definite = _steps(body, 1)
    except RecursionError as error:
        raise InvalidPath(f"The JSONPath '{path[:80]}' is nested too deeply.") from error
    if end != len(body):
        raise InvalidPath(f"The JSONPath '{path}' is not valid from '{body[end:]}' on.")
    return Path(tuple(steps), definite, function[1] if function else "")


def _steps(
    text: str, position: int, names: re.Pattern[str] = _NAME
) -> tuple[list[Step], int, bool]:
    """Return the steps from a position on, where they end, and whether they are definite."""
    steps: list[Step] = []
    definite = True
    while position < len(text) and text[position] in ".[":
        if text.startswith("..", position):
            steps.append(_descendants)
            definite = False
            position += 2
            if text.startswith("[", position):
                continue
        elif text[position] == ".":
            position += 1
        if text.startswith("[", position):
            step, position, single = _bracket(text, position)
        elif text.startswith("*", position):
            step, position, single = _wildcard, position + 1, False
        else:
            name = names.match(text, position)
            if name is None:
                raise InvalidPath(f"The JSONPath '{text}' has no name at place {position}.")
            step, position, single = _member(name[0]), name.end(), True
        steps.append(step)
        definite = definite and single
    return steps, position, definite


def _bracket(text: str, position: int) -> tuple[Step, int, bool]:
    end = _closing(text, position)
    inner = text[position + 1 : end].strip()
    if inner == "*":
        return _wildcard, end + 1, False
    if inner.startswith("?"):
        return _filter(inner[1:].strip()), end + 1, False
    sliced = _SLICE.fullmatch(inner)
    if sliced:
        first, last, by = (int(part) if part else None for part in sliced.groups())
        return _slice(first, last, by), end + 1, False
    parts = _parts(inner)
    if all(_INTEGER.fullmatch(part) for part in parts) and parts:
        return _indices([int(part) for part in parts]), end + 1, len(parts) == 1
    if parts and all(len(part) > 1 and part[0] in "'\"" and part[-1] == part[0] for part in parts):
        names = [re.sub(r"\\(.)", r"\1", part[1:-1]) for part in parts]
        return _members(names), end + 1, len(names) == 1
    raise InvalidPath(f"The JSONPath '{text}' has [{inner}], which selects nothing.")


def _closing(text: str, position: int) -> int:
    """Return the position of the bracket that closes the one at `position`; quotes are left out."""
    depth, quote, at = 0, "", position
    while at < len(text):
        letter = text[at]
        if quote:
            if letter == "\\":
                at += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise InvalidPath(f"The JSONPath '{text}' has a bracket that is not closed.")


def _parts(text: str) -> list[str]:
    """Return what commas outside of quotes separate."""
    parts, quote, escaped = [""], "", False
    for letter in text:
        if letter == "," and not quote:
            parts.append("")
            continue
        parts[-1] += letter
        if escaped or letter == "\\":
            escaped = not escaped
        elif not quote and letter in "'\"":
            quote = letter
        elif letter == quote:
            quote = ""
    return [part.strip() for part in parts if part.strip()]


def _member(name: str) -> Step:
    return lambda value, _: (value[name],) if isinstance(value, dict) and name in value else ()


def _members(names: list[str]) -> Step:
    def step(value: Any, _: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            yield from (value[name] for name in names if name in value)

    return step


def _indices(indices: list[int]) -> Step:
    def step(value: Any, _: Any) -> Iterator[Any]:
        if isinstance(value, list):
            for index in indices:
                if -len(value) <= index < len(value):
                    yield value[index]

    return step


def _slice(first: int | None, last: int | None, by: int | None) -> Step:
    if by == 0:
        raise InvalidPath("A slice of a JSONPath has a step of 0.")
    return lambda value, _: value[first:last:by] if isinstance(value, list) else ()


def _wildcard(value: Any, _: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _descendants(value: Any, root: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        descendant = waiting.pop()
        yield descendant
        waiting.extend(reversed(list(_wildcard(descendant, root))))


def _applied(function: str, value: Any) -> Any:
    if function == "length":
        return len(value) if isinstance(value, (list, dict, str)) else None
    numbers = [item for item in value if _kind(item) == "number"] if isinstance(value, list) else []
    if not numbers:
        raise InvalidPath(f"The function {function}() of a JSONPath needs an array of numbers.")
    if function == "avg":
        return sum(numbers) / len(numbers)
    return sum(numbers) if function == "sum" else (min if function == "min" else max)(numbers)


class _Filter:
    """A parser of filter expressions: comparisons joined by `&&`, `||`, `!` and parentheses."""

    def __init__(self, text: str) -> None:
        self._text, self._position = text, 0

    def parse(self) -> Operand:
        """Return the test, which gets the current value and the root."""
        test = self._either()
        self._skip()
        if self._position != len(self._text):
            raise InvalidPath(f"The filter '{self._text}' of a JSONPath is not valid.")
        return test

    def _skip(self) -> None:
        while self._text[self._position : self._position + 1].isspace():
            self._position += 1

    def _takes(self, token: str) -> bool:
        self._skip()
        if self._text.startswith(token, self._position):
            self._position += len(token)
            return True
        return False

    def _either(self) -> Operand:
        tests = [self._both()]
        while self._takes("||"):
            tests.append(self._both())
        return lambda value, root: any(test(value, root) for test in tests)

    def _both(self) -> Operand:
        tests = [self._one()]
        while self._takes("&&"):
            tests.append(self._one())
        return lambda value, root: all(test(value, root) for test in tests)

    def _one(self) -> Operand:
        self._skip()
        if self._text.startswith("!", self._position) and not self._text.startswith(
            "!=", self._position
        ):
            self._position += 1
            test = self._one()
            return lambda value, root: not test(value, root)
        if self._takes("("):
            inner = self._either()
            if not self._takes(")"):
                raise InvalidPath(f"The filter '{self._text}' of a JSONPath is not closed.")
            return inner
        return self._comparison()

    def _comparison(self) -> Operand:
        left = self._operand()
        self._skip()
        operator = _OPERATOR.match(self._text, self._position)
        if operator is None:
            return lambda value, root: left(value, root) is not _MISSING
        self._position = operator.end()
        compare, right = _COMPARISONS[operator[0]], self._operand()
        return lambda value, root: compare(left(value, root), right(value, root))

    def _operand(self) -> Operand:
        self._skip()
        text, position = self._text, self._position
        if text[position : position + 1] in ("@", "$") and position < len(text):
            steps, self._position, definite = _steps(text, position + 1, _NAME_IN_FILTER)
            path, of_root = Path(tuple(steps), definite), text[position] == "$"
            return lambda value, root: _operand_value(path, root if of_root else value, root)
        literal = self._literal()
        return lambda *_: literal

    def _literal(self) -> Any:
        text, position = self._text, self._position
        letter = text[position : position + 1]
        if letter in ("'", '"'):
            match = re.compile(rf"{letter}((?:\\.|[^{letter}\\])*){letter}").match(text, position)
            if match:
                self._position = match.end()
                return re.sub(r"\\(.)", r"\1", match[1])
        if letter == "/":
            match = re.compile(r"/((?:\\.|[^/\\])*)/(i?)").match(text, position)
            if match:
                self._position = match.end()
                try:
                    return Expression(match[1], ignore_case=bool(match[2]))
                except (re.error, RecursionError) as error:
                    raise InvalidPath(f"The filter '{text}' has a wrong pattern.") from error
        if letter == "[":
            end = _closing(text, position)
            self._position = end + 1
            return [_Filter(part)._literal() for part in _parts(text[position + 1 : end])]
        number = _NUMBER.match(text, position)
        if number:
            self._position = number.end()
            return json.loads(number[0])
        for word, value in _LITERALS.items():
            if text.startswith(word, position):
                self._position = position + len(word)
                return value
        raise InvalidPath(f"The filter '{text}' of a JSONPath is not valid.")


def _operand_value(path: Path, data: Any, root: Any) -> Any:
    values = path.values(data, root)
    if not path.definite:
        return values
    return values[0] if values else _MISSING


def _filter(text: str) -> Step:
    test = _Filter(text).parse()

    def step(value: Any, root: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            yield from (value,) if test(value, root) else ()
        elif isinstance(value, list):
            yield from (item for item in value if test(item, root))

    return step


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def _equals(left: Any, right: Any) -> bool:
    return _kind(left) == _kind(right) and bool(left == right)


def _matches(left: Any, right: Any) -> bool:
    try:
        return isinstance(left, str) and isinstance(right, Expression) and right.fullmatch(left)
    except TooCostly as error:
        raise InvalidPath(f"The pattern of a JSONPath is not matched: {error}.") from error


def _is_in(left: Any, right: Any) -> bool:
    if not isinstance(right, list):
        return False
    _looked.count(len(right))
    return any(_equals(left, item) for item in right)


def _is_not_in(left: Any, right: Any) -> bool:
    return left is not _MISSING and isinstance(right, list) and not _is_in(left, right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    return _is_in(right, left)


def _has_size(left: Any, right: Any) -> bool:
    return isinstance(left, (list, str)) and _equals(len(left), right)


def _is_empty(left: Any, right: Any) -> bool:
    return isinstance(left, (list, str)) and (not left) is right


def _is_less(left: Any, right: Any) -> bool:
    return _are_ordered(left, right) and bool(left < right)


def _are_ordered(left: Any, right: Any) -> bool:
    return _kind(left) == _kind(right) and _kind(left) in ("number", "str")


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equals,
    "!=": lambda left, right: not _equals(left, right),
    "<": _is_less,
    "<=": lambda left, right: _are_ordered(left, right) and not _is_less(right, left),
    ">": lambda left, right: _is_less(right, left),
    ">=": lambda left, right: _are_ordered(left, right) and not _is_less(left, right),
    "=~": _matches,
    "in": _is_in,
    "nin": _is_not_in,
    "contains": _contains,
    "size": _has_size,
    "empty": _is_empty,
}


for _symbol in modules_with("extract_json"):
    set_value(
        _symbol,
        find,
        why="gives a list for a name after an index and a value for a list of one, and fails at "
        "names that are not ASCII, at filters with && and at wildcards without a match",
    )


def _visit_path(original: Any, preprocessor: Any, ctx: Any) -> Any:
    component = original(preprocessor, ctx)
    parse(component.json_path)
    return component


for _name in ("visitString_jsonpath", "visitString_context_path"):
    patch(
        f"moto.stepfunctions.parser.asl.parse.preprocessor.Preprocessor.{_name}",
        why="takes paths that are not valid, and then fails at each execution",
    )(_visit_path)
