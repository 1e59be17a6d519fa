"""The processes that the server started, with what they use."""

import time
from pathlib import Path
from typing import Any

from scones_local.admin import PREFIX, route
from scones_local.children import Child
from scones_local.context import Context

PROCESSES_PATH = f"{PREFIX}processes"


def install(context: Context) -> None:
    """Answer which processes run: `owner`, `pid`, `resident_mb`, `uptime_seconds` of each."""

    @route("GET", PROCESSES_PATH)
    def read_processes(query: dict[str, Any]) -> list[dict[str, Any]]:
        del query
        now = time.time()
        return [describe(child, now) for child in context.children.listed()]


def describe(child: Child, now: float) -> dict[str, Any]:
    """Return a process as JSON; `resident_mb` is None where the system does not tell."""
    return {
        "owner": child.owner,
        "pid": child.pid,
        "resident_mb": resident_mb(child.pid),
        "uptime_seconds": round(now - child.started, 1),
    }


def resident_mb(pid: int) -> int | None:
    """Return how much memory a process has, in MiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    return sizes[0] // 1024 if sizes else None
