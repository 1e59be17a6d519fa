"""Queries and filters of DynamoDB: what a key's condition may say, and how types compare.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import re
from collections.abc import Callable
from typing import Any

from moto.dynamodb.comparisons import FuncSize
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType

from local_aws.core.patching import patch

_TYPE = "moto.dynamodb.models.dynamo_type.DynamoType"
_WHY = "fails within at values of two types"
_EXPRESSIONS = "moto.dynamodb.comparisons"
# An attribute at the beginning of a path; values begin with a colon.
_NAME = re.compile(r"(?<![\w:.#-])#?[A-Za-z_][\w-]*")
_SIZED = ("S", "SS", "NS", "B", "BS", "L", "M")
_NO_PREFIX = ("N",)


@patch(f"{_TYPE}.__lt__", why=_WHY)
@patch(f"{_TYPE}.__le__", why=_WHY)
@patch(f"{_TYPE}.__gt__", why=_WHY)
@patch(f"{_TYPE}.__ge__", why=_WHY)
def compare(original: Callable[[Any, Any], Any], first: Any, second: Any) -> bool:
    """Return whether a value stands in an order to another; those of two types stand in none."""
    return first.type == second.type and bool(original(first, second))


@patch(f"{_EXPRESSIONS}.OpLessThan.expr", why=_WHY)
@patch(f"{_EXPRESSIONS}.OpLessThanOrEqual.expr", why=_WHY)
@patch(f"{_EXPRESSIONS}.OpGreaterThan.expr", why=_WHY)
@patch(f"{_EXPRESSIONS}.OpGreaterThanOrEqual.expr", why=_WHY)
@patch(f"{_EXPRESSIONS}.OpEqual.expr", why="takes true for 1")
def hold(original: Any, operator: Any, item: Any) -> bool:
    """Return whether two values of one type stand in a relation."""
    return _are_alike(item, operator.lhs, operator.rhs) and bool(original(operator, item))


@patch(f"{_EXPRESSIONS}.OpNotEqual.expr", why="takes true for 1")
def differ(original: Any, operator: Any, item: Any) -> bool:
    """Return whether two values differ, or are of two types."""
    return not _are_alike(item, operator.lhs, operator.rhs) or bool(original(operator, item))


@patch(f"{_EXPRESSIONS}.FuncBetween.expr", why=_WHY)
def between(original: Any, function: Any, item: Any) -> bool:
    """Return whether a value lies between two of its type."""
    is_alike = _are_alike(item, function.attr, function.start, function.end)
    return is_alike and bool(original(function, item))


@patch(f"{_EXPRESSIONS}.FuncIn.expr", why="takes true for 1")
def is_in(original: Any, function: Any, item: Any) -> bool:
    """Return whether a value is one of several."""
    del original
    value = function.attr.expr(item)
    return any(
        _are_alike(item, function.attr, one) and value == one.expr(item)
        for one in function.possible_values
    )


@patch(f"{_EXPRESSIONS}.FuncSize.expr", why="fails within at an attribute without a size")
def size(original: Any, function: Any, item: Any) -> int | None:
    """Return the size of an attribute; None where it has none, so that no comparison holds."""
    return None if _kind(function, item) is None else int(original(function, item))


def _are_alike(item: Any, *operands: Any) -> bool:
    kinds = {_kind(operand, item) for operand in operands}
    return len(kinds) == 1 and None not in kinds


def _kind(operand: Any, item: Any) -> str | None:
    """Return the type of an operand; a size is a number."""
    if isinstance(operand, FuncSize):
        return "N" if operand.attr.get_type(item) in _SIZED else None
    found = operand.get_type(item)
    return None if found is None else str(found)


@patch("moto.dynamodb.models.DynamoDBBackend.query", why="takes values of any type for a key's")
def query(original: Any, backend: Any, table_name: str, *args: Any, **more: Any) -> Any:
    """Return what a query finds; raises MockValidationException for a condition of no key."""
    table = backend.get_table(table_name)
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
    conditions = [(name, "=", [value]) for name, value in more.get("hash_key_conditions") or ()]
    conditions += more.get("range_key_conditions") or ()
    for name, comparison, values in conditions:
        _require_condition(kinds.get(name), comparison, values)
    _require_no_keys(table, more)
    return original(backend, table_name, *args, **more)


def _require_no_keys(table: Any, query: dict[str, Any]) -> None:
    """Raise MockValidationException for a filter by what the key's condition is for."""
    text, index = query.get("filter_expression"), query.get("index_name")
    if not text:
        return
    schema = next((one.schema for one in table.all_indexes() if one.name == index), table.schema)
    names = query.get("expr_names") or {}
    used = {names.get(word, word) for word in _NAME.findall(text)}
    for one in schema:
        if one["AttributeName"] in used:
            raise MockValidationException(
                "Filter Expression can only contain non-primary key attributes: Primary key "
                f"attribute: {one['AttributeName']}"
            )


def _require_condition(kind: str | None, comparison: str, values: list[dict[str, Any]]) -> None:
    given = [next(iter(value), "") for value in values]
    if comparison == "BEGINS_WITH" and any(one in _NO_PREFIX for one in given):
        raise MockValidationException(
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
            f"operator or function: begins_with, operand type: {given[0]}"
        )
    if kind is not None and any(one != kind for one in given):
        raise MockValidationException(
            "One or more parameter values were invalid: Condition parameter type does not match "
            "schema type"
        )
    if comparison == "BETWEEN" and _is_reversed(values):
        raise MockValidationException(
            "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be "
            f"greater than or equal to lower bound; lower bound operand: AttributeValue: "
            f"{values[0]}, upper bound operand: AttributeValue: {values[1]}"
        )


def _is_reversed(values: list[dict[str, Any]]) -> bool:
    low, high = (DynamoType(value) for value in values)
    return bool(high < low)
