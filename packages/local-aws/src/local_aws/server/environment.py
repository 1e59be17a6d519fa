"""The environment of the server's process: what it needs, and nothing of the developer's.

Functions and jobs run as the same user and can read `/proc/<server>/environ`.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_NAMES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TEMP", "TMP"),
        *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "COVERAGE_PROCESS_START"),
        *("PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONWARNINGS"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    }
)
_PREFIXES = ("LC_", "LOCAL_AWS_")


def server_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that the server needs; credentials, proxies and secrets are none."""
    kept = {
        name: value for name, value in given.items() if name in _NAMES or name.startswith(_PREFIXES)
    }
    source = str(Path(__file__).resolve().parents[2])
    paths = [path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
    if source not in paths:
        paths.insert(0, source)
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def leave_environment() -> None:
    """Start this program again where it has more variables than it needs: the kernel shows them."""
    clean = server_environment(os.environ)
    if os.environ.keys() - clean.keys():
        program = [sys.executable, "-m", "local_aws.server.main", *sys.argv[1:]]
        os.execve(sys.executable, program, clean)  # noqa: S606 - this very program
