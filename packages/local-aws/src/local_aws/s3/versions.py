"""Versions of objects: their listing in pages, and what is published when one is deleted.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
"""

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from moto.s3 import notifications as moto_notifications
from moto.s3.models import FakeDeleteMarker, FakeKey

from local_aws.core.patching import patch

_BACKEND = "moto.s3.models.S3Backend"
_EVENTS = moto_notifications.S3NotificationEvent
# Set while moto deletes a version, of which it publishes an event only now and then.
_deleting = threading.local()


class _Listed:
    """A version of an object, or a delete marker, as a page shows it."""

    def __init__(self, version: Any, *, is_latest: bool) -> None:
        self.version, self.is_latest = version, is_latest

    def __getattr__(self, name: str) -> Any:
        return getattr(self.version, name)


@patch(
    f"{_BACKEND}.list_object_versions",
    why="lists nothing after a version that was deleted since, and copies every version each time",
)
def list_object_versions(
    original: Any,
    backend: Any,
    bucket_name: str,
    *,
    delimiter: str | None = None,
    key_marker: str | None = None,
    max_keys: int | None = 1000,
    prefix: str = "",
    version_id_marker: str | None = None,
) -> tuple[list[Any], list[str], list[Any], str | None, str | None]:
    """Return versions, common prefixes, delete markers, and the markers of the next page.

    A page goes on after its marker. If that version was deleted since, the page goes on with
    what is left of its key, so that nothing is left out.
    """
    del original
    versions: list[Any] = []
    markers: list[Any] = []
    prefixes: dict[str, None] = {}
    last: tuple[str, str | None] | None = None
    for found in _after(backend.get_bucket(bucket_name), prefix, key_marker, version_id_marker):
        group = _group(found.name, prefix, delimiter)
        if group is not None and (group in prefixes or group == key_marker):
            continue
        if len(versions) + len(markers) + len(prefixes) >= (1000 if max_keys is None else max_keys):
            name, version = last or (found.name, None)
            return versions, list(prefixes), markers, name, version
        if group is not None:
            prefixes[group] = None
            last = group, None
            continue
        (versions if isinstance(found.version, FakeKey) else markers).append(found)
        last = found.name, found.version_id or "null"
    return versions, list(prefixes), markers, None, None


def _after(
    bucket: Any, prefix: str, key_marker: str | None, version_marker: str | None
) -> Iterator[_Listed]:
    """Yield what comes after a marker: by key, each key's latest version first."""
    named = sorted((key, list(found)) for key, found in list(bucket.keys.iterlists()))
    for key, found in named:
        if not key.startswith(prefix) or (key_marker is not None and key < key_marker):
            continue
        listed = [_Listed(one, is_latest=at == 0) for at, one in enumerate(reversed(found))]
        if key == key_marker:
            if not version_marker:
                continue
            ids = [one.version_id or "null" for one in listed]
            if version_marker in ids:
                listed = listed[ids.index(version_marker) + 1 :]
        yield from listed


def _group(name: str, prefix: str, delimiter: str | None) -> str | None:
    """Return the common prefix that a key is shown by, None where it is shown itself."""
    if not delimiter or delimiter not in name[len(prefix) :]:
        return None
    return name[: name.index(delimiter, len(prefix)) + len(delimiter)]


@patch(
    f"{_BACKEND}.delete_object",
    why="publishes no event of a delete marker, few of versions; makes none for a missing key",
)
def delete_object(
    original: Any,
    backend: Any,
    bucket_name: str,
    key_name: str,
    version_id: str | None = None,
    **more: Any,
) -> Any:
    """Delete an object, put a delete marker over it, or delete a version; publish which.

    A key without an object gets its delete marker too
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html).
    """
    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        return original(backend, bucket_name, key_name, version_id, **more)
    removed = next(
        (one for one in bucket.keys.getlist(key_name) or () if one.version_id == version_id), None
    )
    _deleting.version = True
    try:
        answer = original(backend, bucket_name, key_name, version_id, **more)
    finally:
        _deleting.version = False
    if version_id is None and not answer[0]:
        answer = True, _mark_missing(backend, bucket, key_name)
    if version_id is None and answer[0]:
        event, removed = _EVENTS.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT, bucket.keys[key_name]
    else:
        event = _EVENTS.OBJECT_REMOVED_DELETE_EVENT
    if removed is not None:
        moto_notifications.send_event(backend.account_id, event, bucket, removed)
    return answer


def _mark_missing(backend: Any, bucket: Any, name: str) -> dict[str, str]:
    """Put a delete marker where no object is; return what the answer says of it."""
    nothing = FakeKey(name, b"", backend.account_id, backend.region_name, bucket_name=bucket.name)
    marker = FakeDeleteMarker(key=nothing)
    bucket.keys[name] = marker
    return {"version-id": marker.version_id, "delete-marker": "true"}


def is_deleting_version() -> bool:
    """Return whether this thread is deleting a version, of which `delete_object` publishes."""
    return bool(getattr(_deleting, "version", False))


@patch(
    "moto.s3.responses.S3Response.list_object_versions",
    why="passes over encoding-type, so that a client which decodes keys sees other ones: `+`",
)
def list_encoded_versions(original: Any, response: Any) -> Any:
    """List versions, with keys encoded where that is asked for.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    """
    if response.querystring.get("encoding-type", [None])[0] != "url":
        return original(response)
    serialize = response.serialized

    def serialized(answer: Any) -> Any:
        _encode_keys(answer.result)
        return serialize(answer)

    response.serialized = serialized
    try:
        return original(response)
    finally:
        del response.serialized


def _encode_keys(listing: dict[str, Any]) -> None:
    listing["EncodingType"] = "url"
    entries = [*listing["Versions"], *listing["DeleteMarkers"]]
    entries += listing.get("CommonPrefixes", [])
    for holder in (listing, *entries):
        for name in ("Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"):
            if holder.get(name):
                holder[name] = quote(holder[name])
