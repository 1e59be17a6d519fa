"""One Terraform process: its output passed on line by line, its errors kept whole."""

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from scones_core.errors import TerraformError


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended: exit status, and the text of both streams."""

    status: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    output: Callable[[str], None] | None = None,
) -> Finished:
    """Run a command to its end and return what it said.

    `output` is called with each line of stdout as it is written, without its line end. An
    interrupt waits for the command: a terminal sends it to Terraform too, which then stops in
    good order and gives the state lock back.
    Raises TerraformError where the command cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise TerraformError(
            f"{command[0]} cannot be run in {folder}: {error.strerror}."
        ) from error
    with process:
        return _follow(process, output)


def _follow(process: subprocess.Popen[str], output: Callable[[str], None] | None) -> Finished:
    said: list[str] = []
    complaints: list[str] = []
    reader = threading.Thread(target=_drain, args=(process.stderr, complaints), daemon=True)
    reader.start()
    try:
        for line in process.stdout or ():
            said.append(line)
            if output:
                output(line.rstrip("\n"))
    except BaseException:
        _drain(process.stdout, said)
        process.wait()
        raise
    finally:
        reader.join()
    return Finished(process.wait(), "".join(said), "".join(complaints))


def _drain(stream: IO[str] | None, into: list[str]) -> None:
    into.extend(stream or ())
