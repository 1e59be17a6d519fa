"""DynamoDB's items in shards, so that a change of one item does not save its whole table again.

A shard has the items whose hash keys have one checksum, as plain attribute values. It is saved
again when one of them was put, changed or deleted; the hooks below note that once it is done.
"""

import functools
import itertools
import zlib
from collections import defaultdict
from typing import Any

from local_aws.core.patching import patch
from local_aws.state.blobs import Blobs, Pickled, Reduced, made_of
from local_aws.state.constructors import constructor

SHARDS = 256
_WHY = "keeps everything in memory only"
_INDEX = "hash_keys_by_shard"
_numbers = itertools.count(1)
# When each shard was last changed, in any table. A new number never equals an older one.
_changes = [0] * SHARDS


def table(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a table of moto's; its items are saved by shard."""
    state = dict(value.__dict__)
    state.pop(_INDEX, None)
    state["items"] = _Items(value, blobs)
    return made_of(value, state)


class _Items:
    """Stands for a table's items."""

    def __init__(self, owner: Any, blobs: Blobs) -> None:
        self._names = owner.hash_key_attr, owner.range_key_attr
        self._shards = blobs.pickled(
            owner, "items", max(_changes), lambda: _shards(owner, _index(owner), blobs)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return table_items, (self._shards, *self._names)


def _shards(owner: Any, index: list[set[Any]], blobs: Blobs) -> tuple[Pickled, ...]:
    return tuple(
        blobs.pickled(
            owner, number, _changes[number], functools.partial(_entries, owner, hash_keys)
        )
        for number, hash_keys in enumerate(index)
        if hash_keys
    )


def _entries(owner: Any, hash_keys: set[Any]) -> list[dict[str, Any]]:
    """Return a shard's items as attribute values, and forget the keys that are gone."""
    found: list[dict[str, Any]] = []
    for hash_key in list(hash_keys):
        held = owner.items.get(hash_key)
        items = [held] if held is not None and not owner.has_range_key else [*(held or {}).values()]
        if not items:
            hash_keys.discard(hash_key)
        found += [{name: _plain(value) for name, value in item.attrs.items()} for item in items]
    return found


def _plain(value: Any) -> dict[str, Any]:
    """Return an attribute value as a request gives it: {"S": "text"}."""
    if value.is_list():
        return {value.type: [_plain(inner) for inner in value.value]}
    if value.is_map():
        return {value.type: {name: _plain(inner) for name, inner in value.value.items()}}
    return {value.type: value.value}


def _index(owner: Any) -> list[set[Any]]:
    """Return a table's hash keys by shard; made on the first call."""
    found = owner.__dict__.get(_INDEX)
    if found is None:
        found = [set() for _ in range(SHARDS)]
        for hash_key in list(owner.items):
            found[_shard_of(hash_key)].add(hash_key)
        owner.__dict__[_INDEX] = found
    return found  # type: ignore[no-any-return]


def _shard_of(hash_key: Any) -> int:
    return zlib.crc32(f"{hash_key.type}{hash_key.value}".encode()) % SHARDS


def restore_item(owner: Any, hash_key: Any, range_key: Any, item: Any) -> None:
    """Put an item of a table back as it was; None takes it out."""
    if item is not None and range_key is not None:
        owner.items[hash_key][range_key] = item
    elif item is not None:
        owner.items[hash_key] = item
    else:
        owner.delete_item(hash_key, range_key)
    note_change(owner, hash_key)


def note_change(owner: Any, hash_key: Any) -> None:
    """Have the next save read the items of a table that have this hash key."""
    shard = _shard_of(hash_key)
    _index(owner)[shard].add(hash_key)
    _changes[shard] = next(_numbers)


@constructor
def table_items(
    shards: tuple[list[dict[str, Any]], ...], hash_name: str, range_name: str | None
) -> Any:
    """Return a table's items by their keys, from its shards of attribute values."""
    from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

    made: Any = defaultdict(dict)
    for attributes in (attributes for shard in shards for attributes in shard):
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
    note_change(owner, item.hash_key)
    return item


@patch("moto.dynamodb.models.table.Table.delete_item", why=_WHY)
def delete_item(original: Any, owner: Any, hash_key: Any, range_key: Any) -> Any:
    """Note that an item was deleted."""
    found = original(owner, hash_key, range_key)
    if not owner.items.get(hash_key):
        owner.items.pop(hash_key, None)
    note_change(owner, hash_key)
    return found


@patch("moto.dynamodb.models.DynamoDBBackend.update_item", why=_WHY)
def update_item(original: Any, backend: Any, table_name: str, *args: Any, **more: Any) -> Any:
    """Note that an item was changed in place."""
    item = original(backend, table_name, *args, **more)
    note_change(backend.get_table(table_name), item.hash_key)
    return item
