"""Versions of objects: their listing in pages, and what is published when one is deleted.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from moto.s3 import notifications as moto_notifications
from moto.s3.exceptions import AccessDeniedByLock
from moto.s3.models import FakeDeleteMarker, FakeKey

from local_aws.core.patching import patch

_BACKEND = "moto.s3.models.S3Backend"
_EVENTS = moto_notifications.S3NotificationEvent
_SUSPENDED, _NULL = "Suspended", "null"


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
    "moto.s3.models.FakeBucket.is_versioned",
    why="takes suspended versioning for none: a write or a deletion destroys every version",
)
def is_versioned(original: Any, bucket: Any) -> bool:
    """Return whether objects of a bucket have versions, which they keep while that is suspended."""
    del original
    return bucket.versioning_status in ("Enabled", _SUSPENDED)


@patch(f"{_BACKEND}.put_object", why="gives an object a version of its own while that is suspended")
def put_object(
    original: Any, backend: Any, bucket_name: str, key_name: str, *args: Any, **more: Any
) -> Any:
    """Store an object; while versioning is suspended, in the place of the null version.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html
    """
    key = original(backend, bucket_name, key_name, *args, **more)
    bucket = backend.get_bucket(bucket_name)
    if bucket.versioning_status == _SUSPENDED:
        key._version_id, key._is_versioned = _NULL, False
        kept = [one for one in bucket.keys.getlist(key_name) if one is key or not _is_null(one)]
        bucket.keys.setlist(key_name, kept)
    return key


@patch(
    f"{_BACKEND}.delete_object",
    why="publishes no event of a delete marker, few of versions; makes none for a missing key",
)
def delete_object(  # noqa: PLR0917 - moto's own
    original: Any,
    backend: Any,
    bucket_name: str,
    key_name: str,
    version_id: str | None = None,
    bypass: Any = False,
) -> Any:
    """Delete an object, put a delete marker over it, or delete a version; publish which.

    A key without an object gets its delete marker too
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html).
    """
    bucket = backend.get_bucket(bucket_name)
    if version_id is not None:
        return True, _delete_version(backend, bucket, key_name, version_id, bypass=bypass)
    if not bucket.is_versioned:
        return original(backend, bucket_name, key_name, None, bypass)
    marker = _put_marker(backend, bucket, key_name)
    event = _EVENTS.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
    moto_notifications.send_event(backend.account_id, event, bucket, marker)
    return True, {"version-id": marker.version_id, "delete-marker": "true"}


def _delete_version(
    backend: Any, bucket: Any, name: str, version_id: str, *, bypass: Any
) -> dict[str, str]:
    """Delete a version if it is there; return what the answer says of it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
    """
    versions = list(bucket.keys.getlist(name) or ())
    removed = next((one for one in versions if str(one.version_id) == version_id), None)
    if isinstance(removed, FakeKey) and removed.is_locked(governance_bypass=bypass):
        raise AccessDeniedByLock
    answer = {"version-id": version_id}
    if removed is None:
        return answer
    if isinstance(removed, FakeDeleteMarker):
        answer["delete-marker"] = "true"
    bucket.keys.setlist(name, [one for one in versions if one is not removed])
    if len(versions) == 1:
        bucket.keys.pop(name)
    moto_notifications.send_event(
        backend.account_id, _EVENTS.OBJECT_REMOVED_DELETE_EVENT, bucket, removed
    )
    return answer


def _put_marker(backend: Any, bucket: Any, name: str) -> FakeDeleteMarker:
    """Put a delete marker over a key, and return it; a null one replaces the null version."""
    versions = list(bucket.keys.getlist(name) or ())
    nothing = FakeKey(name, b"", backend.account_id, backend.region_name, bucket_name=bucket.name)
    marker = FakeDeleteMarker(key=nothing)
    if bucket.versioning_status == _SUSPENDED:
        marker._version_id = _NULL
        versions = [one for one in versions if not _is_null(one)]
    bucket.keys.setlist(name, [*versions, marker])
    return marker


def _is_null(version: Any) -> bool:
    return str(version.version_id) == _NULL


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
