"""A container's process: started in its group, its output handed on line by line."""

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local_aws.core.child_processes import Children

# CloudWatch Logs takes events of 256 KiB; a longer line is cut into several.
MAX_LINE_BYTES = 256 * 1024 - 26
LineSink = Callable[[str], None]


class Container:
    """A running program with the container contract; `on_line` gets each line of its output.

    Standard output and standard error are one stream. Lines come from a thread of their own
    as they are written; bytes that are no UTF-8 are replaced.
    """

    def __init__(
        self,
        children: Children,
        argv: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        on_line: LineSink,
        owner: str = "",
    ) -> None:
        self._children, self._on_line = children, on_line
        self._tail: deque[str] = deque(maxlen=20)
        self.process = children.spawn(
            argv,
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            owner=owner,
        )
        name = f"output-{self.process.pid}"
        self._reader = threading.Thread(target=self._read, name=name, daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Return whether the process has not ended yet."""
        return self.process.poll() is None

    @property
    def last_line(self) -> str:
        """Return the last line of output that is not blank, or an empty text."""
        return next((line for line in reversed(self._tail) if line.strip()), "")

    def said(self, text: str) -> bool:
        """Return whether one of the last lines has this text, whatever its case."""
        return any(text.lower() in line.lower() for line in list(self._tail))

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, once all output is handed on.

        Raises subprocess.TimeoutExpired when the process still runs after `timeout` seconds.
        What the program left running in its group is killed, as it ends with its container.
        """
        status = self.process.wait(timeout)
        self._children.forget(self.process)
        self._reader.join(timeout=5)
        return status

    def stop(self, grace_seconds: float) -> int:
        """End the process, SIGTERM first, SIGKILL after the grace; return the exit status."""
        self._children.terminate(self.process, grace_seconds)
        self._reader.join(timeout=5)
        return self.process.wait()

    def _read(self) -> None:
        output = self.process.stdout
        if output is None:
            return
        with output:
            while raw := output.readline(MAX_LINE_BYTES):
                line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
                self._tail.append(line)
                self._on_line(line)
