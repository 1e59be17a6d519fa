"""What a worker prints, as log events: whole lines, complete when its answer is there."""

import os
import select
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line of a log stream. `timestamp` is in milliseconds since 1970."""

    timestamp: int
    message: str


class LogPipe:
    """Reads a pipe into log events; each folder of `shown` in a line is shown as its value.

    A worker prints before it answers, so at the answer all its lines are in the pipe. `collect`
    reads them out itself and need not wait for the thread that otherwise does.
    """

    def __init__(self, pipe: IO[bytes], shown: Mapping[str, str]) -> None:
        self._pipe = pipe
        self._shown = shown
        self._lock = threading.Lock()
        self._events: list[LogEvent] = []
        self._rest = b""
        self._open = True
        os.set_blocking(pipe.fileno(), False)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def add(self, message: str) -> None:
        """Append a line of the platform's own."""
        with self._lock:
            self._append(message)

    def collect(self) -> list[LogEvent]:
        """Return the events since the last call, with all that the pipe holds by now."""
        with self._lock:
            self._drain()
            events, self._events = self._events, []
            return events

    def drain(self) -> None:
        """Take what the pipe holds, so that a line that is added next comes after it."""
        with self._lock:
            self._drain()

    def join(self, seconds: float) -> None:
        """Wait for the end of the pipe."""
        self._thread.join(seconds)

    def _pump(self) -> None:
        while self._open:
            select.select([self._pipe], [], [])
            self.drain()
        self._pipe.close()

    def _drain(self) -> None:
        while self._open:
            try:
                data = os.read(self._pipe.fileno(), 65_536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._open = False
                data = b"\n" if self._rest else b""
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                # The runtime joins the lines of one event with carriage returns.
                self._append(line.decode("utf-8", "replace").replace("\r", "\n"))

    def _append(self, message: str) -> None:
        now = int(time.time() * 1000)
        for folder, shown in self._shown.items():
            message = message.replace(folder, shown)
        self._events.append(LogEvent(now, message))
