"""The program that outlives a killed server just long enough to end what it had started.

It reads `+<group>` and `-<group>` lines from its standard input, which the server holds open.
When that pipe ends, however the server died, it kills the process groups that are left, and the
processes that bear the server's mark in their environment: a program that has made a session of
its own is in no group that the server knows. It needs neither `prctl` (Linux only, and tied to
the thread that started a child) nor code between fork and exec, which is unsafe in a process
with threads.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

# The variable that every child inherits; one that is started with another environment, and
# whose parents have ended, is not found by it.
VARIABLE = "LOCAL_AWS_PROCESS"
_ROUNDS = 50


def marked(mark: str) -> list[int]:
    """Return the processes whose mark begins so; none where there is no /proc."""
    marker = f"{VARIABLE}={mark}".encode()
    found = []
    try:
        entries = list(os.scandir("/proc"))
    except OSError:
        return []
    for entry in entries:
        # Of another user's process, and of one that has ended meanwhile, nothing can be read.
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            variables = Path(entry.path, "environ").read_bytes().split(b"\0")
            if any(variable.startswith(marker) for variable in variables):
                found.append(pid)
    return found


def kill_marked(mark: str) -> None:
    """Kill the processes whose mark begins so, and what they start meanwhile."""
    for _ in range(_ROUNDS):
        left = [pid for pid in marked(mark) if pid != os.getpid()]
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def surviving_groups(lines: Iterable[str]) -> set[int]:
    """Return the groups that were added and not taken away when the lines end."""
    groups: set[int] = set()
    for line in lines:
        if line.startswith("+"):
            groups.add(int(line[1:]))
        elif line.startswith("-"):
            groups.discard(int(line[1:]))
    return groups


def main() -> None:
    """Wait for the end of standard input, then kill what is left; the mark is the argument."""
    for group in surviving_groups(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for mark in sys.argv[1:]:
        kill_marked(mark)


if __name__ == "__main__":
    main()
