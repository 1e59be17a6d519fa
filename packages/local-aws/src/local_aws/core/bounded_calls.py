"""Calls of functions that may take any time or memory, in processes of their own.

An expression of JSONata or a regular expression is a program of whoever wrote it: 30 characters
can keep a processor busy for years or fill the memory. In the server's process nothing could end
it, and a regular expression does not even let another thread run. So it runs elsewhere, where the
kernel bounds its memory and ends it when its time is over, whatever becomes of the server.
"""

import contextlib
import importlib
import json
import queue
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from local_aws.errors import LocalAwsError

MAX_BYTES = 1 << 30
"""The address space of such a process, of which it needs some 100 MB itself."""

MAX_PROCESSES = 4
"""How many calls of one function run at once; others wait for their turn."""

_LENGTH_BYTES = 8
_MAX_ANSWER_BYTES = 16 << 20
# Functions that call each other need more than Python's own limit; a stack that overflows ends
# this process only.
_RECURSION = 10_000


class TooCostly(LocalAwsError):
    """A call took more time or memory than it may."""


class BoundedCalls:
    """Calls a function by its name, `module:function`; arguments and value are JSON. Thread-safe.

    A LocalAwsError of the function is raised as one, with its message; TooCostly where a call
    takes more than `seconds` or than MAX_BYTES. Processes are started as they are needed, kept for
    further calls, and end with this one.
    """

    def __init__(self, function: str, seconds: float) -> None:
        self._function, self._seconds = function, seconds
        self._idle: queue.LifoQueue[subprocess.Popen[bytes]] = queue.LifoQueue()
        self._turns = threading.BoundedSemaphore(MAX_PROCESSES)

    def __call__(self, *arguments: Any) -> Any:
        """Return the function's value for these arguments."""
        try:
            request = json.dumps(arguments).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise LocalAwsError(f"The data cannot be handed on: {error}") from error
        with self._turns:
            process = self._process()
            answer = _exchanged(process, request)
            if answer is None:
                _end(process)
                raise TooCostly(f"It takes more than {self._seconds:g} seconds, or too much memory")
            self._idle.put(process)
        if "failed" in answer:
            raise LocalAwsError(answer["failed"])
        return answer["value"]

    def _process(self) -> subprocess.Popen[bytes]:
        """Return a process that waits for a call."""
        with contextlib.suppress(queue.Empty):
            while True:
                process = self._idle.get_nowait()
                if process.poll() is None:
                    return process
                _end(process)
        source = str(Path(__file__).resolve().parents[2])
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, self._function, str(self._seconds)],
            env={"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _exchanged(process: subprocess.Popen[bytes], request: bytes) -> dict[str, Any] | None:
    """Return a process's answer to a request; None where it ended over it."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are always pipes")
    try:
        _write(process.stdin, request)
        answer = _read(process.stdout)
    except OSError:
        return None
    try:
        found: dict[str, Any] | None = None if answer is None else json.loads(answer)
    except RecursionError:
        found = {"failed": "The value is nested too deeply"}
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _write(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(_LENGTH_BYTES) + content)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """Return the next message of a pipe; None at its end."""
    head = pipe.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    content = pipe.read(int.from_bytes(head))
    return content if len(content) == int.from_bytes(head) else None


def serve(name: str, seconds: float, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more; the process ends over one that takes too long."""
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute)
    while (request := _read(requests)) is not None:
        # By default this signal ends the process, also within a regular expression.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            answer = json.dumps({"value": function(*json.loads(request))})
            if len(answer) > _MAX_ANSWER_BYTES:
                raise LocalAwsError(f"The value has {len(answer):,} bytes")
        except LocalAwsError as error:
            answer = json.dumps({"failed": str(error)})
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(answers, answer.encode())


def main() -> None:
    """Bound this process and serve the function that the arguments name."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(_RECURSION)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    serve(sys.argv[1], float(sys.argv[2]), sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
