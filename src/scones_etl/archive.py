"""Named members of a gzipped tar, read as they are unpacked, within limits.

Nothing reaches the disk, and no member is held twice: the reader gets each as a stream, while
the next megabytes are inflated in a thread of their own.
"""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO, TypeVar

from isal import igzip_threaded, isal_zlib

from scones_core.errors import MalformedDataset

MAX_MEMBERS = 64
# Headers and padding of a tar, and what a read at its end asks for too much.
_SLACK = 1 << 20
_CHUNK = 1 << 20

# The stub has it as an instance.
_InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]

Content = TypeVar("Content")
Reader = Callable[[IO[bytes], tarfile.TarInfo], Content]


class _Fault(Exception):
    """What is wrong with an archive, as the end of a sentence; the reader's own errors pass."""


class _Bounded(io.RawIOBase):
    """A stream that goes forward only, and refuses to go past a limit."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream, self._limit, self._position = stream, limit, 0

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise _Fault("it was to be unpacked without a limit")
        data = self._stream.read(min(size, self._limit - self._position + 1))
        self._position += len(data)
        if self._position > self._limit:
            raise _Fault(f"it unpacks to more than {self._limit:,} bytes")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._position:
            raise _Fault("it does not follow one member after another")
        while self._position < offset and self.read(min(_CHUNK, offset - self._position)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position

    def drain(self) -> None:
        """Read what follows the last member, so that length and checksum are compared."""
        while self.read(_CHUNK):
            pass


def read_members(
    stream: BinaryIO, limits: Mapping[str, int], where: str, read: Reader[Content]
) -> dict[str, Content]:
    """Return what `read` makes of each member that `limits` names, each with its most bytes.

    `read` gets a stream that ends where the member does, and the member's header. Other
    regular files are passed over. Raises MalformedDataset, naming `where`, when a member is
    missing, doubled, too large, of another type or outside the archive's own folder, and when
    the archive is truncated or its checksum is wrong.
    """
    ceiling = 2 * sum(limits.values()) + _SLACK
    try:
        with igzip_threaded.open(stream, "rb", block_size=_CHUNK) as inflated:
            unpacked = _Bounded(inflated, ceiling)
            found = _read(unpacked, limits, ceiling, read)
            unpacked.drain()
    except (_Fault, tarfile.TarError, _InflateError, EOFError, OSError, ValueError) as error:
        raise MalformedDataset(
            f"{where} is no intact archive: {error}. Get it again, or name another."
        ) from error
    missing = sorted(set(limits) - set(found))
    if missing:
        raise MalformedDataset(f"{where} has no {', '.join(missing)}; is it another archive?")
    return found


def _read(
    unpacked: Any, limits: Mapping[str, int], ceiling: int, read: Reader[Content]
) -> dict[str, Content]:
    found: dict[str, Content] = {}
    with tarfile.open(fileobj=unpacked, mode="r:") as archive:
        for _ in range(MAX_MEMBERS):
            member = archive.next()
            if member is None:
                return found
            limit = limits.get(member.name, ceiling)
            _check(member, limit)
            if member.name in found:
                raise _Fault(f"it holds {member.name} twice")
            stream = archive.extractfile(member) if member.name in limits else None
            if stream is not None:
                found[member.name] = read(stream, member)
    raise _Fault(f"it holds more than {MAX_MEMBERS} members")


def _check(member: tarfile.TarInfo, limit: int) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _Fault(f"its member {member.name!r} points outside of its folder")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _Fault(f"its member {member.name!r} is neither a file nor a folder")
    if not 0 <= member.size <= limit:
        raise _Fault(f"its member {member.name!r} has {member.size:,} bytes")
