"""What a child started ends with it, however it has left its process group."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_aws.core import reaper
from local_aws.core.child_processes import Children

# A daemon as programs make them: a session of its own, and no parent that is left.
DAEMON = """
import os, pathlib, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    written = pathlib.Path(sys.argv[1] + ".part")
    written.write_text(str(os.getpid()))
    written.rename(sys.argv[1])
    time.sleep(600)
os.wait()
time.sleep(600)
"""


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    made.stop_all()


def eventually(condition: Callable[[], bool]) -> bool:
    """Return whether the condition holds within some seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def runs(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def daemon(children: Children, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Return a started child and the id of the daemon that it made."""
    file = folder / "pid"
    child = children.spawn([sys.executable, "-I", "-S", "-c", DAEMON, str(file)], env={})
    assert eventually(file.exists)
    return child, int(file.read_text(encoding="utf-8"))


def test_a_daemon_ends_when_its_child_is_terminated(children: Children, tmp_path: Path) -> None:
    child, pid = daemon(children, tmp_path)
    other = children.spawn(["sleep", "600"], env={})
    children.terminate(child)
    assert eventually(lambda: not runs(pid))
    assert runs(other.pid)


def test_a_daemon_ends_when_its_child_has_ended_by_itself(
    children: Children, tmp_path: Path
) -> None:
    child, pid = daemon(children, tmp_path)
    child.send_signal(signal.SIGTERM)
    child.wait()
    children.forget(child)
    assert eventually(lambda: not runs(pid))


def test_a_daemon_ends_when_everything_is_stopped(children: Children, tmp_path: Path) -> None:
    _, pid = daemon(children, tmp_path)
    children.stop_all()
    assert eventually(lambda: not runs(pid))


def test_a_daemon_ends_after_the_server_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib; from local_aws.core.child_processes import Children\n"
        "Children().spawn([sys.executable, '-I', '-S', '-c', sys.argv[1], sys.argv[2]], env={})\n"
        "time.sleep(600)"
    )
    file = tmp_path / "pid"
    server = subprocess.Popen(
        [sys.executable, "-c", program, DAEMON, str(file)], env=dict(os.environ)
    )
    try:
        assert eventually(file.exists)
        pid = int(file.read_text(encoding="utf-8"))
    finally:
        server.kill()
        server.wait()
    assert eventually(lambda: not runs(pid))


def test_only_processes_of_the_mark_are_found(children: Children) -> None:
    own = children.spawn(["sleep", "600"], env={"A": "1"})
    assert own.pid in reaper.marked(children.mark)
    assert os.getpid() not in reaper.marked(children.mark)
    assert reaper.marked("nobody") == []
