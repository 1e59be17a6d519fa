"""Named members of a gzipped tar, read as they are unpacked, within limits.

Nothing reaches the disk, and no member is held twice: each is unpacked into memory of its own
size, while the next megabytes are inflated in a thread of their own.
"""

import io
import mmap
import tarfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, BinaryIO, TypeVar

import numpy as np
from isal import igzip_threaded, isal_zlib
from numpy.typing import NDArray

from scones_core.errors import MalformedDataset

MAX_MEMBERS = 64
# Headers and padding of a tar, and what a read at its end asks for too much.
_SLACK = 1 << 20
_CHUNK = 1 << 20

# The stub has it as an instance.
_InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]

Content = TypeVar("Content")
Reader = Callable[[memoryview, str], Content]


class _Fault(Exception):
    """What is wrong with an archive, as the end of a sentence; the reader's own errors pass."""


class _Bounded(io.RawIOBase):
    """A stream that goes forward only, and refuses to go past a limit."""

    def __init__(self, stream: BinaryIO, limit: int, memory: NDArray[np.uint8]) -> None:
        self._stream, self._limit, self._position = stream, limit, 0
        self._memory = memory.data

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise _Fault("it was to be unpacked without a limit")
        data = self._stream.read(min(size, self._limit - self._position + 1))
        self._position += len(data)
        if self._position > self._limit:
            raise _Fault(f"it unpacks to more than {self._limit:,} bytes")
        return data

    def member(self, size: int) -> memoryview:
        """Return the next `size` bytes, in the memory's next part; raises EOFError at the end."""
        content, self._memory = self._memory[:size], self._memory[size:]
        filled = 0
        while filled < size:
            count = self._stream.readinto(content[filled : filled + _CHUNK])  # type: ignore[attr-defined]
            if not count:
                raise EOFError("it ends within a member")
            filled += count
        self._position += size
        return content

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


def unused(size: int) -> NDArray[np.uint8]:
    """Return so many bytes, uint8 (size,), that take up memory only once they are written.

    So a size that a header claims costs nothing. For as many, numpy asks the system for huge
    pages, and on a machine that has run for a while waits longer for these than for the rest.
    """
    if size == 0:
        return np.empty(0, dtype=np.uint8)
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return np.frombuffer(mmap.mmap(-1, size, flags=private), dtype=np.uint8)


def read_members(
    stream: BinaryIO,
    limits: Mapping[str, int],
    where: str,
    read: Reader[Content],
    memory: NDArray[np.uint8],
) -> dict[str, Content]:
    """Return what `read` makes of each member that `limits` names, each with its most bytes.

    `read` gets a member's bytes and its name. The bytes are a part of `memory`, uint8 and as
    long as all limits together, in which the members come to lie one after another. Other
    regular files are passed over. Raises MalformedDataset, naming `where`, when a member is
    missing, doubled, too large, of another type or outside the archive's own folder, and when
    the archive is truncated or its checksum is wrong.
    """
    ceiling = 2 * sum(limits.values()) + _SLACK
    try:
        with igzip_threaded.open(stream, "rb", block_size=_CHUNK) as inflated:
            unpacked = _Bounded(inflated, ceiling, memory)
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
    unpacked: _Bounded, limits: Mapping[str, int], ceiling: int, read: Reader[Content]
) -> dict[str, Content]:
    found: dict[str, Content] = {}
    # A raw stream does what tarfile asks of a file, but is none by its type.
    given: Any = unpacked
    with tarfile.open(fileobj=given, mode="r:") as archive:
        for _ in range(MAX_MEMBERS):
            member = archive.next()
            if member is None:
                return found
            limit = limits.get(member.name, ceiling)
            _check(member, limit)
            if member.name in found:
                raise _Fault(f"it holds {member.name} twice")
            if member.name in limits and member.isreg():
                unpacked.seek(member.offset_data)
                found[member.name] = read(unpacked.member(member.size), member.name)
    raise _Fault(f"it holds more than {MAX_MEMBERS} members")


def _check(member: tarfile.TarInfo, limit: int) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _Fault(f"its member {member.name!r} points outside of its folder")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _Fault(f"its member {member.name!r} is neither a file nor a folder")
    if not 0 <= member.size <= limit:
        raise _Fault(f"its member {member.name!r} has {member.size:,} bytes")
