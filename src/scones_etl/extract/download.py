"""The original CIFAR-100 archive from the University of Toronto, whole and checked, or nothing."""

import contextlib
import hashlib
import http.client
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from scones_core.errors import ChecksumMismatch, DatasetError

Say = Callable[[str], None]


class SourceUnreachable(DatasetError):
    """A server did not hand out the archive; nothing is known about its content."""


class _Body(Protocol):
    def read(self, amount: int, /) -> bytes: ...


class Rate:
    """Says now and then how much has arrived, how fast, and how long the rest will take."""

    def __init__(
        self,
        say: Say,
        name: str,
        *,
        every_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._name, self._every, self._clock = say, name, every_seconds, clock
        self._started = self._reported = clock()

    def __call__(self, done: int, total: int, /) -> None:
        """Say a line if the last one is old enough; `total` 0 is an unknown one. In bytes."""
        now = self._clock()
        if now - self._reported < self._every:
            return
        self._reported = now
        rate = done / (now - self._started)
        line = f"{self._name}: {done / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s"
        if total > done and rate > 0:
            line = (
                f"{self._name}: {done / 1e6:.1f} of {total / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s, "
                f"{(total - done) / rate:.0f} s left"
            )
        self._say(line)


def free_bytes(folder: Path) -> int:
    """Return how many bytes the file system of a folder has left."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a web server, known by its MD5.

    `max_bytes` is where it is given up as another file; `timeout` is the most seconds
    without a byte; `free` returns how many bytes a folder can take.
    """

    url: str
    md5: str
    max_bytes: int
    timeout: float = 15.0
    free: Callable[[Path], int] = free_bytes

    def fetch(self, target: Path, say: Say) -> None:
        """Write the file to `target`, which appears only when it is whole and the right one.

        Raises SourceUnreachable when the server does not hand it out, ChecksumMismatch for
        another content, and DatasetError for one too large or a disk that cannot take it.
        """
        if not self.url.startswith(("https://", "http://")):
            raise DatasetError(f"{self.url} is no web address; write https://...")
        say(f"Downloading {self.url}")
        try:
            with urllib.request.urlopen(self.url, timeout=self.timeout) as body:  # noqa: S310
                total = int(body.headers.get("Content-Length") or 0)
                self._require_size(total)
                self._store(body, total, target, Rate(say, target.name))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise SourceUnreachable(
                f"{self.url} did not hand out the archive ({reason}); try again later, or "
                "download it elsewhere and set SCONES_CIFAR100 to its path."
            ) from error

    def _require_size(self, size: int) -> None:
        if size > self.max_bytes:
            raise DatasetError(
                f"{self.url} gives more than {self.max_bytes:,} bytes, so it is not the "
                "archive; download it elsewhere and set SCONES_CIFAR100 to its path."
            )

    def _store(self, body: _Body, total: int, target: Path, rate: Rate) -> None:
        folder, needed = target.parent, total or self.max_bytes
        with _disk(folder, needed):
            folder.mkdir(parents=True, exist_ok=True)
            left = self.free(folder)
            if left < needed:
                raise OSError(f"it has {left:,} bytes left")
            part = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed before the rename
                dir=folder, prefix=f".{target.name}.", suffix=".part", delete=False
            )
        try:
            self._copy(body, total, part, rate)
            with _disk(folder, needed):
                part.close()
                Path(part.name).replace(target)
        finally:
            # A disk that is full fails a second time, on what the buffer still holds.
            with contextlib.suppress(OSError):
                part.close()
            Path(part.name).unlink(missing_ok=True)

    def _copy(self, body: _Body, total: int, part: IO[bytes], rate: Rate) -> None:
        md5, done = hashlib.md5(usedforsecurity=False), 0
        while chunk := body.read(1 << 18):
            done += len(chunk)
            self._require_size(done)
            md5.update(chunk)
            with _disk(Path(part.name).parent, total or self.max_bytes):
                part.write(chunk)
            rate(done, total)
        if done < total:
            raise http.client.IncompleteRead(b"", total - done)
        if md5.hexdigest() != self.md5:
            raise ChecksumMismatch(
                f"{self.url} gave a file of MD5 {md5.hexdigest()}, not {self.md5}; it was thrown "
                "away. Download the archive elsewhere and set SCONES_CIFAR100 to its path."
            )


# The archive has about 169 MB.
CIFAR100 = Remote(
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    max_bytes=200_000_000,
)


@contextlib.contextmanager
def _disk(folder: Path, needed: int) -> Iterator[None]:
    """Turn what goes wrong on this disk into a DatasetError, so that no server is blamed."""
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot take the archive, which needs {needed:,} bytes: "
            f"{error.strerror or error}. Make room, or set project.cache_dir to another folder."
        ) from error
