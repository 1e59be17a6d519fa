"""A copy of the project in which tests run tasks, as a user would."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PARTS = (
    "src",
    "packages",
    "terraform",
    "requirements",
    "tasks.py",
    "scones.toml",
    "pyproject.toml",
)
SOURCES = ("src", "packages/local-aws/src")


@dataclass(frozen=True)
class Checkout:
    """A copy of the project's own files, used only through its tasks."""

    root: Path
    source: str = "synthetic"

    def environ(self, **more: str) -> dict[str, str]:
        # Port 0 takes a free one, so that a demo next to the tests disturbs neither.
        paths = os.pathsep.join(str(self.root / source) for source in SOURCES)
        source = {"PYTHONPATH": paths, "SCONES_LOCAL_PORT": "0"}
        return {**os.environ, **source, "GOMP_SPINCOUNT": "1000", **more}

    def start(self, *task: str, typed: str = "", **environ: str) -> subprocess.Popen[str]:
        """Start a task in a process group of its own; `typed` is a line at its terminal."""
        stdin = terminal_with(typed) if typed else subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", *task],
            cwd=self.root,
            env=self.environ(**environ),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def inv(self, *task: str, **environ: str) -> "Ended":
        """Run a task to its end; one that takes two minutes is killed and fails the test."""
        return self.inv_within(120, *task, **environ)

    def inv_within(self, seconds: float, *task: str, **environ: str) -> "Ended":
        """Run a task that may take so long to its end."""
        with self.running(*task, **environ) as running:
            return running.end(seconds)

    @contextmanager
    def running(self, *task: str, **environ: str) -> Iterator["Running"]:
        """Run a task next to the test, which it never outlives."""
        process = self.start(*task, **environ)
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


@dataclass(frozen=True)
class Running:
    """A task that runs next to the test."""

    process: subprocess.Popen[str]

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def end(self, timeout: float) -> "Ended":
        """Wait for its end; one that hangs is killed and fails the test."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            out, err = self.process.communicate()
            pytest.fail(
                f"{self.process.args!r} did not end in {timeout} s:\n{out[-3000:]}\n{err[-3000:]}"
            )
        return Ended(self.process.returncode, out, err)


@dataclass(frozen=True)
class Ended:
    """What a task left: exit code and output."""

    code: int
    out: str
    err: str

    def says(self, *words: str, code: int = 1) -> None:
        """Assert that the task failed with one sentence that has these words, and no trace."""
        assert self.code == code, self
        assert "Traceback" not in self.out + self.err, self
        sentence = self.err.strip().splitlines()[-1]
        missing = [word for word in words if word not in sentence]
        assert not missing, f"{missing} not in {sentence!r}"


def terminal_with(line: str) -> int:
    """Return a terminal as a file descriptor, at which this line has been typed."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{line}\n".encode())
    return terminal


def copy_checkout(to: Path) -> Checkout:
    """Copy the project's own files, without anything that was built or downloaded.

    Bytecode comes along, as else each copy compiles 500 modules; not what is being written of it.
    """
    kept_out = (".terraform", "release.tfvars.json", "*.tfstate", "*.pyc.*")
    ignore = shutil.ignore_patterns(*kept_out)
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=ignore)
        else:
            shutil.copy2(source, to / name)
    return Checkout(to, os.environ.get("SCONES_CIFAR100", "synthetic"))
