"""A model.tar.gz, read as the hostile input that it may be: by member, never onto the disk."""

import gzip
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import IO, Any

from scones_core.errors import ReleaseError

MAX_UNPACKED_BYTES = 2 << 30
MAX_MEMBERS = 1000
CHUNK = 1 << 20


def read_members(
    file: IO[bytes], where: str, wanted: Mapping[str, int], limit: int = MAX_UNPACKED_BYTES
) -> dict[str, list[bytes]]:
    """Return the contents of the top-level files of these names; each name maps to all it has.

    `wanted` says how many bytes each may have, `limit` how many the archive may unpack to.
    The file is read from its start to the archive's end. Raises ReleaseError, naming `where`,
    for anything that is no whole archive of files and folders inside it.
    """
    file.seek(0)
    try:
        with gzip.open(file) as plain:
            bounded: Any = _Bounded(plain, limit, where)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                found = _contents(archive, where, wanted)
            # tar ends before gzip does; only the end of gzip proves length and checksum.
            while bounded.read(CHUNK):
                pass
        return found
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise ReleaseError(f"The artifact {where} is no model archive: {error}.") from error


class _Bounded:
    """A stream that ends in an error once more was read from it than a model may hold."""

    def __init__(self, stream: gzip.GzipFile, limit: int, where: str) -> None:
        self._stream, self._left, self._where = stream, limit, where

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_much(self._where)
        return data


def _contents(
    archive: tarfile.TarFile, where: str, wanted: Mapping[str, int]
) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {name: [] for name in wanted}
    for count, member in enumerate(archive, start=1):
        if count > MAX_MEMBERS:
            raise _too_much(where)
        _require_safe(member, where)
        name = str(PurePosixPath(member.name))
        if member.isfile() and name in wanted:
            found[name].append(_content(archive, member, where, wanted[name]))
    return found


def _too_much(where: str) -> ReleaseError:
    return ReleaseError(f"The artifact {where} unpacks to more than a model may hold.")


def _require_safe(member: tarfile.TarInfo, where: str) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise ReleaseError(
            f"The artifact {where} has the member {member.name!r}, which is no file or folder "
            "inside it; do not deploy it."
        )


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, where: str, limit: int) -> bytes:
    stream = archive.extractfile(member)
    if stream is None or member.size > limit:
        raise ReleaseError(f"The {member.name} in {where} has over {limit:,} bytes.")
    return stream.read()
