"""Where captured records lie: `<destination>/<endpoint>/<variant>/YYYY/MM/DD/HH/*.jsonl`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scones_core.uris import S3Uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_HOUR_FILE = re.compile(r"\d{4}/\d\d/\d\d/\d\d/[^/]+\.jsonl")
# A file carries the time of its first record and takes further ones for about a minute.
_FILE_SPAN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A JSONL object below the capture destination; `size` in bytes."""

    key: str
    etag: str
    size: int
    variant: str


def capture_roots(uri: S3Uri, endpoint: str) -> tuple[str, str]:
    """Return the two prefixes under which an endpoint's records may lie.

    SageMaker appends `/<endpoint>` to the destination as it was given, so that one with a
    trailing slash gives `//`.
    """
    folder = uri.key.rstrip("/") + "/" if uri.key.strip("/") else ""
    return (f"{folder}{endpoint}/", f"{folder}/{endpoint}/")


def list_capture_files(
    s3: "S3Client",
    uri: S3Uri,
    endpoint: str,
    *,
    variant: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[CaptureFile]:
    """Return the capture files of the hours from `since` to `until`, in key order.

    Hours outside are not listed at all: S3 lists in key order, and the keys sort by time.
    """
    files: list[CaptureFile] = []
    for root in capture_roots(uri, endpoint):
        names = [variant] if variant else list(_variants(s3, uri.bucket, root))
        for name in names:
            files += _variant_files(s3, uri.bucket, f"{root}{name}/", since, until)
    return files


def _variants(s3: "S3Client", bucket: str, root: str) -> Iterator[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=root, Delimiter="/")
    for page in pages:
        for found in page.get("CommonPrefixes", []):
            yield found["Prefix"].removeprefix(root).rstrip("/")


def _variant_files(
    s3: "S3Client", bucket: str, prefix: str, since: datetime | None, until: datetime | None
) -> Iterator[CaptureFile]:
    first = prefix + (_hour(since - _FILE_SPAN) if since else "")
    # "0" follows "/": the end of until's hour, whatever the files in it are called.
    last = prefix + _hour(until) + "0" if until else None
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=first
    )
    for page in pages:
        for found in page.get("Contents", []):
            key = found["Key"]
            if last is not None and key >= last:
                return
            if _HOUR_FILE.fullmatch(key, len(prefix)):
                variant = prefix.rstrip("/").rpartition("/")[2]
                yield CaptureFile(key, found["ETag"], found["Size"], variant)


def _hour(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y/%m/%d/%H")
