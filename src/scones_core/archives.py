"""Tar and zip archives from outside, read member by member, within limits and never onto the disk.

Nothing that an archive claims is believed: the bytes that are read are counted, the headers that
carry names and attributes are bounded before they are read, and a member that is a link or a
device, or that points outside the archive's own folder, ends the reading.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO

from scones_core.errors import ArchiveError
from scones_core.file_kinds import kind_of

MAX_HEADER_BYTES = 1 << 16
"""A header of names or attributes (tar types x, g, L, K) or, by member, of a zip's directory."""
_SLACK = 1 << 20
"""Headers and padding of a tar, and what a read at its end asks for too much."""
_CHUNK = 1 << 20
_NAMES_SHOWN = 100
_GZIP, _XZ, _BZIP2, _ZIP = b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"PK"
_MAGIC_BYTES = 512
# zipfile unpacks a whole read of any other method at once: gigabytes of a kilobyte of bzip2.
_BOUNDED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

OpenGzip = Callable[[BinaryIO], Any]


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How many members an archive may have, and how many bytes one and all of them together."""

    members: int
    member_bytes: int
    total_bytes: int


class Member:
    """A regular file of an archive: `name` below the archive's folder, `size` in bytes.

    Its content can be read once, in full, before the next member is asked for.
    """

    __slots__ = ("_open", "name", "size")

    def __init__(self, name: str, size: int, open_content: Callable[[], Any]) -> None:
        self.name, self.size, self._open = name, size, open_content

    def read(self) -> bytes:
        """Return the content; raises ArchiveError where the archive ends within it."""
        content = bytearray(self.size)
        self.readinto(memoryview(content))
        return bytes(content)

    def readinto(self, buffer: memoryview) -> None:
        """Write the content into a buffer of `size` bytes; raises ArchiveError as `read` does."""
        with reported():
            stream, filled = self._open(), 0
            while filled < self.size:
                count = stream.readinto(buffer[filled : filled + _CHUNK])
                if not count:
                    raise ArchiveError("it ends within a member")
                filled += count
            # What lies behind the declared size is refused, and a zip's checksum is compared.
            stream.finish()


def members(
    file: BinaryIO, limits: ArchiveLimits, *, open_gzip: OpenGzip = gzip.open
) -> Iterator[Member]:
    """Yield the regular files of a tar (plain, gzip, xz or bzip2) or zip in their order.

    `file` is at its start and can seek; `open_gzip` may be a faster reader of gzip. Names come
    without `./`; folders are passed over. The file is read to its end, so that lengths and
    checksums are compared. Raises ArchiveError, its message a clause about the archive ("it is
    not a tar or zip archive"), for one that is damaged, encrypted or too large, or that has a
    link, a device or a name outside its own folder.
    """
    with reported():
        magic = file.read(_MAGIC_BYTES)
        file.seek(0)
    if magic.startswith(_ZIP):
        yield from _zip_members(file, limits)
        return
    openers: dict[bytes, Any] = {_GZIP: open_gzip, _XZ: lzma.open, _BZIP2: bz2.open}
    opener = next((opener for start, opener in openers.items() if magic.startswith(start)), None)
    if opener is None and magic[257:262] != b"ustar" and not _is_old_tar(magic):
        raise ArchiveError(f"it is not a tar or zip archive{_what_else(magic)}")
    with contextlib.ExitStack() as stack:
        with reported():
            plain = file if opener is None else stack.enter_context(opener(file))
        yield from _tar_members(plain, limits)


def read_files(
    file: BinaryIO,
    wanted: Mapping[str, int],
    limits: ArchiveLimits,
    *,
    open_gzip: OpenGzip = gzip.open,
) -> dict[str, bytes]:
    """Return the content of the files of these names that an archive has.

    Each name maps to its most bytes. Raises ArchiveError as `members` does, and for a name that
    the archive has twice.
    """
    found: dict[str, bytes] = {}
    for member in members(file, limits, open_gzip=open_gzip):
        if member.name not in wanted:
            continue
        if member.name in found:
            raise ArchiveError(f"it has {quoted_name(member.name)} twice")
        if member.size > wanted[member.name]:
            raise ArchiveError(
                f"its member {quoted_name(member.name)} has {member.size:,} bytes; "
                f"at most {wanted[member.name]:,} are accepted"
            )
        found[member.name] = member.read()
    return found


def quoted_name(name: str) -> str:
    """Return a member's name as a message shows it: quoted, escaped and cut."""
    return repr(name) if len(name) <= _NAMES_SHOWN else f"{name[:_NAMES_SHOWN]!r}..."


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn what the readers of the standard library raise for a damaged archive into ArchiveError.

    `NotImplementedError` is a feature of zip that Python lacks, `RuntimeError` an encrypted member.
    """
    try:
        yield
    except ArchiveError:
        raise
    except RecursionError as error:
        raise ArchiveError("its headers are nested too deeply") from error
    except MemoryError as error:  # a dictionary of xz may be declared with 4 GiB
        raise ArchiveError("it needs more memory than there is") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ArchiveError(f"it is damaged: {str(error) or type(error).__name__:.200}") from error


def _what_else(magic: bytes) -> str:
    """Return what a file is that begins so, with what to do, as the rest of a clause."""
    if not magic:
        return " but empty"
    kind = kind_of(magic)
    if kind is None:
        return ""
    article = "" if kind.name.startswith(("a ", "an ")) or not kind.is_picture else "a picture, "
    return f" but {article}{kind.name}{f': {kind.advice}' if kind.advice else ''}"


def _is_old_tar(magic: bytes) -> bool:
    """Return whether a header from before POSIX lies here; its checksum alone decides."""
    try:
        tarfile.TarInfo.frombuf(magic, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


class _TarHeader(tarfile.TarInfo):
    """A tar header that is refused by its declared size, before `tarfile` reads what it covers."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        headers = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
        headers |= {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
        if self.type in headers and not 0 <= self.size <= MAX_HEADER_BYTES:
            raise ArchiveError(
                f"it has a header of {self.size:,} bytes; at most {MAX_HEADER_BYTES:,} are accepted"
            )
        if self.type == tarfile.GNUTYPE_SPARSE:
            self._refuse_sparse()
        proceed: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return proceed

    def _refuse_sparse(self, following: tarfile.TarInfo | None = None, *_: object) -> None:
        raise ArchiveError(f"its member {quoted_name((following or self).name)} is a sparse file")

    # A PAX header makes a sparse file as well; `tarfile` reads its map into a list, a number of
    # two bytes each, out of a content that packs to a thousandth.
    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


class _Forward(io.RawIOBase):
    """A stream that goes forward only, and refuses to go past a limit."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._limit, self._position = stream, limit, 0

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise ArchiveError("it was to be unpacked without a limit")
        data = self._stream.read(min(size, self._limit - self._position + 1))
        self._advance(len(data))
        return data

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)  # type: ignore[attr-defined]
        self._advance(count)
        return count

    def _advance(self, count: int) -> None:
        self._position += count
        if self._position > self._limit:
            raise ArchiveError(f"it unpacks to more than {self._limit:,} bytes")

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._position:
            raise ArchiveError("its members do not follow one another")
        while self._position < offset and self.read(min(_CHUNK, offset - self._position)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position

    def finish(self) -> None:
        """Do nothing: a tar has no checksum of a member's content."""

    def drain(self) -> None:
        """Read what follows the last member, so that length and checksum are compared."""
        while self.read(_CHUNK):
            pass


def _tar_members(plain: IO[bytes], limits: ArchiveLimits) -> Iterator[Member]:
    stream = _Forward(plain, limits.total_bytes + _SLACK)
    # A raw stream does what tarfile asks of a file, but is none by its type.
    given: Any = stream
    with contextlib.ExitStack() as stack:
        with reported():
            archive = stack.enter_context(
                tarfile.open(fileobj=given, mode="r:", tarinfo=_TarHeader)
            )
        for _ in range(limits.members):
            with reported():
                header = archive.next()
                if header is None:
                    stream.drain()
                    return
                kind = "folder" if header.isdir() else "file" if header.isreg() else ""
                name = _checked(header.name, kind, header.size, limits)
                if kind == "file":
                    stream.seek(header.offset_data)
            if kind == "file":
                yield Member(name, header.size, lambda: stream)
    raise ArchiveError(f"it has more than {limits.members:,} members")


class _ShortReads(io.RawIOBase):
    """A file of which nobody may ask more than so many bytes at once: a zip's directory is."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._limit = file, limit

    def read(self, size: int = -1) -> bytes:
        # A negative size asks for all that is left; zipfile does so near the file's end.
        data = self._file.read(min(size, self._limit + 1) if size >= 0 else self._limit + 1)
        if len(data) > self._limit:
            raise ArchiveError("its directory has too many entries")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


class _ZipContent:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readinto(self, buffer: memoryview) -> int:
        count: int = self._stream.readinto(buffer)
        return count

    def finish(self) -> None:
        """Reach the end, where the checksum is compared."""
        if self._stream.read(1):
            raise ArchiveError("it has a member that is longer than its size")


def _zip_members(file: BinaryIO, limits: ArchiveLimits) -> Iterator[Member]:
    given: Any = _ShortReads(file, max(_CHUNK, 256 * limits.members))
    with contextlib.ExitStack() as stack:
        with reported():
            archive = stack.enter_context(zipfile.ZipFile(given))
            entries = archive.infolist()
            if len(entries) > limits.members:
                raise ArchiveError(f"it has more than {limits.members:,} members")
            if sum(entry.file_size for entry in entries) > limits.total_bytes:
                raise ArchiveError(f"it unpacks to more than {limits.total_bytes:,} bytes")
        for entry in entries:
            mode = entry.external_attr >> 16
            # Archives of Windows' own tools have backslashes between folders.
            given_name = entry.filename.replace("\\", "/")
            kind = "folder" if given_name.endswith("/") else "file"
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = ""
            name = _checked(given_name, kind, entry.file_size, limits)
            if entry.compress_type not in _BOUNDED_METHODS:
                raise ArchiveError(
                    f"its member {quoted_name(name)} is compressed by method "
                    f"{entry.compress_type}; pack it with deflate"
                )
            if entry.flag_bits & 1:
                raise ArchiveError(f"its member {quoted_name(name)} is encrypted")
            if kind == "file":
                yield Member(name, entry.file_size, partial(_zip_content, archive, entry))


def _zip_content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> "_ZipContent":
    return _ZipContent(archive.open(entry))


def _checked(name: str, kind: str, size: int, limits: ArchiveLimits) -> str:
    """Return a member's name without `./`; raises ArchiveError for one that is refused."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ArchiveError(f"its member {quoted_name(name)} points outside the archive's folder")
    if not kind:
        raise ArchiveError(f"its member {quoted_name(name)} is not a file or folder")
    if kind == "file" and not 0 <= size <= limits.member_bytes:
        raise ArchiveError(
            f"its member {quoted_name(name)} has {size:,} bytes; "
            f"at most {limits.member_bytes:,} are accepted"
        )
    return str(path)
