"""How the tests are spread over processes: by file, as `--dist loadfile` does, but

- files that share an environment stay together, so that it is applied once;
- files with long tests go first, so that none is left to run alone at the end.
"""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadFileScheduling

SHARED = {
    "test_challenger.py": "an environment with an endpoint",
    "test_daily_report.py": "an environment with an endpoint",
    "test_large_runs.py": "an environment with an endpoint",
    "test_least_privilege.py": "an environment with an endpoint",
    "test_runbooks.py": "an environment with an endpoint",
}


class ByEnvironment(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Files in the order of the collection, those of one environment as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(super()._split_scope(nodeid))
        integrates = file.parent.name == "integration"
        return SHARED.get(file.name, str(file)) if integrates else str(file)


def long_files_first(items: list[pytest.Item]) -> None:
    """Put the files that have a test marked as slow before the others; else nothing moves."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
