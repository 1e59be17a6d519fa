"""One execution environment: a process that runs a function's invocations, one at a time."""

import contextlib
import datetime
import json
import logging
import os
import shutil
import subprocess
import threading
import time
import uuid
from pathlib import Path

from local_aws.core.child_processes import Children
from local_aws.lambda_.functions import (
    FunctionSpec,
    WorkerSettings,
    base_runtime,
    python_for,
    worker_environment,
)
from local_aws.lambda_.logs import (
    LogEvent,
    LogPipe,
    Usage,
    end_lines,
    missing_runtime_line,
    start_lines,
)
from local_aws.lambda_.runtime_api import Invocation, RuntimeApi

INIT_SECONDS = 10.0
_BOOTSTRAP = Path(__file__).with_name("worker_bootstrap.py")
_MEMORY_CHECK_SECONDS = 0.1
_log = logging.getLogger(__name__)


_LINE = b"VmHWM:"


class PeakMemory:
    """The peak resident memory of a process, with that of the processes it has started.

    Each process counts with its own peak, as long as it is there. Thread-safe.
    """

    def __init__(self, pid: int) -> None:
        self._lock = threading.Lock()
        self._pid = pid
        self._file: int | None = None
        self._children: int | None = None
        with contextlib.suppress(OSError):  # as on a system without /proc
            self._file = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
            # That of the first thread, which is all of it as long as there is no other.
            path = f"/proc/{pid}/task/{pid}/children"
            self._children = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def peak_mb(self) -> int:
        """Return megabytes; 0 where the system does not say, or the process has ended."""
        with self._lock:
            if self._file is None:
                return 0
            try:
                status = os.pread(self._file, 8192, 0)
                if self._children is not None and b"\nThreads:\t1\n" in status:
                    started = [int(pid) for pid in os.pread(self._children, 8192, 0).split()]
                else:
                    started = _children_of(self._pid)
            except OSError:
                return 0
        return (_peak_kb(status) + sum(_started_kb(pid) for pid in started)) // 1024

    def close(self) -> None:
        """Release the process's files."""
        with self._lock:
            for file in (self._file, self._children):
                if file is not None:
                    os.close(file)
            self._file = self._children = None


def _peak_kb(status: bytes) -> int:
    _, _, rest = status.partition(_LINE)
    return int(rest.split(None, 1)[0]) if rest else 0


def _started_kb(pid: int, depth: int = 8) -> int:
    """Return the peak of a process that the function has started, and of those below it."""
    try:
        own = _peak_kb(Path(f"/proc/{pid}/status").read_bytes())
    except OSError:
        return 0
    below = _children_of(pid) if depth else []
    return own + sum(_started_kb(child, depth - 1) for child in below)


def _children_of(pid: int) -> list[int]:
    """Return the processes that a process, in any of its threads, has started."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.scandir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                started = Path(thread.path, "children").read_text(encoding="ascii")
                found += [int(number) for number in started.split()]
    return found


def _used_bytes(folder: Path) -> int:
    """Return how much the files below a folder take; what vanishes meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).lstat().st_blocks * 512
    return total


class Worker:
    """A warm process of one function version. One thread at a time may call `run`."""

    def __init__(
        self,
        spec: FunctionSpec,
        task: Path,
        layers: Path | None,
        settings: WorkerSettings,
        children: Children,
    ) -> None:
        self.spec = spec
        self._shown = {str(task): "/var/task"} | ({str(layers): "/opt"} if layers else {})
        self._children = children
        self._api = RuntimeApi()
        self._current: Invocation | None = None
        self._started = time.monotonic()
        self._init_ms: float | None = None
        self._peak = 0
        day = datetime.datetime.now(datetime.UTC).strftime("%Y/%m/%d")
        self.log_stream = f"{day}/[{spec.version}]{uuid.uuid4().hex}"
        self._folder = settings.temporary / self.log_stream[-12:]
        self._folder.mkdir(parents=True, exist_ok=True)
        python = python_for(spec.runtime)
        boot = ["-I", "-S", "-u", str(_BOOTSTRAP), str(task), str(settings.runtime), spec.handler]
        flags = [*settings.flags, *([f"--layers={layers}"] if layers else [])]
        try:
            self._process = children.spawn(
                [python or settings.python, *boot, *flags],
                env=worker_environment(
                    spec,
                    settings,
                    task=task,
                    layers=layers,
                    folder=self._folder,
                    runtime_api=self._api.address,
                    log_stream=self.log_stream,
                ),
                cwd=task,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                owner=f"function/{spec.name}",
            )
        except BaseException:
            self._api.close()
            raise
        self._api.expect(self._process.pid)
        if self._process.stdout is None:
            raise AssertionError("a worker's output is always a pipe")
        self._memory = PeakMemory(self._process.pid)
        self._logs = LogPipe(self._process.stdout, self._shown)
        if python is None:
            line = missing_runtime_line(spec.runtime, base_runtime())
            _log.warning("%s: %s", spec.name, line)
            self._logs.add(line)
        threading.Thread(target=self._reap, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    @property
    def started(self) -> bool:
        """Return whether the runtime has asked for an event, or has failed to start."""
        return self._api.initialised.is_set()

    def run(self, invocation: Invocation) -> list[LogEvent]:
        """Run one invocation to its end, set its outcome and return its log events.

        A timeout, too much memory, an exit or a failed start end the process, as on AWS.
        """
        self._add(start_lines(self.spec, invocation))
        started = time.time()
        cold = self._init_ms is None
        if self._initialise(invocation):
            started = time.time()
            invocation.deadline = started + invocation.timeout_seconds
            self._current = invocation
            self._api.deliver(invocation)
            if not self.alive:  # it ended before it could be tied to this invocation
                self._fail_exit(invocation)
            self._watch(invocation)
            self._current = None
        usage = Usage(time.time() - started, self._peak, self._init_ms if cold else None)
        invocation.seconds = usage.seconds
        self._logs.drain()
        self._add(end_lines(self.spec, invocation, usage))
        invocation.result = self._hide_folders(invocation)
        return self._logs.collect()

    def kill(self) -> None:
        """End the process and all that it started."""
        self._children.terminate(self._process)

    def _initialise(self, invocation: Invocation) -> bool:
        """Wait for the runtime; an init that takes too long counts as a timeout."""
        if not self._api.initialised.wait(INIT_SECONDS + invocation.timeout_seconds):
            self.kill()
            self._time_out(invocation)
            return False
        if self._api.init_error is not None:
            invocation.finish(self._api.init_error, failed=True)
            self.kill()
            return False
        if self._init_ms is None:
            self._init_ms = (time.monotonic() - self._started) * 1000
        if not self.alive:
            self._fail_exit(invocation)
            return False
        return True

    def _watch(self, invocation: Invocation) -> None:
        deadline = time.monotonic() + invocation.timeout_seconds
        while True:
            left = deadline - time.monotonic()
            finished = invocation.done.wait(max(0.0, min(left, _MEMORY_CHECK_SECONDS)))
            self._peak = self._memory.peak_mb() or self._peak
            if self._peak > self.spec.memory_mb:
                invocation.done.clear()
                self._end(invocation, "Runtime.OutOfMemory", "signal: killed")
                return
            if _used_bytes(self._folder) > self.spec.temporary_mb * 1024**2:
                invocation.done.clear()
                self._fail_full(invocation)
                return
            if finished:
                return
            if left <= 0:
                self._time_out(invocation)
                self.kill()
                return

    def _time_out(self, invocation: Invocation) -> None:
        cause = f"Task timed out after {invocation.timeout_seconds:.2f} seconds"
        self._logs.drain()
        self._logs.add(f"{invocation.request_id} {cause}")
        message = f"RequestId: {invocation.request_id} Error: {cause}"
        invocation.finish(_error("Sandbox.Timedout", message), failed=True)

    def _end(self, invocation: Invocation, kind: str, how: str) -> None:
        message = f"RequestId: {invocation.request_id} Error: Runtime exited with error: {how}"
        invocation.finish(_error(kind, message), failed=True)
        self.kill()

    def _fail_full(self, invocation: Invocation) -> None:
        """End a worker with more temporary files than its EphemeralStorage.

        On AWS the write that is one too many fails with this error.
        """
        message = f"[Errno 28] No space left on device: /tmp has {self.spec.temporary_mb} MB"
        invocation.finish(_error("OSError", message), failed=True)
        self.kill()

    def _fail_exit(self, invocation: Invocation) -> None:
        code = self._process.wait()
        how = f"exit status {code}" if code >= 0 else _signal_text(-code)
        self._end(invocation, "Runtime.ExitError", how)

    def _reap(self) -> None:
        self._process.wait()
        current = self._current
        self._children.forget(self._process)
        self._api.initialised.set()
        self._api.close()
        if current is not None and not current.done.is_set():
            self._logs.join(1.0)
            self._fail_exit(current)
        self._memory.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _add(self, lines: list[str]) -> None:
        for line in lines:
            self._logs.add(line)

    def _hide_folders(self, invocation: Invocation) -> bytes:
        """Return the result; a failure's stack trace gets the paths it would have on AWS."""
        result = invocation.result
        if invocation.failed:
            for folder, shown in self._shown.items():
                result = result.replace(json.dumps(folder)[1:-1].encode(), shown.encode())
        return result


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _signal_text(number: int) -> str:
    # Go's words for the common signals, which is what AWS prints.
    signal_names = {6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}
    return f"signal: {signal_names.get(number, number)}"
