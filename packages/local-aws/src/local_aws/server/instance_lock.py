"""One server for one folder: the lock that says so, and the file that says where it is."""

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import local_aws
from local_aws.core.files import write_json
from local_aws.errors import LocalAwsError


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """`<home>/server.json`. `started` is an ISO 8601 time in UTC, `code` what `code_digest` was."""

    pid: int
    port: int
    endpoint_url: str
    started: str
    code: str = ""  # of a server that did not record it yet


def code_digest(package: Path = Path(local_aws.__file__).parent) -> str:
    """Return a SHA-256 of the package's modules, which a server reads only as it starts."""
    digest = hashlib.sha256()
    for module in sorted(package.rglob("*.py")):
        digest.update(str(module.relative_to(package)).encode())
        digest.update(hashlib.sha256(module.read_bytes()).digest())
    return digest.hexdigest()


def prepare_home(home: Path) -> None:
    """Make the folder of a server, closed to other users: it has functions, models and logs.

    A folder with something else in it is left as open as it is. Raises LocalAwsError where it
    cannot be made or written.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(home.iterdir()) or (home / "lock").exists():
            home.chmod(0o700)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise LocalAwsError(
            f"The embedded AWS cannot use the folder {home} ({error.strerror}); "
            "give one that can be written."
        ) from error


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold `<home>/lock` while inside; raises LocalAwsError, naming the holder, if taken.

    The kernel lets go of the lock when the holder dies, so none is ever stale.
    """
    prepare_home(home)
    with (home / "lock").open("a+", encoding="utf-8") as lock:
        if not _taken(lock):
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise LocalAwsError(
                f"An embedded AWS (process {holder}) already uses {home}; "
                "stop it first, or give another folder."
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _taken(lock: IO[str]) -> bool:
    """Take the lock; a few tries, as `is_locked` of another process holds it for an instant."""
    for _ in range(10):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.02)
    return False


def is_locked(home: Path) -> bool:
    """Return whether a live server holds the folder."""
    try:
        with (home / "lock").open("r", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def record_path(home: Path) -> Path:
    """Return where the server of this folder says where it is."""
    return home / "server.json"


def write_record(home: Path, record: ServerRecord) -> None:
    """Write `server.json` at once as a whole."""
    write_json(record_path(home), asdict(record))


def read_record(home: Path) -> ServerRecord | None:
    """Return what `server.json` says, or None when there is none or it is not whole."""
    try:
        fields = json.loads(record_path(home).read_text(encoding="utf-8"))
        return ServerRecord(**fields)
    except (FileNotFoundError, ValueError, TypeError):
        return None
