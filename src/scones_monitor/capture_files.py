"""The files that data capture writes: found by endpoint, variant and hour, in S3 or in a folder.

SageMaker names them `<destination>/<endpoint>/<variant>/YYYY/MM/DD/HH/MM-SS-mmm-<uuid>.jsonl`,
after the time of a file's first record.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scones_core.errors import MonitorError
from scones_core.uris import S3Uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

UNKNOWN = "unknown"
"""The endpoint and variant of a file whose path does not name them."""

FILE_SPAN = timedelta(minutes=10)
"""A file carries the time of its first record and takes further ones for about a minute."""

# AWS names a file after its first record, whose own time may be a little earlier.
_EARLY = timedelta(minutes=1)
_CHUNK_BYTES = 2**18
_HOUR_FILE = re.compile(
    r"(\d{4})/(\d\d)/(\d\d)/(\d\d)/(?:(\d\d)-(\d\d)-(\d{3})-)?[^/]+\.jsonl", re.ASCII
)
_FOLDER_FILE = re.compile(rf"(?:.*/)?([^/]+)/([^/]+)/({_HOUR_FILE.pattern})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A JSONL file of captured records; `size` in bytes.

    `etag` changes with the content. `time` is that of the first record by the file's name, in
    UTC; None where the name does not say it.
    """

    key: str
    etag: str
    size: int
    variant: str
    endpoint: str = UNKNOWN
    time: datetime | None = None

    def contradicts(self, time: datetime) -> bool:
        """Return whether a record of this file cannot be of that time, by the file's name."""
        return self.time is not None and not self.time - _EARLY <= time <= self.time + FILE_SPAN


@dataclass(frozen=True, slots=True)
class Listing:
    """Capture files in key order, and what lies among them and was left out, as sentences."""

    files: tuple[CaptureFile, ...]
    left_out: tuple[str, ...] = ()


class CaptureSource(Protocol):
    """Where an endpoint's capture files lie; `str()` is the place in words."""

    def list(self, since: datetime | None = None, until: datetime | None = None) -> Listing:
        """Return the files that may hold records of a period."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield a file's bytes in chunks, all or `length` from `start` on.

        Raises FileNotFoundError where it is gone.
        """


def capture_roots(uri: S3Uri, endpoint: str) -> tuple[str, str]:
    """Return the two prefixes under which an endpoint's records may lie.

    SageMaker appends `/<endpoint>` to the destination as it was given, so that one with a
    trailing slash gives `//`.
    """
    folder = uri.key.rstrip("/") + "/" if uri.key.strip("/") else ""
    return (f"{folder}{endpoint}/", f"{folder}/{endpoint}/")


@dataclass(frozen=True, slots=True)
class S3Captures:
    """An endpoint's files below a capture destination, of one variant or of all."""

    s3: "S3Client"
    uri: S3Uri
    endpoint: str
    variant: str | None = None

    def __str__(self) -> str:
        return f"{self.uri.join(self.endpoint, self.variant or '')}/"

    def list(self, since: datetime | None = None, until: datetime | None = None) -> Listing:
        """Return the files of the hours from `since` to `until`.

        Hours outside are not listed at all: S3 lists in key order, and the keys sort by time.
        """
        files: list[CaptureFile] = []
        foreign: list[str] = []
        for root in capture_roots(self.uri, self.endpoint):
            names = [self.variant] if self.variant else list(self._folders(root))
            for name in names:
                for file, key in self._variant(root, name, since, until):
                    files += [file] if file else []
                    foreign += [] if file else [key]
        return Listing(tuple(files), tuple(_left_out(foreign, self._others())))

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes; raises FileNotFoundError where it is gone."""
        if length == 0:
            return
        span = f"bytes={start}-{'' if length is None else start + length - 1}"
        try:
            # An empty object has no first byte to ask for.
            whole = start == 0 and length is None
            range_header = {} if whole else {"Range": span}
            body = self.s3.get_object(Bucket=self.uri.bucket, Key=key, **range_header)["Body"]  # type: ignore[arg-type]
        except self.s3.exceptions.NoSuchKey as error:
            raise FileNotFoundError(f"s3://{self.uri.bucket}/{key}") from error
        yield from body.iter_chunks(_CHUNK_BYTES)

    def _folders(self, root: str) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.uri.bucket, Prefix=root, Delimiter="/"
        )
        for page in pages:
            for found in page.get("CommonPrefixes", []):
                yield found["Prefix"].removeprefix(root).rstrip("/")

    def _variant(
        self, root: str, variant: str, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[CaptureFile | None, str]]:
        prefix = f"{root}{variant}/"
        first = prefix + (_hour(since - FILE_SPAN) if since else "")
        # "0" follows "/": the end of until's hour, whatever the files in it are called.
        last = prefix + _hour(until) + "0" if until else None
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.uri.bucket, Prefix=prefix, StartAfter=first
        )
        for page in pages:
            for found in page.get("Contents", []):
                key = found["Key"]
                if last is not None and key >= last:
                    return
                if match := _HOUR_FILE.fullmatch(key, len(prefix)):
                    time = _file_time(match.groups())
                    file = CaptureFile(
                        key, found["ETag"], found["Size"], variant, self.endpoint, time
                    )
                    yield file, key
                else:
                    yield None, key

    def _others(self) -> Sequence[str]:
        folder = capture_roots(self.uri, "")[0].removesuffix("/")
        return [name for name in self._folders(folder) if name and name != self.endpoint]


@dataclass(frozen=True, slots=True)
class FolderCaptures:
    """Files copied to a folder: in SageMaker's layout, or any `*.jsonl`, whose endpoint is unknown.

    With an `endpoint` or a `variant` those of others are left out.
    """

    folder: Path
    endpoint: str = ""
    variant: str | None = None

    def __str__(self) -> str:
        return str(self.folder)

    def list(self, since: datetime | None = None, until: datetime | None = None) -> Listing:
        """Return the files whose name does not place them outside of the period.

        Raises MonitorError where the folder does not exist.
        """
        if not self.folder.is_dir():
            raise MonitorError(f"{self.folder} is not a folder of captured records.")
        files, others, foreign = [], set(), []
        for path in sorted(self.folder.rglob("*")):
            if not path.is_file():
                continue
            key = path.relative_to(self.folder).as_posix()
            if path.suffix != ".jsonl" or path.name.startswith("."):
                foreign.append(key)
                continue
            match = _FOLDER_FILE.fullmatch(key)
            endpoint, variant = match.groups()[:2] if match else (UNKNOWN, UNKNOWN)
            time = _file_time(match.groups()[3:]) if match else None
            if self.endpoint and endpoint not in (self.endpoint, UNKNOWN):
                others.add(endpoint)
            elif self.variant in (None, variant, UNKNOWN) and _within(time, since, until):
                status = path.stat()
                etag = f"{status.st_size}-{status.st_mtime_ns}"
                files.append(CaptureFile(key, etag, status.st_size, variant, endpoint, time))
        return Listing(tuple(files), tuple(_left_out(foreign, sorted(others))))

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield a file's bytes; raises FileNotFoundError where it is gone, else MonitorError."""
        try:
            with (self.folder / key).open("rb") as file:
                file.seek(start)
                left = length
                while chunk := file.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES)):
                    left = None if left is None else left - len(chunk)
                    yield chunk
        except PermissionError as error:
            raise MonitorError(f"{self.folder / key} cannot be read: {error.strerror}.") from error


def _left_out(foreign: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    if others:
        names = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        yield f"{len(others)} other endpoint(s) in the same place were not read: {names}"
    if foreign:
        yield f"{len(foreign)} object(s) are not capture files; the first: {foreign[0]}"


def _file_time(parts: Sequence[str | None]) -> datetime | None:
    year, month, day, hour, minute, second, milli = parts
    if minute is None or second is None or milli is None:
        return None
    try:
        date = datetime(int(year or 0), int(month or 0), int(day or 0), int(hour or 0), tzinfo=UTC)
        return date.replace(minute=int(minute), second=int(second), microsecond=int(milli) * 1000)
    except ValueError:
        return None


def _within(time: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    if time is None:
        return True
    return (since is None or time >= since - FILE_SPAN) and (until is None or time < until)


def _hour(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y/%m/%d/%H")
