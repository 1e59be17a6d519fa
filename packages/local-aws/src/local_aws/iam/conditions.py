"""The Condition element of a policy, with its wildcards and variables.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import base64
import functools
import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local_aws.core.expressions import wildcard
from local_aws.iam.condition_keys import UNTOLD, is_known

# A request's condition keys, in lower case; a key that is absent has no value at all.
Values = Mapping[str, str | Sequence[str]]
Test = Callable[[str, str], bool]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# Stand for `*`, `?` and `$` where a variable gives them: there they are no wildcards.
_QUOTED = {"*": "\ue000", "?": "\ue001", "$": "$"}
_UNQUOTED = {quoted: sign for sign, quoted in _QUOTED.items()}
_NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}


def as_list(value: Any) -> list[Any]:
    """Return a policy's value as the list that it may also be written as."""
    return value if isinstance(value, list) else [value]


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return wildcard(
        [
            "".join("." if c == "?" else re.escape(_UNQUOTED.get(c, c)) for c in part)
            for part in text.split("*")
        ]
    )


def matches(pattern: str, value: str) -> bool:
    """Return whether a pattern with `*` and `?` is the whole value; nothing else is special."""
    return _pattern(pattern).fullmatch(value) is not None


def pattern_of(text: Any, values: Values) -> str | None:
    """Return the pattern with its policy variables filled in; None when one has no value.

    What is no text, as in a policy that was kept before it was checked, is no pattern either.
    `${key, 'default'}` takes its default instead. What a variable gives is literal: its
    asterisks are none of the pattern.
    """
    if not isinstance(text, str):
        return None
    missing = False

    def fill(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = found[1].partition(",")
        if name.strip() in _QUOTED:
            return _QUOTED[name.strip()]
        value = values.get(name.strip().lower())
        if not isinstance(value, str):
            missing = missing or not default
            value = default.strip().strip("'")
        return "".join(_QUOTED.get(sign, sign) for sign in value)

    filled = _VARIABLE.sub(fill, text)
    return None if missing else filled


def _literal(pattern: str) -> str:
    """Return a filled pattern as a text, for the operators that know no wildcards."""
    return "".join(_UNQUOTED.get(sign, sign) for sign in pattern)


def tag_values(prefix: str, tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the condition keys of tags, which have no case; of two that differ in it, none.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourcetag
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for key, value in tags:
        found.setdefault(f"{prefix}{key.lower()}", set()).add((key, value))
    return {name: value for name, ((_, value), *others) in found.items() if not others}


def unknown_keys(block: Mapping[str, Mapping[str, Any]], values: Values, service: str) -> list[str]:
    """Return the keys of a Condition element whose values nobody knows here, and such variables."""
    return [
        name
        for keys in block.values()
        for key, expected in keys.items()
        for name in (key, *variables(expected))
        if not _is_known(name, values, service)
    ]


def unknown_variables(patterns: Any, values: Values, service: str) -> list[str]:
    """Return the variables of patterns whose values nobody knows here."""
    return [name for name in variables(patterns) if not _is_known(name, values, service)]


def variables(patterns: Any) -> list[str]:
    """Return the keys that policy variables of patterns name."""
    texts = (text for text in as_list(patterns) if isinstance(text, str) and "${" in text)
    names = (found.partition(",")[0].strip() for text in texts for found in _VARIABLE.findall(text))
    return [name for name in names if name not in _QUOTED]


def statement_keys(statement: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a statement's conditions, and those that its variables name."""
    for keys in (statement.get("Condition") or {}).values():
        for key, expected in keys.items():
            yield key
            yield from variables(expected)
    yield from variables(statement.get("Resource", statement.get("NotResource", [])))


def _is_known(key: str, values: Values, service: str) -> bool:
    found = values.get(key.lower())
    return is_known(key, service) if found is None else found != UNTOLD


def conditions_hold(
    block: Mapping[str, Mapping[str, Any]], values: Values, service: str = ""
) -> bool:
    """Return whether every operator of a Condition element is met, for each key that is known.

    An operator that IAM does not have is never met. `service` is the action's.
    """
    return all(
        _met(name, key, [_text(item) for item in as_list(expected)], values)
        for name, keys in block.items()
        for key, expected in keys.items()
        if not unknown_keys({name: {key: expected}}, values, service)
    )


def is_operator(name: str) -> bool:
    """Return whether IAM has an operator of conditions of that name."""
    quantifier, _, plain = name.rpartition(":")
    base = plain.removesuffix("IfExists")
    known = base == "Null" or _NEGATIONS.get(base, base) in _TESTS
    return known and quantifier in ("", "ForAllValues", "ForAnyValue")


def _met(name: str, key: str, expected: list[str], values: Values) -> bool:
    quantifier, _, plain = name.rpartition(":")
    base = plain.removesuffix("IfExists")
    found = values.get(key.lower())
    if base == "Null":
        return any((found is None) == (each.lower() == "true") for each in expected)
    negated = base in _NEGATIONS
    test = _TESTS.get(_NEGATIONS.get(base, base))
    if test is None:
        return False
    if found is None:
        # Where any value must differ, there must be one.
        differs = negated and quantifier != "ForAnyValue"
        return differs or base != plain or quantifier == "ForAllValues"
    patterns = [text for item in expected if (text := pattern_of(item, values)) is not None]

    def one(value: str) -> bool:
        return any(_holds(test, value, pattern) for pattern in patterns) != negated

    if quantifier == "ForAllValues":
        return all(one(value) for value in as_sequence(found))
    if negated and quantifier != "ForAnyValue":
        return all(one(value) for value in as_sequence(found))
    return any(one(value) for value in as_sequence(found))


def as_sequence(found: str | Sequence[str]) -> Sequence[str]:
    """Return a condition key's values, one or many."""
    return [found] if isinstance(found, str) else found


def _holds(test: Test, value: str, expected: str) -> bool:
    try:
        return test(value, expected if test in _WILDCARD_TESTS else _literal(expected))
    except (ValueError, OverflowError, OSError):
        # A value that is no number, date or address meets no test of one.
        return False


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _string_like(value: str, expected: str) -> bool:
    return matches(expected, value)


def _arn_like(value: str, expected: str) -> bool:
    found, pattern = value.split(":", 5), expected.split(":", 5)
    if len(found) != 6 or len(pattern) != 6:
        return expected == "*"
    return all(matches(p, v) for p, v in zip(pattern, found, strict=True))


def _numbers(compare: Callable[[float, float], bool]) -> Test:
    return lambda value, expected: compare(float(value), float(expected))


def _dates(compare: Callable[[datetime, datetime], bool]) -> Test:
    return lambda value, expected: compare(_date(value), _date(expected))


def _date(text: str) -> datetime:
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    date = datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _in_network(value: str, expected: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(expected, strict=False)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
_TESTS: dict[str, Test] = {
    "StringEquals": operator.eq,
    "StringEqualsIgnoreCase": lambda value, expected: value.casefold() == expected.casefold(),
    "StringLike": _string_like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda value, expected: value.lower() == expected.lower(),
    "BinaryEquals": lambda value, expected: base64.b64decode(expected) == value.encode(),
    "IpAddress": _in_network,
    **{f"Numeric{name}": _numbers(compare) for name, compare in _COMPARISONS.items()},
    **{f"Date{name}": _dates(compare) for name, compare in _COMPARISONS.items()},
}
_WILDCARD_TESTS = (_string_like, _arn_like)
