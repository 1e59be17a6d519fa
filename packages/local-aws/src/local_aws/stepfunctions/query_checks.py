"""What a definition must not have of expressions and variables."""

from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.stepfunctions.definitions import inner_flows, is_distributed
from local_aws.stepfunctions.jsonata import QueryFailed, check

# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
_ONLY_JSONPATH = (
    "InputPath",
    "ItemsPath",
    "OutputPath",
    "Parameters",
    "ResultPath",
    "ResultSelector",
)
_ONLY_JSONATA = ("Arguments", "Items", "Output")
_OPEN, _CLOSE = "{%", "%}"


def of_expressions(name: str, state: Mapping[str, Any], language: str) -> Iterator[str]:
    """Yield what is wrong with a state's fields in its language, and with its expressions."""
    jsonata = language == "JSONata"
    for field in _ONLY_JSONPATH if jsonata else _ONLY_JSONATA:
        if field in state:
            yield f"State {name}: the field {field} is not supported in {language}."
    if not jsonata:
        return
    if is_distributed(state):
        yield (
            f"State {name} is a Distributed Map in JSONata, which the embedded AWS does not "
            "support; write the machine in JSONPath, and its other states in JSONata."
        )
        return
    for expression in _expressions(state):
        try:
            check(expression)
        except QueryFailed as error:
            yield f"State {name}: {error}."


def reused_variables(flow: Any, outer: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield a sentence for each variable of an inner flow that has the name of one around it."""
    own = {variable for _, state, _ in inner_flows(flow) for variable in _assigned(state)}
    for variable in sorted(own & outer):
        yield f"The variable {variable} is assigned in an outer scope as well."
    for _, _, inner in inner_flows(flow):
        for part in inner:
            yield from reused_variables(part, outer | own)


def _assigned(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield the variables that a state assigns, by itself, by its rules, and by its catchers."""
    places = [state, *_objects(state, "Choices"), *_objects(state, "Catch")]
    for place in places:
        given = place.get("Assign")
        yield from (key.removesuffix(".$") for key in (given if isinstance(given, dict) else {}))


def _objects(state: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    found = state.get(field)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _expressions(value: Any) -> Iterator[str]:
    """Yield the expressions of a state, but not those of the flows within it."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(_OPEN) and text.endswith(_CLOSE):
            yield text[len(_OPEN) : -len(_CLOSE)].strip()
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"Branches", "ItemProcessor", "Iterator"}:
                yield from _expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _expressions(inner)
