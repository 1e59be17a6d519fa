"""Filter patterns over columns: `[ip, user, ..., status = 4*, size > 1000]`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import operator
import re
from collections.abc import Callable

from local_aws.logs.filter_patterns import PatternError, Test, expression, matches_text

_ELLIPSIS = "..."
_COLUMN = re.compile(
    r"(?P<name>[\w.\-]+)\s*(?:(?P<sign>!=|<=|>=|=|<|>)\s*(?P<wanted>.+))?", re.DOTALL
)
_VALUE = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def columns(text: str) -> Test:
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


def _paired(tests: list[Test | None], values: list[str]) -> list[tuple[Test, str]] | None:
    """Return each column's test with its value, None where there are not as many."""
    if None not in tests:
        plain = [test for test in tests if test is not None]
        return list(zip(plain, values, strict=True)) if len(plain) == len(values) else None
    at = tests.index(None)
    head = [test for test in tests[:at] if test is not None]
    tail = [test for test in tests[at + 1 :] if test is not None]
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


def _test(sign: str, wanted: str) -> Test:
    if sign in _ORDERS:
        return _ordered(_ORDERS[sign], wanted)
    if wanted.startswith("%") and wanted.endswith("%"):
        pattern = expression(wanted.strip("%"))
        return lambda value: (pattern.search(value) is not None) == (sign == "=")
    text = wanted.strip('"')
    return lambda value: matches_text(text, value) == (sign == "=")


def _ordered(order: Callable[[float, float], bool], wanted: str) -> Test:
    def test(value: str) -> bool:
        try:
            return order(float(value), float(wanted))
        except ValueError:
            return False

    return test
