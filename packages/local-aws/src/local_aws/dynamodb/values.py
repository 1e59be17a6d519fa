"""Attribute values in DynamoDB's requests: their types, sets, numbers, and those of keys.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from moto.dynamodb.exceptions import MockValidationException

from local_aws.dynamodb.numbers import canonical, require_numbers

_TYPES = frozenset(("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"))
_HOLDERS = ("Item", "Key", "ExpressionAttributeValues", "ExclusiveStartKey")
_INVALID = "One or more parameter values were invalid: "
_EMPTY = {
    "SS": "An string set  may not be empty",
    "NS": "An number set  may not be empty",
    "BS": "Binary sets should not be empty",
}
_NO_SUCH_KEY = "The provided key element does not match the schema"


def require_values(body: dict[str, Any], tables: Any) -> None:
    """Raise MockValidationException for values that DynamoDB refuses; write numbers as it does."""
    require_numbers(body)
    for holder in _holders(body):
        for value in holder.values():
            _require_value(value)
    for table, key in _keys(body):
        _require_key(tables.get(table), key)


def _holders(body: Any) -> Iterator[dict[str, Any]]:
    """Yield the maps of attribute values in a request."""
    waiting = [body]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, dict):
            for name, value in found.items():
                if name in _HOLDERS and isinstance(value, dict):
                    yield value
                elif name == "Keys" and isinstance(value, list):
                    yield from (key for key in value if isinstance(key, dict))
                else:
                    waiting.append(value)


def _require_value(value: Any) -> None:
    """Raise MockValidationException unless it is an attribute value; normalise its numbers."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        given = one.keys() & _TYPES if isinstance(one, dict) else ()
        if len(given) != 1:
            fault = "has more than one datatypes set" if given else "is empty"
            raise MockValidationException(
                f"Supplied AttributeValue {fault}, must contain exactly one of the supported "
                "datatypes"
            )
        ((kind, inner),) = ((kind, one[kind]) for kind in given)
        if kind == "N":
            one[kind] = canonical(inner)
        elif kind in _EMPTY:
            one[kind] = _members(kind, inner)
        elif kind in ("M", "L"):
            waiting.extend(inner.values() if kind == "M" else inner)


def _members(kind: str, members: list[Any]) -> list[Any]:
    if not members:
        raise MockValidationException(_INVALID + _EMPTY[kind])
    if kind == "NS":
        if len({Decimal(one) for one in members}) != len(members):
            raise MockValidationException(f"{_INVALID}Input collection contains duplicates")
        return [canonical(one) for one in members]
    if len(set(members)) != len(members):
        shown = ", ".join(map(str, members))[:256]
        raise MockValidationException(f"{_INVALID}Input collection [{shown}] contains duplicates.")
    return members


def _keys(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the keys in a request, each with its table's name."""
    requests = body.get("RequestItems")
    for table, asked in requests.items() if isinstance(requests, dict) else ():
        if isinstance(asked, dict):
            yield from ((table, key) for key in asked.get("Keys") or ())
        else:
            deletions = (one.get("DeleteRequest") or {} for one in asked)
            yield from ((table, one["Key"]) for one in deletions if "Key" in one)
    singles = [one for item in body.get("TransactItems") or () for one in item.values()]
    for one in (body, *singles):
        if isinstance(one, dict) and isinstance(one.get("Key"), dict) and "TableName" in one:
            yield one["TableName"], one["Key"]


def _require_key(table: Any, key: dict[str, Any]) -> None:
    """Raise MockValidationException for a key of other attributes, or of other types."""
    if table is None:  # moto says so
        return
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
    wanted = {one["AttributeName"]: kinds.get(one["AttributeName"]) for one in table.schema}
    if key.keys() != wanted.keys() or any(kinds[name] not in key[name] for name in wanted):
        raise MockValidationException(_NO_SUCH_KEY)
