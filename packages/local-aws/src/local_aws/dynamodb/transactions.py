"""TransactWriteItems: all writes or none, by the items that it names.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import contextlib
import copy
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ConditionalCheckFailed,
    MockValidationException,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)

from local_aws.core import clock
from local_aws.core.patching import patch
from local_aws.state.table_items import restore_item

MAX_ITEMS = 100
_NOTHING = (None, None, None)
# For so long a token stands for its transaction.
_TOKENS_LAST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Made:
    """A transaction that was made by a token: of what, when, and its answer."""

    digest: str
    at: datetime
    answer: Any


_made: dict[tuple[str, str], _Made] = {}


def _forget_old() -> None:
    for key, made in list(_made.items()):
        if clock.now() - made.at > _TOKENS_LAST:
            del _made[key]


@patch(
    "moto.dynamodb.models.DynamoDBBackend.transact_write_items",
    why="copies each table whole for each transaction, and replaces it when one fails",
)
def transact_write_items(_: Any, backend: Any, transact_items: list[dict[str, Any]]) -> None:
    """Make all writes, or none; raises moto's exceptions, which have AWS's names."""
    if len(transact_items) > MAX_ITEMS:
        raise TooManyTransactionsException()
    writes = [_write(backend, item) for item in transact_items]
    if len({_identity(backend, name, key) for _, name, key, _ in writes}) < len(writes):
        raise MultipleTransactionsException()
    with undone_on_error(backend, [(name, key) for _, name, key, _ in writes]):
        reasons = [_outcome(backend, *write) for write in writes]
        if any(code is not None for code, _, _ in reasons):
            raise TransactionCanceledException(reasons)


@patch(
    "moto.dynamodb.responses.DynamoHandler.transact_write_items",
    why="fails at an item of a transaction that has no write",
)
def answer_transaction(original: Any, response: Any) -> Any:
    """Answer TransactWriteItems; one that was made by the same token is not made again."""
    if not all(response.body["TransactItems"]):
        raise MockValidationException(
            "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"
        )
    token = response.body.get("ClientRequestToken")
    if token is None:
        return original(response)
    region = response.dynamodb_backend.region_name
    text = json.dumps(response.body["TransactItems"], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()
    _forget_old()
    made = _made.get((region, token))
    if made is not None and made.digest != digest:
        raise JsonRESTError(
            "IdempotentParameterMismatchException",
            "The request rejected because it was retried with a slightly different payload but "
            "with the same idempotency token.",
        )
    if made is None:
        answer = original(response)
        _made[region, token] = _Made(digest, clock.now(), answer)
        return answer
    return made.answer


@contextlib.contextmanager
def undone_on_error(backend: Any, keys: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[None]:
    """Put the items of these keys back as they were where an exception is raised."""
    before = []
    for name, key in keys:
        table = backend.get_table(name)
        with contextlib.suppress(MockValidationException):  # a key that does not fit has no item
            hash_key, range_key = backend.get_keys_value(table, key)
            before.append(
                (table, hash_key, range_key, copy.deepcopy(table.get_item(hash_key, range_key)))
            )
    try:
        yield
    except Exception:
        for table, hash_key, range_key, item in before:
            restore_item(table, hash_key, range_key, item)
        raise


def _write(backend: Any, item: dict[str, Any]) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Return a write's kind, its table's name, the key and what else was given."""
    if len(item) != 1:
        raise TransactWriteSingleOpException()
    ((kind, given),) = item.items()
    table = backend.get_table(given["TableName"])
    of = given["Item"] if kind == "Put" else given["Key"]
    return kind, given["TableName"], {n: of[n] for n in table.table_key_attrs if n in of}, given


def _identity(backend: Any, name: str, key: dict[str, Any]) -> tuple[str, str]:
    return backend.get_table(name).name, str(sorted(key.items()))


def _outcome(
    backend: Any, kind: str, name: str, key: dict[str, Any], given: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Make one write; return why it was not made, three times None where it was."""
    condition = {
        "condition_expression": given.get("ConditionExpression"),
        "expression_attribute_names": given.get("ExpressionAttributeNames"),
        "expression_attribute_values": given.get("ExpressionAttributeValues"),
    }
    try:
        if kind == "Put":
            backend.put_item(name, given["Item"], **condition)
        elif kind == "Update":
            expression = given["UpdateExpression"]
            backend.update_item(name, key, update_expression=expression, **condition)
        elif kind == "Delete":
            backend.delete_item(name, key, **condition)
        else:
            _check(backend, name, key, condition)
    except ConditionalCheckFailed as error:
        found = backend.get_item(name, key)
        returns_old_item = given.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        old = found.to_json()["Attributes"] if returns_old_item and found is not None else None
        return "ConditionalCheckFailed", str(error.message), old
    return _NOTHING


def _check(backend: Any, name: str, key: dict[str, Any], condition: dict[str, Any]) -> None:
    expression = get_filter_expression(*condition.values())
    if not expression.expr(backend.get_item(name, key)):
        raise ConditionalCheckFailed
