"""The processes that the server starts: each in a group of its own, none left behind.

A program may leave its group (a daemon does). So each child has a mark in its environment, which
its own children inherit, and by which they are found and ended with it.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local_aws.core.reaper import VARIABLE, kill_marked
from local_aws.errors import LocalAwsError

_REAPER = Path(__file__).with_name("reaper.py")


@dataclass(frozen=True, slots=True)
class Child:
    """A running process: whom it works for, and when it was started, in seconds since 1970."""

    owner: str
    pid: int
    started: float
    mark: str = ""


class Children:
    """A registry of child processes. Thread-safe; after `stop_all` it starts nothing more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._children: dict[int, Child] = {}
        self._closed = False
        self._reaper: subprocess.Popen[bytes] | None = None
        self._number = itertools.count(1)
        self.mark = uuid.uuid4().hex

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdout: int | IO[bytes] | None = subprocess.DEVNULL,
        stderr: int | IO[bytes] | None = subprocess.DEVNULL,
        owner: str = "",
    ) -> subprocess.Popen[bytes]:
        """Return a started process that leads a session and a process group of its own.

        `env` is the whole environment, but for the mark. `owner` says whom it works for, as
        `function/<name>`. The caller waits for the process and then calls
        `forget`. Raises LocalAwsError when the program cannot be started.
        """
        with self._lock:
            if self._closed:
                raise LocalAwsError(f"The embedded AWS is stopping, so {argv[0]} is not started.")
            reaper = self._running_reaper()
            # The end of the number is marked, so that 1 does not name 10 as well.
            mark = f"{self.mark}-{next(self._number)}."
            try:
                process = subprocess.Popen(
                    list(argv),
                    env={**env, VARIABLE: mark},
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
            except OSError as error:
                raise LocalAwsError(f"{argv[0]} cannot be started: {error.strerror}.") from error
            self._running[process.pid] = process
            self._children[process.pid] = Child(owner, process.pid, time.time(), mark)
            _notify(reaper, f"+{process.pid}\n")
        return process

    def terminate(self, process: subprocess.Popen[bytes], grace_seconds: float = 0) -> None:
        """End the process and its whole group: SIGTERM, the grace, then SIGKILL.

        One that is not in the registry any more is left alone: its id may be another's by now.
        """
        with self._lock:
            if self._running.get(process.pid) is not process:
                return
        if grace_seconds > 0 and process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_seconds)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        self.forget(process)

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Take a process that has ended out of the registry, and end what it has started."""
        with self._lock:
            if self._running.pop(process.pid, None) is None:
                return
            child = self._children.pop(process.pid)
            _signal_group(process.pid, signal.SIGKILL)
            if self._reaper is not None:
                _notify(self._reaper, f"-{process.pid}\n")
        kill_marked(child.mark)

    def listed(self) -> list[Child]:
        """Return the processes that run, the oldest first."""
        with self._lock:
            return sorted(self._children.values(), key=lambda child: child.started)

    def stop_all(self) -> None:
        """Kill every process that is left, and start none from now on."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for process in running:
            _signal_group(process.pid, signal.SIGKILL)
        kill_marked(f"{self.mark}-")
        for process in running:
            process.wait()
            self.forget(process)
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            self._reaper.wait()

    def _running_reaper(self) -> subprocess.Popen[bytes]:
        if self._reaper is None:
            self._reaper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_REAPER), f"{self.mark}-"],
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._reaper


def _notify(reaper: subprocess.Popen[bytes], line: str) -> None:
    if reaper.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError):
        reaper.stdin.write(line.encode())
        reaper.stdin.flush()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
