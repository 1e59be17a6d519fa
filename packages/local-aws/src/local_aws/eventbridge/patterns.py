"""Event patterns: which are valid, and which events they match.

The grammar is the published one, with the operators of
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
and the refusals of https://github.com/aws/event-ruler, with which EventBridge matches.
"""

import functools
import ipaddress
import itertools
import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

# Several lists of objects multiply.
_MAX_ALTERNATIVES = 1000
_MISSING = object()
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MAX_NUMBER = 5e9
# AWS bounds the states of its matcher; this many wildcards before one and the same character are
# refused there.
_MAX_SAME_AFTER_WILDCARD = 4
_TESTED_WITHIN_ANYTHING_BUT = ("prefix", "suffix", "wildcard", "equals-ignore-case")


class PatternError(ValueError):
    """A pattern that EventBridge refuses; the message is the reason."""


def parse_pattern(text: str | None) -> dict[str, Any]:
    """Return a pattern from its JSON. Raises PatternError."""
    if not text:
        return {}
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PatternError("Invalid JSON") from error
    if not isinstance(pattern, dict):
        raise PatternError("Filter is not an object")
    _check_object(pattern)
    return pattern


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Return whether an event matches a valid pattern; an empty one matches every event."""
    return any(_matches_object(pattern, alternative) for alternative in alternatives(event))


def alternatives(event: Any) -> Iterator[Any]:
    """Yield the event with one object in the place of each list of objects, in every way.

    A pattern on a field of such a list holds if it does for one of its objects:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
    """
    yield from itertools.islice(_alternatives(event), _MAX_ALTERNATIVES)


def _alternatives(value: Any) -> Iterator[Any]:
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _alternatives(item)
    elif isinstance(value, Mapping):
        for parts in itertools.product(*(list(alternatives(part)) for part in value.values())):
            yield dict(zip(value, parts, strict=True))
    else:
        yield value


# --- validation ---


def _check_object(pattern: Mapping[str, Any]) -> None:
    if not pattern:
        raise PatternError("Empty objects are not allowed")
    for name, value in pattern.items():
        if name == "$or" and _is_or(value):
            for inner in value:
                _check_object(inner)
        elif isinstance(value, dict):
            _check_object(value)
        elif not isinstance(value, list):
            raise PatternError(f'"{name}" must be an object or an array')
        elif not value:
            raise PatternError("Empty arrays are not allowed")
        else:
            for operand in value:
                _check_value(operand)


def _is_or(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(v, dict) for v in value)


def _check_value(value: Any) -> None:
    if isinstance(value, list):
        raise PatternError("Match value must be String, number, true, false, or null")
    if not isinstance(value, dict):
        return
    if len(value) != 1:
        raise PatternError("Only one key allowed in match expression")
    name, operand = next(iter(value.items()))
    check = _CHECKS.get(name)
    if check is None:
        raise PatternError(f"Unrecognized match type {name}")
    check(name, operand)


def _check_exists(name: str, operand: Any) -> None:
    if not isinstance(operand, bool):
        raise PatternError(f"{name} match pattern must be either true or false.")


def _check_affix(name: str, operand: Any) -> None:
    """Check the value of `prefix` or `suffix`: a string, or one in any case."""
    if isinstance(operand, dict):
        if list(operand) != ["equals-ignore-case"]:
            raise PatternError(f"Unsupported {name} pattern: {next(iter(operand), '')}")
        operand = operand["equals-ignore-case"]
    _check_string(name, operand)


def _check_string(name: str, operand: Any) -> None:
    if not isinstance(operand, str):
        raise PatternError(f"{name} match pattern must be a string")


def _check_wildcard(name: str, operand: Any) -> None:
    _check_string(name, operand)
    tokens = _wildcard_tokens(operand)
    if any(token is after is None for token, after in itertools.pairwise(tokens)):
        raise PatternError("Consecutive wildcard characters are not allowed")
    signs = [after for token, after in itertools.pairwise(tokens) if token is None]
    if any(signs.count(sign) > _MAX_SAME_AFTER_WILDCARD for sign in set(signs)):
        raise PatternError(
            "Rule is too complex - try using fewer wildcard characters or fewer repeating "
            "character sequences after a wildcard character"
        )


def _check_cidr(name: str, operand: Any) -> None:
    _check_string(name, operand)
    if operand.count("/") != 1:
        raise PatternError("Malformed CIDR, one '/' required")
    try:
        ipaddress.ip_network(operand, strict=False)
    except ValueError as error:
        raise PatternError(f"Malformed CIDR: {error}") from error


def _check_numeric(_: str, operand: Any) -> None:
    if not isinstance(operand, list) or not operand:
        raise PatternError("Value of numeric must be an array.")
    signs, numbers = operand[::2], operand[1::2]
    if any(not isinstance(sign, str) or sign not in _COMPARE for sign in signs):
        raise PatternError("Unrecognized numeric range operator")
    if len(signs) != len(numbers) or not all(map(_is_number, numbers)):
        raise PatternError("Value of a numeric range operator must be numeric")
    if any(abs(number) > _MAX_NUMBER for number in numbers):
        raise PatternError("Value must be between -5.0E9 and 5.0E9, inclusive")
    if len(signs) == 1:
        return
    if len(signs) > 2 or signs[0][0] != ">":
        raise PatternError("Too many elements in numeric expression")
    if signs[1][0] != "<":
        raise PatternError(f"Bad numeric range operator: {signs[1]}")
    if numbers[0] >= numbers[1]:
        raise PatternError("Bottom must be less than top")


def _check_anything_but(name: str, operand: Any) -> None:
    if isinstance(operand, dict):
        if len(operand) != 1 or next(iter(operand)) not in _TESTED_WITHIN_ANYTHING_BUT:
            raise PatternError(f"Unsupported {name} pattern: {next(iter(operand), '')}")
        kind, values = next(iter(operand.items()))
        for value in _several(kind, values):
            _check_string(kind, value)
            if kind == "wildcard":
                _check_wildcard(kind, value)
            elif not value and kind != "equals-ignore-case":
                raise PatternError(f"Null {kind} is not allowed")
        return
    values = _several(name, operand)
    if not all(isinstance(v, str) for v in values) and not all(map(_is_number, values)):
        raise PatternError(
            f"Inside {name} list, either all values are number or string, "
            "mixed type is not supported"
        )


def _several(name: str, operand: Any) -> Sequence[Any]:
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise PatternError(f"Empty arrays are not allowed in {name}")
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- matching ---


def _matches_object(pattern: Mapping[str, Any], value: Any) -> bool:
    return all(_matches_field(name, operand, value) for name, operand in pattern.items())


def _matches_field(name: str, operand: Any, value: Any) -> bool:
    if name == "$or" and _is_or(operand):
        return any(_matches_object(inner, value) for inner in operand)
    field = value.get(name, _MISSING) if isinstance(value, Mapping) else _MISSING
    if isinstance(operand, Mapping):
        return _matches_object(operand, field)
    leaves = list(_leaves(field))
    return any(_matches_leaves(condition, leaves) for condition in operand)


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the values that a field has: those of a list each, none for an object."""
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not _MISSING and not isinstance(value, Mapping):
        yield value


def _matches_leaves(operand: Any, leaves: list[Any]) -> bool:
    if not isinstance(operand, Mapping):
        return any(_equal(leaf, operand) for leaf in leaves)
    name, value = next(iter(operand.items()))
    if name == "exists":
        return bool(leaves) is value
    test = _TESTS[name]
    return any(test(leaf, value) for leaf in leaves)


def _equal(leaf: Any, operand: Any) -> bool:
    # In Python True is 1.
    return bool(leaf == operand) and isinstance(leaf, bool) == isinstance(operand, bool)


def _has_prefix(leaf: Any, operand: Any) -> bool:
    if isinstance(operand, Mapping):
        return _folded(leaf).startswith(_folded(operand["equals-ignore-case"]))
    return isinstance(leaf, str) and leaf.startswith(operand)


def _has_suffix(leaf: Any, operand: Any) -> bool:
    if isinstance(operand, Mapping):
        return _folded(leaf).endswith(_folded(operand["equals-ignore-case"]))
    return isinstance(leaf, str) and leaf.endswith(operand)


def _folded(value: Any) -> str:
    # What is no string must not begin or end with anything.
    return value.casefold() if isinstance(value, str) else "\0"


def _is_same_in_any_case(leaf: Any, operand: str) -> bool:
    return isinstance(leaf, str) and leaf.casefold() == operand.casefold()


def _is_within(leaf: Any, operand: str) -> bool:
    try:
        return ipaddress.ip_address(leaf) in ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False


def _is_in_range(leaf: Any, operand: Sequence[Any]) -> bool:
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return _is_number(leaf) and all(_COMPARE[sign](leaf, number) for sign, number in pairs)


def _is_like(leaf: Any, operand: str) -> bool:
    if not isinstance(leaf, str):
        return False
    first, *rest = _segments(operand)
    if not rest:
        return leaf == first
    if not leaf.startswith(first):
        return False
    at = len(first)
    for segment in rest[:-1]:
        found = leaf.find(segment, at)
        if found < 0:
            return False
        at = found + len(segment)
    return len(leaf) - at >= len(rest[-1]) and leaf.endswith(rest[-1])


@functools.lru_cache(maxsize=1024)
def _segments(text: str) -> tuple[str, ...]:
    """Return the texts between the asterisks of a wildcard."""
    segments = [""]
    for token in _wildcard_tokens(text):
        if token is None:
            segments.append("")
        else:
            segments[-1] += token
    return tuple(segments)


def _wildcard_tokens(text: str) -> list[str | None]:
    """Return the characters of a wildcard, None for each asterisk that is not escaped."""
    tokens: list[str | None] = []
    signs = iter(text)
    for sign in signs:
        if sign == "\\":
            following = next(signs, "")
            if following not in ("*", "\\"):
                raise PatternError("Invalid escape character in a wildcard")
            tokens.append(following)
        else:
            tokens.append(None if sign == "*" else sign)
    return tokens


def _is_anything_but(leaf: Any, operand: Any) -> bool:
    if isinstance(operand, Mapping):
        name, values = next(iter(operand.items()))
        test = _TESTS[name]
    else:
        values, test = operand, _equal
    return not any(test(leaf, v) for v in (values if isinstance(values, list) else [values]))


_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "anything-but": _check_anything_but,
    "cidr": _check_cidr,
    "equals-ignore-case": _check_string,
    "exists": _check_exists,
    "numeric": _check_numeric,
    "prefix": _check_affix,
    "suffix": _check_affix,
    "wildcard": _check_wildcard,
}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "anything-but": _is_anything_but,
    "cidr": _is_within,
    "equals-ignore-case": _is_same_in_any_case,
    "numeric": _is_in_range,
    "prefix": _has_prefix,
    "suffix": _has_suffix,
    "wildcard": _is_like,
}
