"""BatchExecuteStatement: up to 25 writes in PartiQL, each of one item by its whole key.

Implemented are `INSERT INTO "t" VALUE {'a': ?}` and `UPDATE "t" SET "a"=? WHERE "key"=?`, with a
parameter for each value. Another statement is refused.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.exceptions import MockValidationException, ResourceNotFoundException
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import validate_put_has_empty_attrs, validate_put_has_empty_keys

from local_aws.core.patching import patch
from local_aws.state.table_items import plain

_NAME = r'(?:"([\w.:/-]+)"|([\w.-]+))'
_INSERT = re.compile(rf"\s*INSERT\s+INTO\s+{_NAME}\s+VALUE\s*\{{(.*)\}}\s*", re.I | re.S)
_UPDATE = re.compile(
    # Spaces that were passed over are not given back, or each of them would be tried anew.
    rf"\s*+UPDATE\s++{_NAME}\s++SET\s++(\S.*?)\s++WHERE\s++(\S.*)",
    re.I | re.S,
)
_MEMBER = re.compile(r"\s*'([^']+)'\s*:\s*\?\s*")
_EQUAL = re.compile(rf"\s*{_NAME}\s*=\s*\?\s*")
_FAULTS = {
    ResourceNotFoundException: "ResourceNotFound",
    MockValidationException: "ValidationError",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A write: `action` as policies name it, the table, and what its parameters are, in order.

    `names` are the attributes that are written, `keys` those that an UPDATE finds its item by.
    """

    action: str
    table: str
    names: tuple[str, ...]
    keys: tuple[str, ...] = ()


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Statement:
    """Return a statement; raises NotImplementedError for one that is not implemented."""
    if found := _INSERT.fullmatch(text):
        names = tuple(_matched(_MEMBER, part) for part in found[3].split(","))
        return Statement("PartiQLInsert", found[1] or found[2], names)
    if found := _UPDATE.fullmatch(text):
        return Statement(
            "PartiQLUpdate",
            found[1] or found[2],
            tuple(_matched(_EQUAL, part) for part in re.split(r",|\bSET\b", found[3])),
            tuple(_matched(_EQUAL, part) for part in re.split(r"\bAND\b", found[4], flags=re.I)),
        )
    raise NotImplementedError(f"PartiQL but for INSERT and UPDATE with parameters: {text[:80]}")


def _matched(pattern: re.Pattern[str], part: str) -> str:
    found = pattern.fullmatch(part)
    if found is None:
        raise NotImplementedError(f"PartiQL with anything but names and parameters: {part[:80]}")
    return str(next(filter(None, found.groups())))


@patch(
    "moto.dynamodb.models.DynamoDBBackend.batch_execute_statement",
    why="copies all tables for each statement, and inserts what is there already",
)
def batch_execute_statement(
    _: Any, backend: Any, statements: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return each write's answer: the table's name, and why it was not made."""
    parsed = [(parse(one["Statement"]), one.get("Parameters") or []) for one in statements]
    return [_answer(backend, statement, values) for statement, values in parsed]


def _answer(
    backend: Any, statement: Statement, parameters: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    try:
        return {"TableName": statement.table, **_write(backend, statement, parameters)}
    except ResourceNotFoundException as error:
        return _refused("ResourceNotFound", str(error.message))
    except MockValidationException as error:
        return _refused("ValidationError", str(error.message))


def _write(
    backend: Any, statement: Statement, parameters: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Make one write; return why it was not made, or nothing."""
    names = (*statement.names, *statement.keys)
    if len(parameters) != len(names):
        raise MockValidationException("Number of parameters in request and statement don't match.")
    table = backend.get_table(statement.table)
    given = dict(zip(statement.names, parameters, strict=False))
    found = dict(zip(statement.keys, parameters[len(statement.names) :], strict=True)) or given
    if statement.keys and set(statement.keys) != set(table.table_key_attrs):
        raise MockValidationException("Where clause does not contain a mandatory equality on keys.")
    hash_key, range_key = backend.get_keys_value(table, found)
    known = table.get_item(hash_key, range_key)
    if not statement.keys and known is not None:
        return _refused("DuplicateItem", "Duplicate primary key exists in table")
    if statement.keys and known is None:
        return _refused("ConditionalCheckFailed", "The conditional request failed")
    if statement.keys and set(given) & set(table.table_key_attrs):
        raise MockValidationException("Cannot update attribute. This attribute is part of the key")
    item = {**(_attributes(known) if known is not None else {}), **given}
    validate_put_has_empty_keys(item, table)
    validate_put_has_empty_attrs(item, table)
    table.put_item(item, overwrite=True)
    return {}


def _attributes(item: Any) -> dict[str, Any]:
    held: dict[str, DynamoType] = item.attrs
    return {name: plain(value) for name, value in held.items()}


def _refused(code: str, message: str) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}}
