"""DynamoDB's patches: what is changed in moto's tables, and which operations are closed."""

import json
import threading
from collections.abc import Callable
from typing import Any

from moto.dynamodb.exceptions import ItemSizeTooLarge, MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
from moto.dynamodb.models.utilities import bytesize

from local_aws.core.context import Context
from local_aws.core.patching import patch
from local_aws.core.refusals import refuse_action
from local_aws.dynamodb import numbers, queries, statements, transactions, values

# Their patches are declared when they are imported.
PATCHED = (numbers, queries, statements, transactions)
_HANDLER = "moto.dynamodb.responses.DynamoHandler"
MAX_ITEM_BYTES = 405_000
"""As moto measures: AWS takes items of between 409 and 410 KB."""
MAX_LEVELS = 32
# By operation: what it belongs to, which moto has in part or not as AWS does.
CLOSED = {
    "execute_statement": "PartiQL",
    "execute_transaction": "PartiQL",
    "create_backup": "backups of tables",
    "delete_backup": "backups of tables",
    "describe_backup": "backups of tables",
    "restore_table_from_backup": "backups of tables",
    "restore_table_to_point_in_time": "restoring a table to a point in time",
    "import_table": "imports from S3",
    "describe_import": "imports from S3",
    "export_table_to_point_in_time": "exports to S3",
    "describe_export": "exports to S3",
    "list_exports": "exports to S3",
    "put_resource_policy": "policies of tables",
}
# Settings of CreateTable and UpdateTable that would be taken and passed over.
_CLOSED_SETTINGS = {
    "ReplicaUpdates": "replicas of tables",
    "ResourcePolicy": "policies of tables",
    "GlobalTableWitnessUpdates": "replicas of tables",
}
_lock = threading.RLock()


def install(context: Context) -> None:
    """Do nothing more: the patches need nothing of the running server."""
    del context


@patch(
    f"{_HANDLER}.call_action",
    why="checks a condition and writes in two steps, so that two writers may both pass it",
)
def call_action(original: Any, response: Any) -> Any:
    """Answer one request after the other: a condition holds until its write is done."""
    if _is_too_deep(response):
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
        sentence = "Nesting Levels have exceeded supported limits"
        return refuse_action(response, "ValidationException", sentence)
    try:
        values.require_values(getattr(response, "params", {}), response.dynamodb_backend.tables)
    except MockValidationException as error:
        return refuse_action(response, "ValidationException", error.exception_msg)
    with _lock:
        return original(response)


def _is_too_deep(response: Any) -> bool:
    """Return whether a request has a value that is nested in more lists and maps than may be."""
    raw = response.raw_body or b""
    text = raw.encode() if isinstance(raw, str) else raw
    if text.count(b'"M"') + text.count(b'"L"') <= MAX_LEVELS and b"\\u" not in text:
        return False
    waiting: list[tuple[Any, int]] = [(json.loads(text), 0)]
    while waiting:
        value, levels = waiting.pop()
        if levels > MAX_LEVELS:
            return True
        if isinstance(value, dict) and len(value) == 1:
            ((kind, inner),) = value.items()
            if kind in ("M", "L") and isinstance(inner, dict | list):
                value, levels = inner, levels + 1
        if isinstance(value, dict | list):
            held = value.values() if isinstance(value, dict) else value
            waiting.extend((one, levels) for one in held)
    return False


def _refusing(request: str) -> Callable[..., Any]:
    def refuse(original: Any, response: Any) -> Any:
        del original, response
        raise NotImplementedError(request)

    return refuse


for _operation, _what in CLOSED.items():
    patch(f"{_HANDLER}.{_operation}", why="is not reviewed, and not saved")(_refusing(_what))


@patch(f"{_HANDLER}.create_table", why="takes settings and passes over them")
@patch(f"{_HANDLER}.update_table", why="takes settings and passes over them")
def with_settings(original: Any, response: Any) -> Any:
    """Make or change a table; what would have no effect is refused."""
    body = response.body
    for name, request in _CLOSED_SETTINGS.items():
        if body.get(name):
            raise NotImplementedError(request)
    if (body.get("StreamSpecification") or {}).get("StreamEnabled"):
        raise NotImplementedError("streams of tables")
    return original(response)


@patch(f"{_HANDLER}.update_time_to_live", why="enables what is enabled")
def update_time_to_live(original: Any, response: Any) -> Any:
    """Let items of a table expire by an attribute, or no more.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
    """
    table = response.dynamodb_backend.get_table(response.body["TableName"])
    is_asked = response.body["TimeToLiveSpecification"]["Enabled"]
    if is_asked == (table.ttl["TimeToLiveStatus"] == "ENABLED"):
        state = "enabled" if is_asked else "disabled"
        raise MockValidationException(f"TimeToLive is already {state}")
    return original(response)


@patch(f"{_HANDLER}.batch_write_item", why="answers with a capacity that was not asked for")
def batch_write_item(original: Any, response: Any) -> Any:
    """Write a batch, in which each item stands once."""
    for name, requests in response.body["RequestItems"].items():
        table = response.dynamodb_backend.get_table(name)
        keys = [_key_of(table, request) for request in requests]
        if any(key in keys[:at] for at, key in enumerate(keys)):
            raise MockValidationException("Provided list of item keys contains duplicates")
    answer = original(response)
    if response.body.get("ReturnConsumedCapacity", "NONE") == "NONE":
        answer.result.pop("ConsumedCapacity", None)
    return answer


def _key_of(table: Any, request: dict[str, Any]) -> list[Any]:
    (write,) = request.values()
    item = write.get("Item") or write.get("Key") or {}
    return [item.get(one["AttributeName"]) for one in table.schema]


@patch(
    "moto.dynamodb.models.table.Table.get_item",
    why="keeps an empty entry for each key that is looked for",
)
def get_item(original: Any, table: Any, hash_key: Any, range_key: Any = None, *more: Any) -> Any:
    """Return an item, None where there is none."""
    if table.has_range_key and range_key and hash_key not in table.items:
        return None
    return original(table, hash_key, range_key, *more)


@patch(
    "moto.dynamodb.models.dynamo_type.Item.__init__",
    why="measures all attributes of an item again for each one that is added",
)
def create_item(_: Any, item: Any, hash_key: Any, range_key: Any, attrs: dict[str, Any]) -> None:
    """Make an item; raises ItemSizeTooLarge for one of more than 400 KB."""
    item.hash_key, item.range_key = hash_key, range_key
    values = {name: DynamoType(value) for name, value in attrs.items()}
    if sum(bytesize(name) + value.size() for name, value in values.items()) > MAX_ITEM_BYTES:
        raise ItemSizeTooLarge
    item.attrs = LimitedSizeDict()
    dict.update(item.attrs, values)


@patch(
    "moto.dynamodb.models.DynamoDBBackend.update_item",
    why="leaves an item half changed when the update is refused",
)
def update_item(
    original: Any, backend: Any, table_name: str, key: Any, *args: Any, **more: Any
) -> Any:
    """Change an item, or leave it as it was."""
    with transactions.undone_on_error(backend, [(table_name, key)]):
        return original(backend, table_name, key, *args, **more)
