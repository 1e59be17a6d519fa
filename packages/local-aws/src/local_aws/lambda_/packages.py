"""Deployment packages and layers on disk: unpacked once for their content, never trusted.

https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
"""

import hashlib
import io
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from moto.awslambda.utils import get_backend

from local_aws.core.context import ACCOUNT_ID
from local_aws.errors import LocalAwsError

# The quota of an unzipped package, layers included.
MAX_UNZIPPED_BYTES = 262_144_000
_MAX_FILES = 50_000
# Begins an entry of a zip's directory, which zipfile reads at once.
_ENTRY = b"PK\x01\x02"
CODE, LAYERS = "code", "layers"
"""The folders of what is unpacked, below Lambda's own."""
# What the standard library raises for a zip that is damaged, or has more than it reads.
_DAMAGE = (
    *(OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError),
    ValueError,
)
# zipfile unpacks a whole read of any other method at once: gigabytes of a kilobyte of bzip2.
_BOUNDED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_zip(content: bytes) -> None:
    """Raise LocalAwsError, naming the entry, unless the package is safe to unpack."""
    if not _entries(content, MAX_UNZIPPED_BYTES):
        raise LocalAwsError("The deployment package has no files: it must be a non-empty zip.")


def unpack(content: bytes, target: Path, max_bytes: int = MAX_UNZIPPED_BYTES) -> None:
    """Unpack into `target`, which then is whole; one that is there already is left as it is.

    Raises LocalAwsError for a file that is no zip, an entry outside of the target, a link or
    device, and for more than `max_bytes`.
    """
    entries = _entries(content, max_bytes)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".unpack-", dir=target.parent))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in entries:
                _extract(archive, entry, partial)
        partial.chmod(0o755)
        partial.rename(target)
    except _DAMAGE as error:
        if target.is_dir():
            return  # another thread was quicker with the same content
        raise LocalAwsError(f"The deployment package cannot be unpacked: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class _FewEntries(io.BytesIO):
    """A zip whose directory is refused before zipfile makes an object of each entry."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if (count := data.count(_ENTRY)) > _MAX_FILES:
            raise LocalAwsError(
                f"The deployment package has {count:,} files; at most {_MAX_FILES:,} are taken."
            )
        return data


def _entries(content: bytes, max_bytes: int) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(_FewEntries(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise LocalAwsError(f"The deployment package is no zip: {error}.") from error
    for entry in entries:
        _check_entry(entry)
    # zipfile never reads past an entry's declared size, so the declared sum is the bound.
    size = sum(entry.file_size for entry in entries)
    if size > max_bytes:
        raise LocalAwsError(
            f"The deployment package unpacks to {size:,} bytes; "
            f"at most {max_bytes:,} bytes are taken."
        )
    return entries


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    path = PurePosixPath(name)
    if not name or "\\" in name or path.is_absolute() or ".." in path.parts or ":" in name:
        raise LocalAwsError(f"The deployment package has an entry outside of it: {name!r}.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise LocalAwsError(f"The deployment package has a link or device in it: {name!r}.")
    if entry.compress_type not in _BOUNDED_METHODS:
        raise LocalAwsError(
            f"The deployment package has an entry that is not packed with deflate: {name!r}."
        )
    if entry.flag_bits & 0x1:
        raise LocalAwsError(f"The deployment package has an encrypted entry: {name!r}.")


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    path = folder.joinpath(*PurePosixPath(entry.filename).parts)
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, path.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    if (entry.external_attr >> 16) & stat.S_IXUSR:
        path.chmod(0o755)


def forget_unpacked(home: Path) -> None:
    """Remove what earlier servers unpacked below this folder.

    It is not what is saved: a function may have changed it, or a power failure have cut it.
    """
    for name in (CODE, LAYERS):
        shutil.rmtree(home / name, ignore_errors=True)


def layer_contents(function: Any) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Return the packages of a function's layers and what names each; the first is lowest."""
    backend: Any = get_backend(ACCOUNT_ID, function.region)
    found = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    versions = [version for version in found if version is not None]
    contents = tuple(version.code_bytes for version in versions)
    return contents, tuple(version.code_sha_256 for version in versions)


def laid_out(layers: Sequence[bytes], sha256s: Sequence[str], home: Path) -> Path | None:
    """Return a folder with all layers of a function; None when it has none.

    Raises LocalAwsError for a layer that cannot be unpacked.
    """
    if not layers:
        return None
    name = hashlib.sha256("".join(sha256s).encode()).hexdigest()
    target = home / LAYERS / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".layers-", dir=target.parent))
    try:
        for number, content in enumerate(layers):
            unpack(content, partial / str(number))
            shutil.copytree(partial / str(number), partial / "opt", dirs_exist_ok=True)
        (partial / "opt").rename(target)
    except OSError as error:
        if not target.is_dir():  # else another thread was quicker with the same layers
            raise LocalAwsError(f"The layers cannot be unpacked: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
