"""A container's real process: its output, its end, and what it leaves behind."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.core.child_processes import Children
from local_aws.sagemaker.container_processes import MAX_LINE_BYTES, Container

DEADLINE_SECONDS = 15.0


@pytest.fixture
def children() -> Iterator[Children]:
    started = Children()
    yield started
    started.stop_all()


def run(children: Children, folder: Path, program: str, lines: list[str]) -> Container:
    return Container(
        children,
        (sys.executable, "-u", "-c", program),
        folder=folder,
        environment={"ONLY": "this"},
        on_line=lines.append,
    )


def wait_for(lines: list[str], text: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while text not in lines:
        assert time.monotonic() < deadline, f"{text!r} was not written in time"
        time.sleep(0.01)


def test_all_lines_are_there_when_the_process_has_ended(children: Children, tmp_path: Path) -> None:
    lines: list[str] = []
    program = (
        "import os, sys; print('a'); print('b', file=sys.stderr); os.write(1, b'\\xff no end')"
    )

    status = run(children, tmp_path, program, lines).wait(DEADLINE_SECONDS)

    assert status == 0
    assert lines == ["a", "b", "\N{REPLACEMENT CHARACTER} no end"]


def test_a_line_is_handed_on_while_the_process_runs(children: Children, tmp_path: Path) -> None:
    lines: list[str] = []
    container = run(children, tmp_path, "print('now'); import time; time.sleep(60)", lines)

    wait_for(lines, "now")

    assert container.running
    container.stop(grace_seconds=5)


def test_a_line_longer_than_a_log_event_is_cut(children: Children, tmp_path: Path) -> None:
    lines: list[str] = []

    run(children, tmp_path, f"print('x' * {MAX_LINE_BYTES + 5})", lines).wait(DEADLINE_SECONDS)

    assert [len(line) for line in lines] == [MAX_LINE_BYTES, 5]


def test_a_process_gets_the_given_environment_and_no_more(
    children: Children, tmp_path: Path
) -> None:
    lines: list[str] = []
    program = "import os; print(sorted(k for k in os.environ if k != 'LC_CTYPE'))"

    run(children, tmp_path, program, lines).wait(DEADLINE_SECONDS)

    # The mark is how a process is found that has left its group.
    assert lines == ["['LOCAL_AWS_PROCESS', 'ONLY']"]


def test_a_process_may_end_in_peace_and_is_killed_if_it_does_not(
    children: Children, tmp_path: Path
) -> None:
    polite: list[str] = []
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0)))\n"
        "print('ready')\ntime.sleep(60)"
    )
    container = run(children, tmp_path, program, polite)
    wait_for(polite, "ready")
    assert container.stop(grace_seconds=10) == 0
    assert polite[-1] == "saved"

    deaf: list[str] = []
    program = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready')\ntime.sleep(60)"
    )
    container = run(children, tmp_path, program, deaf)
    wait_for(deaf, "ready")
    assert container.stop(grace_seconds=0.2) == -9


def test_a_wait_that_is_too_short_says_so(children: Children, tmp_path: Path) -> None:
    container = run(children, tmp_path, "import time; time.sleep(60)", [])

    with pytest.raises(subprocess.TimeoutExpired):
        container.wait(0.05)
    container.stop(grace_seconds=0)


def test_what_a_process_started_ends_with_it(children: Children, tmp_path: Path) -> None:
    lines: list[str] = []
    program = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)"
    )

    run(children, tmp_path, program, lines).wait(DEADLINE_SECONDS)

    pid, deadline = int(lines[0]), time.monotonic() + DEADLINE_SECONDS
    while _alive(pid):
        assert time.monotonic() < deadline, "the child outlived its container"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A dead process that nobody has waited for yet still has its number.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
