"""S3's objects: a save writes those that were made, changed or deleted since the last one.

An entry of a bucket's journal is an object's name with all of its versions, one of an upload's
journal is a part by its number.
"""

import weakref
from typing import Any

from local_aws.core.patching import patch
from local_aws.state.blobs import Blobs, Reduced, made_of
from local_aws.state.constructors import constructor
from local_aws.state.journals import Journal, merged

# A smaller body costs less in the records than as a file of its own.
MIN_BLOB_BYTES = 512

_WHY = "keeps everything in memory only"
# moto counts here how often an object was read: a read is no change that a save waits for.
_READS = "_tick"
# The objects of each bucket that has a journal, by their id: a dictionary has no hash.
_stores: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
# The journal of each upload in parts, and of the upload that a part belongs to.
_uploads: weakref.WeakKeyDictionary[Any, Journal] = weakref.WeakKeyDictionary()
_owners: weakref.WeakKeyDictionary[Any, Journal] = weakref.WeakKeyDictionary()
# Which parts each upload had at the last save.
_numbers: weakref.WeakKeyDictionary[Any, frozenset[int]] = weakref.WeakKeyDictionary()


def s3_object(key: Any, blobs: Blobs) -> Reduced:
    """Reduce an object of moto's; a large body is a file of its own."""
    state = key.__dict__.copy()
    buffer = state.pop("_value_buffer")
    state.pop("lock")
    if key.disposed:  # it was deleted, and is still in a list of moto's
        state["value"] = b""
    elif key.contentsize < MIN_BLOB_BYTES:
        state["value"] = key.value
    else:
        mark = (id(buffer), key.contentsize, key._etag)
        state["value"] = blobs.of(key, "value", mark, lambda: bytes(key.value))
    return made_of(key, state)


def bucket(store: Any, blobs: Blobs) -> Reduced:
    """Reduce a bucket's objects to the segments of its journal."""
    journal: Journal | None = store.__dict__.get("journal")
    if journal is None:
        journal = store.__dict__["journal"] = Journal()
        _stores[id(store)] = store
        # Once it is known to the hooks: a name that is noted twice is read once.
        for name in list(store):
            journal.note(name)
    return s3_objects, (journal.saved(blobs, lambda name: _versions(store, name)),)


@constructor
def s3_objects(segments: tuple[dict[Any, Any] | list[tuple[Any, Any]], ...]) -> Any:
    """Return a bucket's objects from the segments of their names with their versions.

    Earlier saves have lists of pairs.
    """
    from moto.s3.utils import _VersionedKeyStore

    made: Any = _VersionedKeyStore()
    for name, versions in merged([dict(segment) for segment in segments]).items():
        made.setlist(name, versions)
    return made


class _Parts:
    """Stands for the parts of an upload."""

    def __init__(self, owner: Any, blobs: Blobs) -> None:
        journal = _uploads.get(owner)
        if journal is None:
            journal = _uploads[owner] = Journal()
            for number, part in list(owner.parts.items()):
                _owners[part] = journal
                journal.note(number)
        there = frozenset(owner.parts)
        for number in _numbers.get(owner, there) - there:  # parts that the object does not have
            journal.note(number)
        _numbers[owner] = there
        self._segments = journal.saved(blobs, owner.parts.get)

    def __reduce__(self) -> tuple[Any, ...]:
        return upload_parts, (self._segments,)


def upload(value: Any, blobs: Blobs) -> Reduced:
    """Reduce an upload in parts to the segments of its journal."""
    return made_of(value, {**value.__dict__, "parts": _Parts(value, blobs)})


@constructor
def upload_parts(segments: tuple[dict[Any, Any], ...]) -> dict[Any, Any]:
    """Return an upload's parts by their numbers, in order."""
    found: dict[Any, Any] = merged(segments)
    return dict(sorted(found.items()))


@patch("moto.s3.models.FakeMultipart.set_part", why=_WHY)
def set_part(original: Any, value: Any, part_id: int, *args: Any) -> Any:
    """Note that an upload got a part."""
    part = original(value, part_id, *args)
    journal = _uploads.get(value)
    if journal is not None:
        _owners[part] = journal
        journal.note(part_id)
    return part


def _versions(store: Any, name: Any) -> list[Any] | None:
    return list(dict.get(store, name) or ()) or None


def _set_attribute(original: Any, key: Any, attribute: str, value: Any) -> None:
    original(key, attribute, value)
    if attribute != _READS:
        _note_object(key)


for _kind in ("FakeKey", "FakeDeleteMarker"):
    patch(f"moto.s3.models.{_kind}.__setattr__", why=_WHY)(_set_attribute)


@patch("moto.s3.models.FakeKey.set_metadata", why=_WHY)
def set_metadata(original: Any, key: Any, *args: Any, **more: Any) -> Any:
    """Note that the object's metadata changed."""
    answer = original(key, *args, **more)
    _note_object(key)
    return answer


def _note_object(key: Any) -> None:
    name = key.__dict__.get("name")
    if not isinstance(name, str):  # of a part it is the number
        if (owner := _owners.get(key)) is not None:
            owner.note(name)
        return
    for store in list(_stores.values()):
        # One that is in no bucket yet is noted when it is put there.
        if any(version is key for version in dict.get(store, name) or ()):
            store.__dict__["journal"].note(name)


def _change(original: Any, store: Any, name: str, *args: Any) -> Any:
    answer = original(store, name, *args)
    journal = store.__dict__.get("journal")
    if journal is not None:
        journal.note(name)
    return answer


for _method in ("__setitem__", "setlist", "pop", "__delitem__"):
    patch(f"moto.s3.utils._VersionedKeyStore.{_method}", why=_WHY)(_change)


@patch(
    "moto.utilities.tagging_service.TaggingService.tag_resource",
    why="keeps an entry for each object that has no tags, which each save writes again",
)
def tag_resource(original: Any, tagger: Any, arn: str, tags: list[dict[str, str]] | None) -> None:
    """Store the tags of a resource that has any."""
    if tags:
        original(tagger, arn, tags)
