"""Model artifacts as `tar.gz`: written by a training job, unpacked for a variant.

An artifact is somebody else's file, so unpacking refuses whatever could reach outside the
folder or fill the disk: absolute names, `..`, links, devices, too many members, too many bytes.
"""

import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from local_aws.errors import LocalAwsError

MAX_BYTES = 4 * 1024**3
MAX_MEMBERS = 20_000


class UnsafeArchive(LocalAwsError):
    """An artifact is no gzipped tar, or holds what must not be unpacked."""


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
        with tarfile.open(archive, mode="r:gz") as tar:
            for member in _checked(tar, max_bytes, max_members):
                tar.extract(member, folder, filter="data", set_attrs=False)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise UnsafeArchive(f"The model artifact cannot be unpacked: {error}.") from error


def _checked(tar: tarfile.TarFile, max_bytes: int, max_members: int) -> Iterator[tarfile.TarInfo]:
    total = 0
    for count, member in enumerate(tar, start=1):
        total += member.size
        if count > max_members or total > max_bytes:
            raise UnsafeArchive(
                f"The model artifact holds more than {max_members} members or {max_bytes} bytes."
            )
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts or "\\" in member.name:
            raise UnsafeArchive(f"The model artifact has a member outside of it: {member.name!r}.")
        if not member.isfile() and not member.isdir():
            raise UnsafeArchive(
                f"The model artifact has a member that is no plain file: {member.name!r}."
            )
        yield member
