"""The processes that the server started, with what they use."""

import os
import time
from pathlib import Path
from typing import Any

from local_aws.core.admin_api import PROCESSES_PATH, route
from local_aws.core.child_processes import Child
from local_aws.core.context import Context


def install(context: Context) -> None:
    """Answer which processes run: `owner`, `pid`, `memory_mb`, `uptime_seconds` of each."""

    @route("GET", PROCESSES_PATH)
    def read_processes(query: dict[str, Any]) -> list[dict[str, Any]]:
        del query
        now = time.time()
        return [describe(child, now) for child in context.children.listed()]


def describe(child: Child, now: float) -> dict[str, Any]:
    """Return a process as JSON; `memory_mb` is None where the system does not report it."""
    return {
        "owner": child.owner,
        "pid": child.pid,
        "memory_mb": memory_mb(child.pid),
        "uptime_seconds": round(now - child.started, 1),
    }


def memory_mb(session: int) -> int | None:
    """Return how much memory the processes of a session have together, in MiB.

    A program that answers with a process for each core counts whole. Pages that several of them
    share are shared out among them: `Pss` of
    https://docs.kernel.org/filesystems/proc.html#proc-pid-smaps
    """
    found = [place for place in Path("/proc").glob("[0-9]*") if _is_of(session, place)]
    return sum(map(_kilobytes, found)) // 1024 if found else None


def _is_of(session: int, process: Path) -> bool:
    try:
        return os.getsid(int(process.name)) == session
    except OSError:  # it has ended meanwhile
        return False


def _kilobytes(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
