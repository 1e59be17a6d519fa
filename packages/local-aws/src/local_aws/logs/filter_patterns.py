"""CloudWatch Logs' filter patterns: words, JSON and columns.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import fnmatch
import functools
import json
import logging
import operator
import re
from collections.abc import Callable
from typing import Any, TypeVar

from local_aws.core.bounded_calls import TooCostly
from local_aws.core.expressions import Expression
from local_aws.eventbridge.delivery import DeliveryFailed
from local_aws.eventbridge.input_transformer import at_path, is_missing

Test = Callable[[str], bool]
JsonTest = Callable[[Any], bool]

_log = logging.getLogger(__name__)

_TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<quoted>[^"]*)"|%(?P<regex>[^%]+)%|(?P<bare>\S+))')
_JSON_TOKEN = re.compile(
    r"\s*(?:(?P<sign>&&|\|\||!=|<=|>=|[=<>()])|(?P<path>\$[^\s=!<>()&|]*)"
    r"|(?P<text>\"[^\"]*\")|%(?P<regex>[^%]+)%|(?P<word>[^\s()=!<>&|]+))"
)
_ELLIPSIS, _EACH = "...", "[*]"
_COLUMN = re.compile(
    r"(?P<name>[\w.\-]+)\s*(?:(?P<sign>!=|<=|>=|=|<|>)\s*(?P<wanted>.+))?", re.DOTALL
)
_VALUE = re.compile(r'\[[^\[\]]*\]|"[^"]*"|\S+')
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class PatternError(Exception):
    """A filter pattern that cannot be read."""


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Test:
    """Return whether a message matches, as a function; raises PatternError."""
    text = pattern.strip()
    if not text:
        return lambda _: True
    if text.startswith("{") and text.endswith("}"):
        return _json(text[1:-1])
    if text.startswith("[") and text.endswith("]"):
        return _columns(text[1:-1])
    if text[0] in "{[":
        raise PatternError(f"the pattern {text} has no closing bracket")
    return _terms(text)


def _terms(text: str) -> Test:
    wanted: list[Test] = []
    unwanted: list[Test] = []
    optional: list[Test] = []
    for found in _TERM.finditer(text):
        test = _word(found["quoted"] or found["bare"] or "", found["regex"])
        {"?": optional, "-": unwanted}.get(found["sign"], wanted).append(test)

    def matches(message: str) -> bool:
        if any(test(message) for test in unwanted):
            return False
        if not all(test(message) for test in wanted):
            return False
        return not optional or bool(wanted) or any(test(message) for test in optional)

    return matches


def _word(term: str, regex: str | None) -> Test:
    return _expression(regex) if regex else lambda message: term in message


def _expression(regex: str) -> Test:
    """Return whether a text has a match of a pattern's expression, as a function.

    Raises PatternError. A text that takes too long has none, and the server's log says so.
    """
    try:
        expression = Expression(regex)
    except (re.error, RecursionError) as error:
        raise PatternError(f"the regular expression %{regex}% cannot be read: {error}") from error

    def matches(text: str) -> bool:
        try:
            return expression.search(text) is not None
        except TooCostly as error:
            _log.warning("%%%s%% is not matched with a message of %d: %s", regex, len(text), error)
            return False

    return matches


def _json(text: str) -> Test:
    tokens = _json_tokens(text)
    test = _either(tokens)
    if tokens:
        raise PatternError(f"{tokens[0][1]} is not expected there")

    def matches(message: str) -> bool:
        if not message.lstrip().startswith(("{", "[")):
            return False
        try:
            return test(json.loads(message))
        except (ValueError, OverflowError, RecursionError):  # not JSON, or no number of 64 bits
            return False

    return matches


def _json_tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _JSON_TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise PatternError(f"{text[at:].strip()} cannot be read")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _either(tokens: list[tuple[str, str]]) -> JsonTest:
    tests = [_both(tokens)]
    while tokens and tokens[0] == ("sign", "||"):
        tokens.pop(0)
        tests.append(_both(tokens))
    return lambda document: any(test(document) for test in tests)


def _both(tokens: list[tuple[str, str]]) -> JsonTest:
    tests = [_condition(tokens)]
    while tokens and tokens[0] == ("sign", "&&"):
        tokens.pop(0)
        tests.append(_condition(tokens))
    return lambda document: all(test(document) for test in tests)


def _condition(tokens: list[tuple[str, str]]) -> JsonTest:
    kind, text = _take(tokens)
    if text == "(" and kind == "sign":
        test = _either(tokens)
        if _take(tokens) != ("sign", ")"):
            raise PatternError(") is missing")
        return test
    if kind != "path":
        raise PatternError(f"{text} stands where a selector such as $.name is expected")
    return _selected(text, _comparison(tokens))


def _selected(path: str, test: Test | JsonTest) -> JsonTest:
    head, each, tail = path.partition(_EACH)
    if each:
        return _any_selected(head, f"${tail}", test)

    def matches(document: Any) -> bool:
        try:
            return bool(test(at_path(document, path)))
        except DeliveryFailed as error:
            raise PatternError(error.message) from error

    matches({})
    return matches


def _any_selected(head: str, tail: str, test: Test | JsonTest) -> JsonTest:
    """Return whether one of an array's values has what a selector behind `[*]` asks for."""
    if _EACH in tail:
        raise PatternError("a selector has one [*] at most")
    inner = _selected(tail, test)

    def matches(items: Any) -> bool:
        return isinstance(items, list) and any(inner(item) for item in items)

    return _selected(head, matches)


def _take(tokens: list[tuple[str, str]]) -> tuple[str, str]:
    if not tokens:
        raise PatternError("it ends too early")
    return tokens.pop(0)


def _comparison(tokens: list[tuple[str, str]]) -> JsonTest:
    _, sign = _take(tokens)
    kind, operand = _take(tokens)
    if sign.upper() in ("IS", "NOT"):
        return _state(sign.upper(), operand.upper())
    if sign in _ORDERS:
        number = _number(operand)
        return lambda value: _is_number(value) and bool(_ORDERS[sign](value, number))
    if sign not in ("=", "!="):
        raise PatternError(f"{sign} is no operator")
    equal = _equal(kind, operand)
    if sign == "=":
        return lambda value: not is_missing(value) and equal(value)
    return lambda value: not is_missing(value) and not equal(value)


def _state(sign: str, operand: str) -> JsonTest:
    tests: dict[tuple[str, str], JsonTest] = {
        ("IS", "TRUE"): lambda value: value is True,
        ("IS", "FALSE"): lambda value: value is False,
        ("IS", "NULL"): lambda value: value is None,
        ("NOT", "EXISTS"): is_missing,
    }
    if (sign, operand) not in tests:
        raise PatternError(f"{sign} {operand} is not known")
    return tests[sign, operand]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PatternError(f"{text} is no number") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(kind: str, operand: str) -> JsonTest:
    if kind == "regex":
        pattern = _expression(operand)
        return lambda value: isinstance(value, str) and pattern(value)
    text = operand.strip('"')

    def equal(value: Any) -> bool:
        if text == "*":  # any value, of whatever type
            return value is not None
        if _is_number(value):
            return kind == "word" and _is_float(text) and float(value) == float(text)
        return isinstance(value, str) and matches_text(text, value)

    return equal


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def matches_text(pattern: str, value: str) -> bool:
    """Return whether a text is the wanted one, in which `*` stands for anything."""
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(value, literal) if "*" in pattern else value == pattern


def _columns(text: str) -> Test:
    """Return whether a message's columns match, as a function; raises PatternError."""
    parts = [part.strip() for part in text.split(",")]
    if parts.count(_ELLIPSIS) > 1:
        raise PatternError("... may stand once")
    tests = [None if part == _ELLIPSIS else _column(part) for part in parts]

    def matches(message: str) -> bool:
        values = [value.strip('[]"') for value in _VALUE.findall(message)]
        found = _paired(tests, values)
        return found is not None and all(test(value) for test, value in found)

    return matches


def columns_of(pattern: str, message: str) -> dict[str, str] | None:
    """Return the values of a pattern's columns in a message; None for a pattern of another kind."""
    text = pattern.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    parts = [part.strip() for part in text[1:-1].split(",")]
    found = (_COLUMN.fullmatch(part) for part in parts)
    names = [one["name"] if one and one[0] != _ELLIPSIS else None for one in found]
    values = [value.strip('[]"') for value in _VALUE.findall(message)]
    return dict(_paired(names, values) or ())


_Part = TypeVar("_Part")


def _paired(columns: list[_Part | None], values: list[str]) -> list[tuple[_Part, str]] | None:
    """Return what stands for each column with its value, None where there are not as many."""
    if None not in columns:
        plain = [test for test in columns if test is not None]
        return list(zip(plain, values, strict=True)) if len(plain) == len(values) else None
    at = columns.index(None)
    head = [test for test in columns[:at] if test is not None]
    tail = [test for test in columns[at + 1 :] if test is not None]
    if len(values) < len(head) + len(tail):
        return None
    last = values[len(values) - len(tail) :]
    return [*zip(head, values, strict=False), *zip(tail, last, strict=True)]


def _column(text: str) -> Test:
    found = _COLUMN.fullmatch(text)
    if found is None:
        raise PatternError(f"the column {text} cannot be read")
    if found["sign"] is None:
        return lambda _: True
    return _test(found["sign"], found["wanted"].strip())


def _test(sign: str, operand: str) -> Test:
    if sign in _ORDERS:
        return _ordered(_ORDERS[sign], operand)
    if operand.startswith("%") and operand.endswith("%"):
        pattern = _expression(operand.strip("%"))
        return lambda value: pattern(value) == (sign == "=")
    text = operand.strip('"')
    return lambda value: matches_text(text, value) == (sign == "=")


def _ordered(order: Callable[[float, float], bool], operand: str) -> Test:
    def test(value: str) -> bool:
        try:
            return order(float(value), float(operand))
        except ValueError:
            return False

    return test
