import os
import signal
import sys
from pathlib import Path

import pytest

from scones_core.errors import TerraformError
from scones_deploy.terraform.binary import TerraformBinary
from scones_deploy.terraform.commands import Finished, TerraformCommands, run

# The S3 backend's words where the lock was given back before it looked whose it is.
FREED = "Error: Error acquiring the state lock: PreconditionFailed, NoSuchKey"


def commands(folder: Path, script: str, lines: list[str]) -> TerraformCommands:
    """Return the commands over a program that is this script."""
    program = folder / "terraform"
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o700)
    return TerraformCommands(
        folder,
        "dev",
        folder / "data",
        TerraformBinary(program, "1.11.4", embedded=False),
        environ={},
        output=lines.append,
        color=False,
        build_dir=folder,
        providers=pytest.fail,
    )


def test_a_lock_that_goes_while_terraform_looks_at_it_is_taken_by_another_try(
    tmp_path: Path,
) -> None:
    script = (
        f"[ -e {tmp_path}/tried ] && echo planned && exit 0\n"
        f"touch {tmp_path}/tried\necho '{FREED}' >&2\nexit 1\n"
    )
    assert commands(tmp_path, script, []).stream("plan").stdout == "planned\n"


def test_terraforms_lines_about_a_held_lock_are_output_and_not_in_the_error(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    said = ["Error: Error acquiring the state lock", "Lock Info:", "  Who:  ci@host"]
    script = "".join(f"echo '{line}' >&2\n" for line in said) + "exit 1\n"
    with pytest.raises(TerraformError, match=r"^ci@host has held the lock"):
        commands(tmp_path, script, lines).stream("plan")
    assert lines == said


# Says which process it is, and goes on once something was written into the pipe.
COMMAND = "import os; print(os.getpid(), flush=True); open('pipe').readline(); print('saved')"


def run_while_the_terminal_closes(folder: Path, lines: list[str]) -> Finished:
    """Run a command that all processes of its terminal are hung up on, and collect its output."""
    os.mkfifo(folder / "pipe")
    pipe = os.open(folder / "pipe", os.O_RDWR)

    def close(line: str) -> None:
        lines.append(line)
        if line.isdigit():
            os.kill(int(line), signal.SIGHUP)
            os.write(pipe, b"go on\n")
            os.kill(os.getpid(), signal.SIGHUP)

    try:
        return run([sys.executable, "-c", COMMAND], folder=folder, environ=os.environ, output=close)
    finally:
        os.close(pipe)


def test_a_closed_terminal_lets_terraform_end_in_order_and_interrupts_then(tmp_path: Path) -> None:
    lines: list[str] = []
    handled: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: handled.append(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            run_while_the_terminal_closes(tmp_path, lines)
        os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert lines[1:] == ["saved"]
    assert handled == [signal.SIGHUP]


def test_under_nohup_a_closed_terminal_interrupts_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_while_the_terminal_closes(tmp_path, lines).status == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert lines[1:] == ["saved"]
