import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.core import reaper


def test_groups_that_were_taken_away_do_not_survive() -> None:
    assert reaper.surviving_groups(["+1\n", "+2\n", "-1\n", "\n", "+3\n"]) == {2, 3}


def test_the_guard_kills_what_is_left_when_its_input_ends() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    )
    subprocess.run(
        [sys.executable, str(Path(reaper.__file__))],
        input=f"+{child.pid}\n",
        text=True,
        check=True,
        timeout=20,
    )
    assert child.wait(20) == -9 and child.stdin is not None
    child.stdin.close()


@pytest.mark.parametrize("lines", [[], ["-5\n"]])
def test_nothing_is_killed_when_nothing_was_added(lines: list[str]) -> None:
    assert reaper.surviving_groups(lines) == set()
