"""The folder that the state lies in: one file of records, and a file for each large body.

    state/records        a line of JSON (the stamp), then the pickled records
    state/bodies/<sha256>

Bodies are written before the records that name them, and removed after the records that named
them are gone. A file gets its name only once all of it is on disk. So at whatever time a process
is killed at, the power fails or the disk is full, the records and their bodies fit.
"""

import contextlib
import datetime
import errno
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local_aws.core.patching import MOTO_VERSION
from local_aws.errors import LocalAwsError

# Raised when saved records mean something else than before.
FORMAT = 2
STATE_FOLDER = "state"
_HEXADECIMAL = frozenset("0123456789abcdef")
# Of more bodies, so many are written at once.
_FEW, _WRITERS = 8, 8
_REMEDY = "`inv local.reset` removes it, with everything that was deployed."


class Snapshots:
    """The saved state of one embedded AWS. One process at a time uses it: who holds the lock.

    `written` is about how many bodies it has written so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records, self._bodies = folder / "records", folder / "bodies"
        self.written = 0
        # The bodies of the last records that took their name, though their save may have failed.
        self._named: set[str] = set()

    @property
    def stored(self) -> set[str]:
        """Return the digests of the bodies that are there."""
        if not self.has_bodies():
            return set()
        with os.scandir(self._bodies) as entries:  # of many thousands, ten times faster than Path
            return {entry.name for entry in entries if entry.name[0] in _HEXADECIMAL}

    @property
    def size(self) -> int:
        """Return the number of bytes of the bodies that are there."""
        if not self.has_bodies():
            return 0
        found = 0
        with os.scandir(self._bodies) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # a server may remove some just now
                    found += entry.stat().st_size
        return found

    def exist(self) -> bool:
        """Return whether there is saved state."""
        return self._records.exists()

    def has_bodies(self) -> bool:
        """Return whether the folder of the bodies is there."""
        return self._bodies.is_dir()

    def write(self, records: bytes, new: Mapping[str, bytes]) -> None:
        """Replace the saved state; after an error the old one is still there, and whole.

        Raises OSError when the disk does not take it.
        """
        if not self.has_bodies():
            for folder in (self.folder, self._bodies):
                # Without `parents`: a server's own folder that a user deletes is not made again.
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
        try:
            if len(new) <= _FEW:
                for each in new.items():
                    self._write_body(*each)
            else:
                # Each waits for the disk, which syncs many at once.
                with ThreadPoolExecutor(_WRITERS) as pool:
                    list(pool.map(self._write_body, new.keys(), new.values()))
            if new:
                _sync_folder(self._bodies)
            _write(self._records, _stamp(records) + b"\n" + records)
        except OSError:
            with contextlib.suppress(OSError):  # they would take the room that is missing
                self.remove(new.keys() - self._named)
            raise
        self._named = set(new)
        _sync_folder(self.folder)

    def _write_body(self, digest: str, body: bytes) -> None:
        _write(self._bodies / digest, body)
        self.written += 1

    def remove(self, digests: set[str]) -> None:
        """Remove bodies that the records do not name any more."""
        for digest in digests:
            (self._bodies / digest).unlink(missing_ok=True)

    def read(self) -> tuple[bytes, bool]:
        """Return the records, and whether they are those that were written.

        Raises LocalAwsError for what this program cannot load.
        """
        try:
            line, _, records = self._records.read_bytes().partition(b"\n")
        except OSError as error:
            raise LocalAwsError(
                f"The saved state {self._records} cannot be read: {error.strerror}. "
                "Check the disk and the file's permissions; nothing was changed."
            ) from error
        try:
            stamp = json.loads(line)
        except ValueError:
            stamp = None
        if not isinstance(stamp, dict):
            raise self.unusable("its first line is no stamp")
        for name, ours in _versions().items():
            if stamp.get(name) != ours:
                raise self.unusable(f"it was written with {name} {stamp.get(name)}, this is {ours}")
        return records, stamp.get("sha256") == hashlib.sha256(records).hexdigest()

    def body(self, digest: str) -> bytes:
        """Return a body, verified; raises LocalAwsError for what is not what was written."""
        try:
            body = (self._bodies / digest).read_bytes()
        except OSError as error:
            raise self.unusable(
                f"the file bodies/{digest[:12]}... cannot be read ({error.strerror})"
            ) from error
        if hashlib.sha256(body).hexdigest() != digest:
            raise self.unusable(f"the file bodies/{digest[:12]}... is not what was written")
        return body

    def unusable(self, why: str) -> LocalAwsError:
        """Return the error that says why the state is not loaded, and what to do."""
        return LocalAwsError(f"The saved state in {self.folder} is not loaded: {why}. {_REMEDY}")

    def clear(self) -> None:
        """Remove the saved state."""
        # The records first: bodies without them are nothing, records without bodies are broken.
        self._records.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file under another name; it gets its own once all of it is on disk."""
    part = path.with_name(f".{path.name}")
    try:
        # Few calls: each of them lets go of the interpreter and has to get it back.
        handle = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            _write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _write_all(handle: int, content: bytes) -> None:
    """Write all bytes: one call takes 2 GiB at most, and less on a disk that is nearly full."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
    if (size := os.fstat(handle).st_size) != len(content):
        raise OSError(errno.EIO, f"{size} of {len(content)} bytes were written")


def _sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _versions() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "moto": MOTO_VERSION,
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def _stamp(records: bytes) -> bytes:
    stamp = {
        **_versions(),
        "saved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(records).hexdigest(),
    }
    return json.dumps(stamp).encode()
