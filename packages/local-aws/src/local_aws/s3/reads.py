"""GetObject over HTTP, answered before moto: its way there takes longer than the reading.

Here is a signed request for an object that is there, whole or one range of it, whose caller may
read it. Everything else, and every refusal, is moto's.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.s3.models import FakeKey, s3_backends

from local_aws.core.admin_api import Wsgi
from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.access_decisions import permits
from local_aws.iam.callers import KeyRefused, caller_of, require_valid_key
from local_aws.iam.required_access import condition_headers
from local_aws.iam.s3_requests import object_arn, read_accesses
from local_aws.iam.signatures import Signed, signed_by

# Names with a bucket in them are hosts of their own.
_HOSTS = ("127.0.0.1", "localhost")
_CHECKSUM_MODE = "HTTP_X_AMZ_CHECKSUM_MODE"
# Of S3's own headers, those that change nothing here or are heeded; with any other it is moto's.
_KNOWN = frozenset(
    (
        "HTTP_IF_MATCH",
        _CHECKSUM_MODE,
        "HTTP_X_AMZ_CONTENT_SHA256",
        "HTTP_X_AMZ_DATE",
        "HTTP_X_AMZ_SECURITY_TOKEN",
    )
)
_SPECIAL = ("HTTP_IF_", "HTTP_X_AMZ_", "HTTP_ORIGIN")
_QUERY = re.compile(r"(?:versionId=([\w.-]+))?")
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


def with_reads(application: Wsgi) -> Wsgi:
    """Return the application with plain requests of GetObject answered from what is stored."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        found = _found(environ) if environ["REQUEST_METHOD"] == "GET" else None
        read = None if found is None else _read(environ, found)
        if read is None:
            return application(environ, start)
        status, headers, body = read
        start(status, [*headers.items()])
        return [body]

    return answer


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a plain request asks for; `version` is None where it names none."""

    bucket: str
    key: str
    version: str | None
    signed: Signed


def _found(environ: dict[str, Any]) -> FakeKey | None:
    """Return the object that a request reads, and its caller may; None where moto is to answer."""
    asked = _asked(environ)
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(asked.bucket) if asked else None
    if asked is None or bucket is None or bucket.logging:
        return None
    stored = _stored(bucket.keys, asked.key, asked.version)
    if not isinstance(stored, FakeKey) or stored.storage_class != "STANDARD":
        return None
    # A policy of the bucket may deny it to the administrator as well, which moto finds out.
    is_moto_s = caller_of(asked.signed.key) is None and bucket.policy
    return None if is_moto_s or not _may_read(environ, asked, stored) else stored


def _asked(environ: dict[str, Any]) -> _Asked | None:
    query = _QUERY.fullmatch(environ.get("QUERY_STRING", ""))
    signed = signed_by(environ)
    is_plain = query is not None and environ.get("HTTP_HOST", "").startswith(_HOSTS)
    if not is_plain or signed.service != "s3" or _is_special(environ):
        return None
    try:
        path: str = environ["PATH_INFO"].encode("latin-1").decode()
    except UnicodeDecodeError:
        return None
    bucket, _, key = path[1:].partition("/")
    return _Asked(bucket, key, query[1] if query else None, signed)


def _is_special(environ: Mapping[str, Any]) -> bool:
    return any(name.startswith(_SPECIAL) and name not in _KNOWN for name in environ)


def _may_read(environ: Mapping[str, Any], asked: _Asked, stored: FakeKey) -> bool:
    signed = asked.signed
    try:
        require_valid_key(signed.key)
    except KeyRefused:
        return False
    return all(
        permits(signed.key, access)
        for access in read_accesses(
            object_arn(asked.bucket, asked.key),
            asked.version,
            stored,
            signed.region,
            condition_headers(environ),
        )
    )


def _stored(keys: Any, name: str, version: str | None) -> Any:
    versions = keys.getlist(name, ())
    if version is None:
        return versions[-1] if versions else None
    return next((one for one in versions if str(one.version_id) == version), None)


def _read(environ: Mapping[str, Any], stored: FakeKey) -> tuple[str, dict[str, str], bytes] | None:
    """Return the answer; None where a condition does not hold, or the range is unusual."""
    match = environ.get("HTTP_IF_MATCH")
    if match and stored.etag not in (match, f'"{match}"'):
        return None
    content = stored.value
    begin, end, last = 0, len(content) - 1, len(content) - 1
    asked = environ.get("HTTP_RANGE")
    if asked:
        given = _RANGE.fullmatch(asked)
        if given is None:
            return None
        begin, end = int(given[1]), min(int(given[2] or last), last)
        if begin > end:
            return None
    is_checked = begin == 0 and end == last and environ.get(_CHECKSUM_MODE) == "ENABLED"
    if is_checked and stored.checksum_type == "COMPOSITE":
        return None
    headers = {"x-amz-version-id": stored.version_id} if stored.version_id != "null" else {}
    headers |= {**stored.response_dict, **stored.metadata, "Accept-Ranges": "bytes"}
    if is_checked and stored.checksum_algorithm:
        headers[f"x-amz-checksum-{stored.checksum_algorithm.lower()}"] = str(stored.checksum_value)
        if stored.checksum_type:
            headers["x-amz-checksum-type"] = stored.checksum_type
    if asked:
        headers["content-range"] = f"bytes {begin}-{end}/{len(content)}"
    body = content[begin : end + 1]
    headers |= {"content-length": str(len(body)), "x-amzn-requestid": str(uuid.uuid4())}
    return "206 Partial Content" if asked else "200 OK", headers, body
