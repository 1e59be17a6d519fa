"""Listings of objects: keys and common prefixes in one order, in pages that go on at a key.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
"""

import base64
import binascii
from bisect import bisect_left, bisect_right
from typing import Any
from urllib.parse import quote

from moto.s3.exceptions import InvalidArgumentError, InvalidContinuationToken
from moto.s3.models import FakeDeleteMarker

from local_aws.core.patching import patch

MAX_KEYS = 1_000
_BACKEND = "moto.s3.models.S3Backend"
_RESPONSE = "moto.s3.responses.S3Response"
_LISTING_WHY = "gives more than 1,000 keys a page, and encodes half of what is asked for"
# What clients decode in answers of each version; botocore leaves the first one's Prefix.
_ENCODED = {1: ("Delimiter", "Marker", "NextMarker"), 2: ("Prefix", "Delimiter", "StartAfter")}
# The last Unicode character: few keys have it, and all others come before.
_LAST = chr(0x10FFFF)


@patch(
    f"{_BACKEND}.list_objects",
    why="gives every common prefix on every page, those of deleted objects too; marks by a digest",
)
def list_objects(  # noqa: PLR0917 - moto's own
    original: Any,
    backend: Any,
    bucket: Any,
    prefix: str | None,
    delimiter: str | None,
    marker: str | None,
    max_keys: int | None,
) -> tuple[list[Any], list[str], bool, str | None]:
    """Return the keys and the common prefixes of a page, whether more come, and its last name.

    A page after a common prefix, or after a key of it, goes on behind all of its keys.
    """
    del original, backend
    page, more = _page(bucket, prefix or "", delimiter or "", marker or "", max_keys, whole=True)
    last = _name(page[-1]) if more and page else None
    keys = [one for one in page if not isinstance(one, str)]
    return keys, [one for one in page if isinstance(one, str)], more, last


@patch(
    f"{_BACKEND}.list_objects_v2",
    why="fails at a token that it did not give, or gave before a restart; as list_objects",
)
def list_objects_v2(  # noqa: PLR0917 - moto's own
    original: Any,
    backend: Any,
    bucket: Any,
    prefix: str | None,
    delimiter: str | None,
    continuation_token: str | None,
    start_after: str | None,
    max_keys: int,
) -> tuple[list[Any], bool, str | None]:
    """Return the keys and common prefixes of a page, whether more come, and the next token.

    Behind `start_after` a common prefix is listed that has keys after it.
    """
    del original, backend
    after = _last_of(continuation_token) if continuation_token else start_after or ""
    page, more = _page(
        bucket, prefix or "", delimiter or "", after, max_keys, whole=bool(continuation_token)
    )
    return page, more, _token(_name(page[-1])) if more and page else None


def _page(
    bucket: Any, prefix: str, delimiter: str, after: str, size: int | None, *, whole: bool
) -> tuple[list[Any], bool]:
    """Return the objects and common prefixes after a name, and whether more come.

    `whole`: a common prefix that holds the name was listed before.
    """
    names = sorted(name for name in list(bucket.keys) if name.startswith(prefix))
    page: list[Any] = []
    at = bisect_right(names, after) if after else 0
    if whole and (group := _group(after, prefix, delimiter)) is not None:
        at = _behind(names, group, at)
    while at < len(names) and size != 0:
        name = names[at]
        key, group = bucket.keys.get(name), _group(name, prefix, delimiter)
        at += 1
        if key is None or isinstance(key, FakeDeleteMarker):
            continue
        if size is not None and len(page) >= size:
            return page, True
        if group is None:
            page.append(key)
        else:
            page.append(group)
            at = _behind(names, group, at)
    return page, False


def _behind(names: list[str], group: str, at: int) -> int:
    """Return where the keys of a common prefix end, from a place among them or before."""
    at = max(at, bisect_left(names, group + _LAST, at))
    while at < len(names) and names[at].startswith(group):
        at += 1
    return at


def _group(name: str, prefix: str, delimiter: str) -> str | None:
    """Return the common prefix that a key is shown by, None where it is shown itself."""
    at = name.find(delimiter, len(prefix)) if delimiter and name.startswith(prefix) else -1
    return None if at < 0 else name[: at + len(delimiter)]


def _name(found: Any) -> str:
    return found if isinstance(found, str) else str(found.name)


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _last_of(token: str) -> str:
    """Return the last name of the page before; raises InvalidArgument for another's token."""
    try:
        last = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidContinuationToken from error
    if not last or _token(last) != token:
        raise InvalidContinuationToken
    return last


@patch(f"{_RESPONSE}.list_objects", why=_LISTING_WHY)
@patch(f"{_RESPONSE}.list_objects_v2", why=_LISTING_WHY)
def answer_listing(original: Any, response: Any) -> Any:
    """Answer with a page of at most 1,000 keys."""
    query = response.querystring
    encoding = query.get("encoding-type", [None])[0]
    if encoding not in (None, "url"):
        message = "Invalid Encoding Method specified in Request"
        raise InvalidArgumentError(message, "encoding-type", encoding)
    if int(query.get("max-keys", ["0"])[0]) > MAX_KEYS:
        query["max-keys"] = [str(MAX_KEYS)]
    serialize = response.serialized

    def serialized(answer: Any) -> Any:
        _complete(answer.result, query, is_encoded=encoding == "url")
        return serialize(answer)

    response.serialized = serialized
    try:
        return original(response)
    finally:
        del response.serialized


def _complete(listing: dict[str, Any], query: Any, *, is_encoded: bool) -> None:
    """Give a listing what it was asked for and by, each name encoded where that was asked for."""
    version = 2 if query.get("list-type", [None])[0] == "2" else 1
    if version == 1:
        listing["Marker"] = query.get("marker", [""])[0]
        if "Delimiter" not in listing:  # there the last key is the marker
            listing.pop("NextMarker", None)
    if not is_encoded:
        return
    if query.get("prefix"):
        listing["Prefix"] = query["prefix"][0]
    for name in _ENCODED[version]:
        if isinstance(listing.get(name), str):
            listing[name] = quote(listing[name])
    if version == 1:  # of the second moto has encoded them
        for common in listing.get("CommonPrefixes", []):
            common["Prefix"] = quote(common["Prefix"])
