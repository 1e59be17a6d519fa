"""DynamoDB's items: a save writes those that were put, changed or deleted since the last one."""

from collections import defaultdict
from typing import Any
from weakref import WeakKeyDictionary

from local_aws.core.patching import patch
from local_aws.state.blobs import Blobs, Reduced, made_of
from local_aws.state.constructors import constructor
from local_aws.state.journals import Journal, merged

_WHY = "keeps everything in memory only"
# An item's key: the type and value of its hash key, and of its range key where there is one.
Key = tuple[str, ...]
_journals: WeakKeyDictionary[Any, Journal] = WeakKeyDictionary()


def table(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a table of moto's with its items as plain attribute values."""
    state = dict(value.__dict__)
    state["items"] = _Items(value, blobs)
    return made_of(value, state)


class _Items:
    """Stands for a table's items."""

    def __init__(self, owner: Any, blobs: Blobs) -> None:
        self._names = owner.hash_key_attr, owner.range_key_attr
        journal = _journals.get(owner)
        if journal is None:
            journal = _journals[owner] = Journal()
            for key in _keys(owner):
                journal.note(key)
        self._segments = journal.saved(blobs, lambda key: _attributes(owner, key))

    def __reduce__(self) -> tuple[Any, ...]:
        return table_items, (self._segments, *self._names)


def _keys(owner: Any) -> list[Key]:
    items = list(owner.items.values())
    if owner.has_range_key:
        items = [item for held in items for item in list(held.values())]
    return [_key_of(item.hash_key, item.range_key) for item in items]


def _key_of(hash_key: Any, range_key: Any) -> Key:
    found = hash_key.type, hash_key.value
    return found if range_key is None else (*found, range_key.type, range_key.value)


def _attributes(owner: Any, key: Key) -> dict[str, Any] | None:
    """Return an item as a request gives it, None where there is none."""
    from moto.dynamodb.models.dynamo_type import DynamoType

    hash_key = DynamoType({key[0]: key[1]})
    item = owner.items.get(hash_key)
    if item and len(key) > 2:
        item = item.get(DynamoType({key[2]: key[3]}))
    return {name: plain(value) for name, value in item.attrs.items()} if item else None


def plain(value: Any) -> dict[str, Any]:
    """Return an attribute value as a request gives it: {"S": "text"}."""
    if value.is_list():
        return {value.type: [plain(inner) for inner in value.value]}
    if value.is_map():
        return {value.type: {name: plain(inner) for name, inner in value.value.items()}}
    return {value.type: value.value}


def restore_item(owner: Any, hash_key: Any, range_key: Any, item: Any) -> None:
    """Put an item of a table back as it was; None takes it out."""
    if item is not None and range_key is not None:
        owner.items[hash_key][range_key] = item
    elif item is not None:
        owner.items[hash_key] = item
    else:
        owner.delete_item(hash_key, range_key)
    note_change(owner, hash_key, range_key)


def note_change(owner: Any, hash_key: Any, range_key: Any) -> None:
    """Have the next save read an item of a table again."""
    journal = _journals.get(owner)
    if journal is not None:
        journal.note(_key_of(hash_key, range_key))


@constructor
def table_items(
    segments: tuple[dict[Any, Any], ...], hash_name: str, range_name: str | None
) -> Any:
    """Return a table's items by their keys, from its segments of attribute values."""
    from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

    made: Any = defaultdict(dict)
    for attributes in merged(segments).values():
        values = {name: DynamoType(value) for name, value in attributes.items()}
        hash_key, range_key = values[hash_name], values[range_name] if range_name else None
        item = Item(hash_key, range_key, {})
        # Its own way to set an entry measures all the others.
        whole: Any = LimitedSizeDict()
        dict.update(whole, values)
        item.attrs = whole
        if range_key is None:
            made[hash_key] = item
        else:
            made[hash_key][range_key] = item
    return made


@patch("moto.dynamodb.models.table.Table.put_item", why=_WHY)
def put_item(original: Any, owner: Any, item_attrs: dict[str, Any], *args: Any, **more: Any) -> Any:
    """Note that an item was put."""
    item = original(owner, item_attrs, *args, **more)
    note_change(owner, item.hash_key, item.range_key)
    return item


@patch("moto.dynamodb.models.table.Table.delete_item", why=_WHY)
def delete_item(original: Any, owner: Any, hash_key: Any, range_key: Any) -> Any:
    """Note that an item was deleted."""
    found = original(owner, hash_key, range_key)
    if not owner.items.get(hash_key):
        owner.items.pop(hash_key, None)
    note_change(owner, hash_key, range_key)
    return found


@patch("moto.dynamodb.models.DynamoDBBackend.update_item", why=_WHY)
def update_item(original: Any, backend: Any, table_name: str, *args: Any, **more: Any) -> Any:
    """Note that an item was changed in place."""
    item = original(backend, table_name, *args, **more)
    note_change(backend.get_table(table_name), item.hash_key, item.range_key)
    return item
