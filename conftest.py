"""What holds for every test."""

import os
import signal
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from tests.support.scheduling import long_files_first

# Whoever runs the tests in the background has them begin with interrupts ignored, and what they
# start inherits that; some of it is to be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on the host, and measured in benchmarks/ alone.
settings.register_profile("scones", deadline=None)
settings.load_profile("scones")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return two processes more than there are cores: tests wait for Terraform and for servers."""
    return (os.cpu_count() or 1) + 2


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Return the scheduler of `make test`; another --dist gets its own."""
    if config.getvalue("dist") != "loadfile":
        return None
    # Else the files with the most tests would go first, and those are the fast ones.
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests of `make test`; who runs them one after the other sees the fast first."""
    if hasattr(config, "workerinput"):
        long_files_first(items)
