"""The interpreter for a function's declared runtime, where this machine has it."""

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ASK = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
_ANSWER_SECONDS = 20


def base_python() -> str:
    """Return the interpreter behind the virtual environment, which sees none of its packages."""
    return getattr(sys, "_base_executable", None) or sys.executable


def base_runtime() -> str:
    """Return the name of the runtime that the server's own interpreter is, as `python3.12`."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


@functools.lru_cache(maxsize=32)
def python_for(runtime: str) -> str | None:
    """Return the path of the interpreter for a runtime such as `python3.12`; None without one.

    It is the server's own where that is the version, else the first that runs and says that
    it is that version: of the name on the PATH, then of the installations beside the server's
    own, as version managers lay them. A manager's stand-in may be on the PATH for nothing.
    """
    if runtime == base_runtime():
        return base_python()
    if not runtime.startswith("python3."):
        return None
    return next((path for found in _candidates(runtime) if (path := _asked(found, runtime))), None)


def _candidates(runtime: str) -> Iterator[str]:
    on_path = shutil.which(runtime)
    if on_path is not None:
        yield on_path
    beside = Path(sys.base_prefix).parent.glob(f"*/bin/{runtime}")
    yield from (str(path) for path in sorted(beside, reverse=True))


def _asked(found: str, runtime: str) -> str | None:
    """Return the program's own path, not a stand-in's, when it runs and is that version."""
    try:
        said = subprocess.run(
            [found, "-I", "-S", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    return said[1] if said[:1] == [runtime.removeprefix("python")] else None
