"""How much memory a process has used at most, as the system tells."""

import contextlib
import os
import threading

_LINE = b"VmHWM:"


class PeakMemory:
    """A process's peak resident memory, which costs one system call to read. Thread-safe."""

    def __init__(self, pid: int) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        with contextlib.suppress(OSError):  # as on a system without /proc
            self._file = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)

    def peak_mb(self) -> int:
        """Return megabytes; 0 where the system does not tell, or the process has ended."""
        with self._lock:
            if self._file is None:
                return 0
            try:
                status = os.pread(self._file, 8192, 0)
            except OSError:
                return 0
        _, _, rest = status.partition(_LINE)
        return int(rest.split(None, 1)[0]) // 1024 if rest else 0

    def close(self) -> None:
        """Ask no more."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
            self._file = None
