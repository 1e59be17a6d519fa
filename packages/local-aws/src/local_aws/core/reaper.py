"""The program that outlives a killed server just long enough to end what it had started.

It reads `+<group>` and `-<group>` lines from its standard input, which the server holds open.
When that pipe ends, however the server died, it kills the process groups that are left. It
needs neither `prctl` (Linux only, and tied to the thread that started a child) nor code
between fork and exec, which is unsafe in a process with threads.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


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
    """Wait for the end of standard input, then kill the groups that are left."""
    for group in surviving_groups(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
