"""S3's objects in shards, so that a change of one object does not save all of them again.

A shard has the objects whose names have one checksum, and is saved again when one of them was
made, changed or deleted. The hooks below note that.
"""

import functools
import itertools
import zlib
from typing import Any

from local_aws.core.patching import patch
from local_aws.state import constructors
from local_aws.state.blobs import Blobs, Pickled, Reduced, made_of

# A smaller body costs less in the records than as a file of its own.
MIN_BLOB_BYTES = 512

SHARDS = 256
_WHY = "keeps everything in memory only"
_numbers = itertools.count(1)
# When each shard was last changed, in any bucket. A new number never equals an older one, and
# setting an entry is one step, so threads cannot lose a change.
_changes = [0] * SHARDS


def shard_of(name: str) -> int:
    """Return the number of an object's shard."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % SHARDS


class Shards:
    """The names of one bucket's objects, by shard."""

    def __init__(self, store: dict[str, Any]) -> None:
        self.names: list[set[str]] = [set() for _ in range(SHARDS)]
        for name in list(store):
            self.add(name)

    def add(self, name: str) -> None:
        """Note a name that is there now; one that goes later need not be taken out."""
        self.names[shard_of(name)].add(name)

    @classmethod
    def of(cls, store: Any) -> "Shards":
        """Return a bucket's; made on the first call."""
        found = store.__dict__.get("shards")
        if found is None:
            found = store.__dict__["shards"] = cls(store)
        return found  # type: ignore[no-any-return]

    def entries(self, store: Any, shard: int) -> list[tuple[str, list[Any]]]:
        """Return a shard's names with their versions, and forget the names that are gone."""
        names = self.names[shard]
        found = [(name, list(dict.get(store, name) or ())) for name in sorted(names)]
        names.difference_update(name for name, versions in found if not versions)
        return [(name, versions) for name, versions in found if versions]


def s3_object(key: Any, blobs: Blobs) -> Reduced:
    """Reduce an object of moto's; a large body is a file of its own."""
    state = key.__dict__.copy()
    buffer = state.pop("_value_buffer")
    state.pop("lock")
    if buffer.closed:  # it was deleted, and is still in a list of moto's
        state["value"] = b""
    elif key.contentsize < MIN_BLOB_BYTES:
        state["value"] = key.value
    else:
        mark = (id(buffer), key.contentsize, key._etag)
        state["value"] = blobs.of(key, "value", mark, lambda: bytes(key.value))
    return made_of(key, state)


def s3_objects(store: Any, blobs: Blobs) -> Reduced:
    """Reduce a bucket's objects to its shards, which are looked at when any object changed."""
    shards = Shards.of(store)
    return constructors.s3_objects, (
        blobs.pickled(shards, "all", max(_changes), lambda: _shards(shards, store, blobs)),
    )


def _shards(shards: Shards, store: Any, blobs: Blobs) -> tuple[Pickled, ...]:
    return tuple(
        blobs.pickled(
            shards, number, last_change(number), functools.partial(shards.entries, store, number)
        )
        for number, names in enumerate(shards.names)
        if names
    )


def last_change(shard: int) -> int:
    """Return a number that differs after each change of one of the shard's objects."""
    return _changes[shard]


def _set_attribute(original: Any, key: Any, name: str, value: Any) -> None:
    original(key, name, value)
    _note(key.__dict__.get("name"))


for _kind in ("FakeKey", "FakeDeleteMarker"):
    patch(f"moto.s3.models.{_kind}.__setattr__", why=_WHY)(_set_attribute)


@patch("moto.s3.models.FakeKey.set_metadata", why=_WHY)
def set_metadata(original: Any, key: Any, *args: Any, **more: Any) -> Any:
    """Note that the object's metadata changed."""
    answer = original(key, *args, **more)
    _note(key.name)
    return answer


def _change(original: Any, store: Any, name: str, *args: Any) -> Any:
    answer = original(store, name, *args)
    Shards.of(store).add(name)
    _note(name)
    return answer


for _method in ("__setitem__", "setlist", "pop", "__delitem__"):
    patch(f"moto.s3.utils._VersionedKeyStore.{_method}", why=_WHY)(_change)


def _note(name: str | int | None) -> None:
    # A part of an upload has a number for its name, and is saved with the upload.
    if isinstance(name, str):
        _changes[shard_of(name)] = next(_numbers)
