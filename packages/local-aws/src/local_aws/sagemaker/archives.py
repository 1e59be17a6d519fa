"""Model artifacts as `tar.gz`: written by a training job, unpacked for a variant.

An artifact is somebody else's file, so unpacking refuses whatever could reach outside the
folder or fill disk or memory: absolute names, `..`, links, devices, sparse files, too many
members, too many bytes, and headers of a size that no name needs.
"""

import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from local_aws.errors import LocalAwsError

MAX_BYTES = 4 * 1024**3
MAX_MEMBERS = 20_000
# What GNU's and PAX's headers for long names and attributes may take; tarfile reads them whole.
MAX_HEADER_BYTES = 65_536
_EXTENDED_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class UnsafeArchive(LocalAwsError):
    """An artifact is no gzipped tar, or holds what must not be unpacked."""


_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RecursionError)


class _BoundedTarInfo(tarfile.TarInfo):
    """A member whose headers are looked at before tarfile reads what they announce."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        """Read the rest of a member; tarfile calls this for each header of 512 bytes."""
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise UnsafeArchive("The archive has a sparse file in it.")
        if self.type in _EXTENDED_HEADERS and not 0 <= self.size <= MAX_HEADER_BYTES:
            raise UnsafeArchive(
                f"The archive has a header of {self.size} bytes; at most "
                f"{MAX_HEADER_BYTES} are read."
            )
        return super()._proc_member(tar)  # type: ignore[misc]

    def _refuse_sparse(self, *_: Any) -> None:
        raise UnsafeArchive("The archive has a sparse file in it.")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


def pack(folder: Path, archive: Path) -> None:
    """Write the folder's content as a gzipped tar, names relative to the folder."""
    descriptor, name = tempfile.mkstemp(dir=archive.parent, prefix=f".{archive.name}.")
    try:
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name)
        Path(name).replace(archive)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def unpack(
    archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES, max_members: int = MAX_MEMBERS
) -> None:
    """Unpack a gzipped tar into an existing folder; raises UnsafeArchive, naming the member."""
    try:
        with tarfile.open(archive, mode="r:gz", tarinfo=_BoundedTarInfo) as tar:
            for member in _checked(tar, max_bytes, max_members):
                _write(tar, member, folder / member.name)
    except _DAMAGE as error:
        raise UnsafeArchive(f"The archive cannot be unpacked: {str(error)[:200]}.") from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write a checked member: a folder or a plain file, with this process's own permissions.

    `TarFile.extract` would do the same with a filter, which Python 3.11.0 to 3.11.3 do not have.
    """
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    if content is None:
        raise UnsafeArchive(f"The archive has no content of {member.name[:100]!r}.")
    with content, path.open("wb") as file:
        shutil.copyfileobj(content, file)


def _checked(tar: tarfile.TarFile, max_bytes: int, max_members: int) -> Iterator[tarfile.TarInfo]:
    total = 0
    for count, member in enumerate(tar, start=1):
        total += max(0, member.size)
        if count > max_members or total > max_bytes or member.size < 0:
            raise UnsafeArchive(
                f"The archive holds more than {max_members} members or {max_bytes} bytes."
            )
        name, shown = PurePosixPath(member.name), member.name[:100]
        if name.is_absolute() or ".." in name.parts or "\\" in member.name:
            raise UnsafeArchive(f"The archive has a member outside of it: {shown!r}.")
        if not member.isfile() and not member.isdir():
            raise UnsafeArchive(f"The archive has a member that is no plain file: {shown!r}.")
        yield member
