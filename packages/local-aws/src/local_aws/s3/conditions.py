"""Conditions of S3 requests: the headers If-Match, If-None-Match and those with a time.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from moto.s3.exceptions import MissingKey, PreconditionFailed, S3ClientError
from werkzeug.datastructures import Headers

from local_aws.core.patching import patch

_RESPONSE = "moto.s3.responses.S3Response"
_SOURCE = "x-amz-copy-source"
_READS = ("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since")
_WRITES = ("If-Match", "If-None-Match")
_NOT_MODIFIED, _FAILED = 304, 412
_OBJECT = re.compile(r"<Object(?:\s[^>]*)?>(.*?)</Object>", re.DOTALL)
# A version of this id is never there.
_NO_VERSION = "no-version-has-this-id"
# Between the check of a condition and the write nobody else may write.
_CONDITIONAL = threading.RLock()
# An object takes its place in a bucket, or leaves it.
_STORING = threading.RLock()
# The key that this thread's request writes, and its conditions, until they were checked there.
_pending: ContextVar[tuple[str, Callable[[], None]] | None] = ContextVar("pending", default=None)


class _NotImplemented(S3ClientError):
    refusal_status = 501

    def __init__(self) -> None:
        message = "A header you provided implies functionality that is not implemented"
        super().__init__("NotImplemented", message)


@patch(f"{_RESPONSE}._get_key", why="weighs the four conditions of a read singly, and knows no *")
def get_key(original: Any, response: Any, *args: Any, **more: Any) -> Any:
    """Return the object of a request, and whether the reader has it already."""
    headers = response.headers
    response.headers = _without_reads(headers)
    try:
        key, _ = original(response, *args, **more)
    finally:
        response.headers = headers
    status, failed = _read_outcome(headers, key)
    if status == _FAILED:
        raise PreconditionFailed(failed)
    return key, status == _NOT_MODIFIED


@patch(f"{_RESPONSE}.head_object", why="weighs the four conditions of a read singly")
def head_object(  # noqa: PLR0917 - moto's own
    original: Any, response: Any, bucket_name: str, query: Any, key_name: str, headers: Any
) -> Any:
    """Answer HeadObject."""
    answer = original(response, bucket_name, query, key_name, _without_reads(headers))
    if answer[0] not in (200, 206):
        return answer
    version = query.get("versionId", [None])[0]
    key = response.backend.get_object(bucket_name, key_name, version_id=version)
    status, _ = _read_outcome(headers, key)
    return answer if status is None else (status, answer[1], "")


def _without_reads(headers: Any) -> Any:
    dropped = {name.lower() for name in _READS}
    return Headers([(name, text) for name, text in headers.items() if name.lower() not in dropped])


def _read_outcome(headers: Any, key: Any) -> tuple[int | None, str]:
    return _outcome(key, *(str(headers.get(name) or "") for name in _READS))


def _outcome(
    key: Any, match: str, unmodified: str, none: str, modified: str
) -> tuple[int | None, str]:
    """Return the status with which a read ends at its conditions, and the condition.

    An ETag that matches outdoes a time since which the object must be unmodified, and one that
    does not a time since which it must be modified.
    """
    at = key.last_modified.replace(tzinfo=UTC, microsecond=0)
    if match:
        if not names(match, key.etag):
            return _FAILED, "If-Match"
    elif (since := _time(unmodified)) is not None and at > since:
        return _FAILED, "If-Unmodified-Since"
    if none:
        if names(none, key.etag):
            return _NOT_MODIFIED, "If-None-Match"
    elif (since := _time(modified)) is not None and at <= since:
        return _NOT_MODIFIED, "If-Modified-Since"
    return None, ""


def require_source(response: Any) -> None:
    """Raise PreconditionFailed unless the object that is copied meets the conditions on it."""
    found = copied_object(response)
    if found is None:  # moto has the error for that
        return
    asked = (str(response.headers.get(f"{_SOURCE}-{name.lower()}") or "") for name in _READS)
    status, failed = _outcome(found, *asked)
    if status is not None:
        raise PreconditionFailed(f"{_SOURCE}-{failed}")


def copied_object(response: Any) -> Any:
    """Return the object that a request copies, None where there is none."""
    source = urlsplit(response.headers[_SOURCE])
    bucket, _, key = unquote(source.path).lstrip("/").partition("/")
    version = parse_qs(source.query).get("versionId", [None])[0]
    return response.backend.get_object(bucket, key, version_id=version)


def require_writable(response: Any) -> None:
    """Raise S3ClientError for a condition of a write that S3 does not have: an ETag to avoid."""
    match, none = (str(response.headers.get(name) or "").strip() for name in _WRITES)
    if (none and none != "*") or match == "*" or (match and none):
        raise _NotImplemented


def require_target(response: Any) -> None:
    """Raise S3ClientError unless what a request replaces or deletes meets the conditions on it."""
    _require_target(response, *_target_conditions(response))


def _target_conditions(response: Any) -> tuple[str, str]:
    match, none = (str(response.headers.get(name) or "") for name in _WRITES)
    return match, none


def _require_target(response: Any, match: str, none: str) -> None:
    if not match and not none:
        return
    key = response.parse_key_name()
    found = response.backend.get_object(response.bucket_name, key)
    if match and found is None:
        raise MissingKey(key=key)
    if match and not names(match, found.etag):
        raise PreconditionFailed("If-Match")
    if none and found is not None and names(none, found.etag):
        raise PreconditionFailed("If-None-Match")


@contextlib.contextmanager
def locked(response: Any) -> Iterator[None]:
    """Check a request's conditions once more as its object is stored or deleted.

    Writes without conditions do not wait for it, and may come between.
    """
    conditions = _target_conditions(response)
    if not any(conditions):
        yield
        return
    with _CONDITIONAL:
        key = response.parse_key_name()
        token = _pending.set((key, lambda: _require_target(response, *conditions)))
        try:
            yield
        finally:
            _pending.reset(token)


def _store(original: Any, store: Any, name: str, *args: Any) -> Any:
    with _STORING:
        key, check = _pending.get() or ("", None)
        if check is not None and key == name:
            _pending.set(None)
            check()
        return original(store, name, *args)


for _method in ("setlist", "pop"):
    patch(
        f"moto.s3.utils._VersionedKeyStore.{_method}",
        why="stores an object though another was stored since its condition was looked at",
    )(_store)


def always_locked() -> contextlib.AbstractContextManager[Any]:
    """Return what a request holds that has its conditions in its body."""
    return _CONDITIONAL


def split_by_conditions(response: Any) -> tuple[str | bytes, list[str]]:
    """Return a request to delete objects without those whose ETag is another, and their keys.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    """
    body = response.body
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    failed: list[str] = []

    def kept(found: re.Match[str]) -> str:
        key, tag = (_content(found[1], name) for name in ("Key", "ETag"))
        if not tag:
            return found[0]
        stored = response.backend.get_object(response.bucket_name, key)
        if stored is not None and names(tag, stored.etag):
            return found[0]
        failed.append(key)
        return ""

    rest = _OBJECT.sub(kept, text)
    if not failed:
        return body, []
    if not _OBJECT.search(rest):  # moto refuses a request for nothing
        nothing = f"<Object><Key>{_NO_VERSION}</Key><VersionId>{_NO_VERSION}</VersionId></Object>"
        rest = rest.replace("</Delete>", f"{nothing}</Delete>")
    return rest.encode() if isinstance(body, bytes) else rest, failed


def _content(text: str, element: str) -> str:
    """Return the content of an element, without escapes; empty where there is none."""
    return unescape(text.partition(f"<{element}>")[2].partition(f"</{element}>")[0])


def with_errors(body: str | bytes, failed: list[str]) -> str | bytes:
    """Return the answer to a request to delete objects with the keys that it left."""
    if not failed:
        return body
    text = body.decode() if isinstance(body, bytes) else body
    text = re.sub(rf"<Deleted>(?:(?!</Deleted>).)*{_NO_VERSION}.*?</Deleted>", "", text)
    errors = "".join(
        f"<Error><Key>{escape(key)}</Key><Code>PreconditionFailed</Code>"
        "<Message>At least one of the pre-conditions you specified did not hold</Message></Error>"
        for key in failed
    )
    return text.replace("</DeleteResult>", f"{errors}</DeleteResult>")


def names(given: str, tag: str) -> bool:
    """Return whether a condition names an ETag; `*` names each."""
    return given.strip() == "*" or tag.strip('"') in [one.strip(' "') for one in given.split(",")]


def _time(given: str) -> datetime | None:
    """Return the time of a condition; S3 passes one over that cannot be read."""
    try:
        found = parsedate_to_datetime(given)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
