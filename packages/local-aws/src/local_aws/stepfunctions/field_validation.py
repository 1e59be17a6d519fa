"""Checks of the values in a state's fields: numbers, paths, rules, retriers, names.

https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.stepfunctions.flow_states import time_of
from local_aws.stepfunctions.query_language.jsonata import QueryFailed
from local_aws.stepfunctions.query_language.references import refused_references

MAX_SECONDS = 99_999_999
MAX_NAME = 80
_INVALID = "SCHEMA_VALIDATION_FAILED"
_OPEN, _CLOSE = "{%", "%}"
_INNER_FLOWS = ("Branches", "ItemProcessor", "Iterator")
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign")
_INTRINSIC = re.compile(r"States\.[A-Za-z0-9]+\(.*\)", re.DOTALL)
# A reference path names one place: no wildcard, filter, slice, function or recursion.
_REFERENCE = re.compile(r"\$(?:\.[^.\[\]*?@()]+|\[\d+\]|\['[^']*'\]|\[\"[^\"]*\"\])*")
_VARIABLE = re.compile(r"[^\W\d]\w*")
_COMPARED = {
    "Boolean": lambda value: isinstance(value, bool),
    "Numeric": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "String": lambda value: isinstance(value, str),
    "Timestamp": lambda value: time_of(value) is not None,
    "Is": lambda value: isinstance(value, bool),
}
_RANGES = {
    "TimeoutSeconds": (1, MAX_SECONDS),
    "HeartbeatSeconds": (1, MAX_SECONDS),
    "Seconds": (0, MAX_SECONDS),
    "MaxConcurrency": (0, None),
    "ToleratedFailureCount": (0, None),
}
_RETRIER = {
    "IntervalSeconds": (1, MAX_SECONDS),
    "MaxAttempts": (0, MAX_SECONDS),
    "MaxDelaySeconds": (1, 31_622_400),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse a definition, with AWS's code and its place such as `/States/A`."""

    code: str
    message: str
    location: str = ""

    def __str__(self) -> str:
        place = f" at {self.location}" if self.location else ""
        return f"{self.code}: {self.message}{place}"


def invalid(message: str, location: str) -> Problem:
    """Return the problem of a part that does not have AWS's form."""
    return Problem(_INVALID, message, location)


def problems_of_values(state: Mapping[str, Any], place: str, *, jsonata: bool) -> Iterator[Problem]:
    """Yield what is wrong with the values of a state's fields, but not in the flows within it."""
    yield from _of_numbers(state, place, _RANGES)
    yield from _of_percentage(state, place)
    for field in ("Retry", "Catch"):
        yield from _of_error_names(state, field, place)
    for number, retrier in enumerate(objects_in(state, "Retry")):
        yield from _of_retrier(retrier, f"{place}/Retry[{number}]")
    for scope, where in _scopes(state, place):
        yield from _of_assigned(scope, where)
    if jsonata:
        yield from _of_expressions(state, place)
    else:
        yield from _of_paths(state, place)
        for number, rule in enumerate(objects_in(state, "Choices")):
            yield from _of_rule(rule, f"{place}/Choices[{number}]", outer=True)


def objects_in(state: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """Return the objects of a field that is a list."""
    found = state.get(field)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _scopes(state: Mapping[str, Any], place: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield a state, its rules and its catchers: each may assign variables."""
    yield state, place
    for field in ("Choices", "Catch"):
        for number, one in enumerate(objects_in(state, field)):
            yield one, f"{place}/{field}[{number}]"


def _of_numbers(
    part: Mapping[str, Any], place: str, ranges: Mapping[str, tuple[int, int | None]]
) -> Iterator[Problem]:
    for field, (minimum, maximum) in ranges.items():
        value = part.get(field, minimum)
        if isinstance(value, str):
            continue  # an expression
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < minimum or (maximum is not None and value > maximum):
            upper = "" if maximum is None else f" and at most {maximum}"
            yield invalid(
                f"'{field}' must be an integer of at least {minimum}{upper}", f"{place}/{field}"
            )


def _of_percentage(state: Mapping[str, Any], place: str) -> Iterator[Problem]:
    field = "ToleratedFailurePercentage"
    value = state.get(field, 0)
    if not isinstance(value, str) and not (_COMPARED["Numeric"](value) and 0 <= value <= 100):
        yield invalid(f"'{field}' must be a number from 0 to 100", f"{place}/{field}")


def _of_error_names(state: Mapping[str, Any], field: str, place: str) -> Iterator[Problem]:
    parts = objects_in(state, field)
    for number, part in enumerate(parts):
        where = f"{place}/{field}[{number}]/ErrorEquals"
        names = part.get("ErrorEquals")
        if not isinstance(names, list) or not names:
            yield invalid("'ErrorEquals' must be a list of at least one error's name", where)
        elif "States.ALL" in names:
            if len(names) > 1:
                yield invalid("'States.ALL' must be the only element of 'ErrorEquals'", where)
            if number < len(parts) - 1:
                yield invalid(f"'States.ALL' is only allowed in the last element of {field}", where)


def _of_retrier(retrier: Mapping[str, Any], place: str) -> Iterator[Problem]:
    yield from _of_numbers(retrier, place, _RETRIER)
    rate = retrier.get("BackoffRate", 2.0)
    if not _COMPARED["Numeric"](rate) or rate < 1:
        yield invalid("'BackoffRate' must be a number of at least 1.0", f"{place}/BackoffRate")
    max_delay, first = retrier.get("MaxDelaySeconds"), retrier.get("IntervalSeconds", 1)
    if isinstance(max_delay, int) and isinstance(first, int) and max_delay <= first:
        yield invalid("'MaxDelaySeconds' must be greater than 'IntervalSeconds'", place)
    if retrier.get("JitterStrategy", "NONE") not in ("NONE", "FULL"):
        yield invalid("'JitterStrategy' is FULL or NONE", f"{place}/JitterStrategy")


def _of_assigned(scope: Mapping[str, Any], place: str) -> Iterator[Problem]:
    given = scope.get("Assign")
    for key in given if isinstance(given, dict) else {}:
        name = key.removesuffix(".$")
        if name == "states" or len(name) > MAX_NAME or not _VARIABLE.fullmatch(name):
            yield invalid(f"'{name}' cannot be the name of a variable", f"{place}/Assign")


def _of_paths(state: Mapping[str, Any], place: str) -> Iterator[Problem]:
    for scope, where in _scopes(state, place):
        for field in _TEMPLATES:
            yield from _of_template(scope.get(field), f"{where}/{field}")
        path = scope.get("ResultPath")
        if isinstance(path, str) and not _REFERENCE.fullmatch(path):
            yield invalid("'ResultPath' must be a reference path", f"{where}/ResultPath")


def _of_template(value: Any, place: str) -> Iterator[Problem]:
    """Yield each `.$` key whose value is neither a path nor a call of an intrinsic function."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _of_template(one, f"{place}[{number}]")
    for key, one in value.items() if isinstance(value, dict) else ():
        if not key.endswith(".$"):
            yield from _of_template(one, f"{place}/{key}")
        elif not isinstance(one, str) or not (one.startswith("$") or _INTRINSIC.fullmatch(one)):
            message = f"The value for the field '{key}' must be a valid JSONPath"
            yield invalid(f"{message} or a valid intrinsic function call", place)


def _of_rule(rule: Mapping[str, Any], place: str, *, outer: bool) -> Iterator[Problem]:
    """Yield what is wrong with a rule of a Choice in JSONPath, and with those within it."""
    if not outer and "Next" in rule:
        yield invalid("'Next' is only allowed in a rule at the top level", place)
    if "Condition" in rule:
        yield invalid(
            "The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for "
            "the 'JSONata' QueryLanguage",
            place,
        )
    inner = [*objects_in(rule, "And"), *objects_in(rule, "Or")]
    if isinstance(rule.get("Not"), dict):
        inner.append(rule["Not"])
    for one in inner:
        yield from _of_rule(one, place, outer=False)
    for operator, value in rule.items():
        kind = next((name for name in _COMPARED if operator.startswith(name)), None)
        if kind is None:
            continue
        if operator.endswith("Path"):
            right = isinstance(value, str) and value.startswith("$")
        else:
            right = _COMPARED[kind](value)
        if not right:
            yield invalid(
                f"The value of '{operator}' does not have its type", f"{place}/{operator}"
            )


def _of_expressions(state: Mapping[str, Any], place: str) -> Iterator[Problem]:
    for field, expression in _expressions(state, ""):
        try:
            for sentence in refused_references(expression, field):
                yield Problem("UNSUPPORTED_JSONATA_EXPRESSION", sentence, f"{place}/{field}")
        except QueryFailed as error:
            yield Problem("INVALID_JSONATA_EXPRESSION", str(error), f"{place}/{field}")


def _expressions(value: Any, field: str) -> Iterator[tuple[str, str]]:
    """Yield each expression of a state with its field; not those of the flows within it."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(_OPEN) and text.endswith(_CLOSE):
            yield field, text[len(_OPEN) : -len(_CLOSE)].strip()
    elif isinstance(value, dict):
        for key, inner in value.items():
            if field or key not in _INNER_FLOWS:
                yield from _expressions(inner, f"{field}/{key}" if field else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _expressions(inner, f"{field}[{number}]")
