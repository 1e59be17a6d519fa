"""Named members of a gzipped tar, read into memory within limits; nothing reaches the disk."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import BinaryIO

from scones_core.errors import MalformedDataset

MAX_MEMBERS = 64
# Headers and padding of a tar, and what a read at its end asks for too much.
_SLACK = 1 << 20


class _BoundedGzip(gzip.GzipFile):
    """Refuses to unpack past a limit, however the reader asks for it."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        super().__init__(fileobj=stream, mode="rb")
        self._limit = limit

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            raise MalformedDataset("it was to be unpacked without a limit")
        self._require(self.tell() + size)
        return super().read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        here = 0 if whence == io.SEEK_SET else super().seek(0, io.SEEK_CUR)
        self._require(here + offset)
        return super().seek(here + offset)

    def _require(self, end: int) -> None:
        if end > self._limit:
            raise MalformedDataset(f"it unpacks to more than {self._limit:,} bytes")

    def drain(self, chunk: int = 65536) -> None:
        """Read what follows the last member, so that gzip compares length and checksum."""
        while self.read(chunk):
            pass


def read_members(stream: BinaryIO, limits: Mapping[str, int], where: str) -> dict[str, bytes]:
    """Return the content of the members that `limits` names, each with its most bytes.

    Other regular files are passed over. Raises MalformedDataset, naming `where`, when a
    member is missing, doubled, too large, of another type or outside the archive's own
    folder, and when the archive is truncated or its checksum is wrong.
    """
    ceiling = 2 * sum(limits.values()) + _SLACK
    try:
        with _BoundedGzip(stream, ceiling) as unpacked:
            found = _read(unpacked, limits, ceiling)
            unpacked.drain()
    except (MalformedDataset, tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise MalformedDataset(
            f"{where} is no intact archive: {error}. Get it again, or name another."
        ) from error
    missing = sorted(set(limits) - set(found))
    if missing:
        raise MalformedDataset(f"{where} has no {', '.join(missing)}; is it another archive?")
    return found


def _read(unpacked: _BoundedGzip, limits: Mapping[str, int], ceiling: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=unpacked, mode="r:") as archive:
        for _ in range(MAX_MEMBERS):
            member = archive.next()
            if member is None:
                return found
            limit = limits.get(member.name, ceiling)
            _check(member, limit)
            if member.name in found:
                raise MalformedDataset(f"it holds {member.name} twice")
            stream = archive.extractfile(member) if member.name in limits else None
            if stream is not None:
                found[member.name] = stream.read(member.size)
    raise MalformedDataset(f"it holds more than {MAX_MEMBERS} members")


def _check(member: tarfile.TarInfo, limit: int) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise MalformedDataset(f"its member {member.name!r} points outside of its folder")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise MalformedDataset(f"its member {member.name!r} is neither a file nor a folder")
    if not 0 <= member.size <= limit:
        raise MalformedDataset(f"its member {member.name!r} has {member.size:,} bytes")
