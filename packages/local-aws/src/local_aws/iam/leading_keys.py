"""The values of a table's partition key that a request to DynamoDB is about.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from local_aws.core.context import ACCOUNT_ID

_EQUAL = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")


def leading_keys(response: Any, operation: str) -> list[str] | None:
    """Return the values of the partition key, of the index if one is named; None where unknown.

    A scan, and what is about the table itself, has none that it tells.
    """
    try:
        found = list(dict.fromkeys(_values(response, operation)))
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ):  # of which DynamoDB says what is wrong
        return None
    return found or None


def _values(response: Any, operation: str) -> Iterator[str]:
    get = response._get_param
    if operation in ("DeleteItem", "GetItem", "PutItem", "UpdateItem"):
        yield _value(response, get("TableName"), get("Item") or get("Key"))
    elif operation == "Query":
        yield _queried(response)
    elif operation in ("TransactGetItems", "TransactWriteItems"):
        for part in get("TransactItems"):
            for request in part.values():
                item = request.get("Item") or request["Key"]
                yield _value(response, request["TableName"], item)
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table, asked in get("RequestItems").items():
            for item in _batched(asked):
                yield _value(response, table, item)


def _batched(asked: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(asked, Mapping):
        return list(asked["Keys"])
    requests = [request for part in asked for request in part.values()]
    return [request.get("Item") or request["Key"] for request in requests]


def _value(response: Any, table: str, item: Mapping[str, Any]) -> str:
    return _text(item[_attribute(response, table)])


def _attribute(response: Any, table: str, index: str | None = None) -> str:
    found = dynamodb_backends[ACCOUNT_ID][response.region].tables[table.rpartition("/")[2]]
    if index is None:
        return str(found.hash_key_attr)
    (schema,) = (one.schema for one in found.all_indexes() if one.name == index)
    return next(str(key["AttributeName"]) for key in schema if key["KeyType"] == "HASH")


def _text(value: Mapping[str, Any]) -> str:
    ((kind, text),) = value.items()
    if kind not in ("B", "N", "S"):
        raise ValueError(kind)
    return str(text)


def _queried(response: Any) -> str:
    """Return the value that a query's condition gives the key; raises ValueError without one."""
    get = response._get_param
    attribute = _attribute(response, get("TableName"), get("IndexName"))
    if conditions := get("KeyConditions"):
        if get("KeyConditionExpression"):
            raise ValueError("both")
        condition = conditions[attribute]
        (value,) = condition["AttributeValueList"]
        if condition["ComparisonOperator"] != "EQ":
            raise ValueError(condition["ComparisonOperator"])
        return _text(value)
    names = get("ExpressionAttributeNames") or {}
    pairs = _EQUAL.findall(get("KeyConditionExpression"))
    (value,) = (value for name, value in pairs if names.get(name, name) == attribute)
    return _text(get("ExpressionAttributeValues")[value])
