"""One Terraform process: its output passed on line by line, its errors kept whole."""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scones_core.errors import TerraformError


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended: exit status, and the text of both streams."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Return stdout, parsed; raises TerraformError where it is no JSON."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise TerraformError(
                f"Terraform gave no JSON but {self.stdout[:200]!r}; is it Terraform that runs?"
            ) from error


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
    good order and gives the state lock back; KeyboardInterrupt follows after that.
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
    interrupted = False
    try:
        while _pass_on(process.stdout, said, output):
            interrupted = True
    except BaseException:
        # `output` failed: nobody hears the command any more, but it must still end in order.
        _drain(process.stdout, said)
        raise
    finally:
        reader.join()
        process.wait()
    if interrupted:
        raise KeyboardInterrupt
    return Finished(process.returncode, "".join(said), "".join(complaints))


def _pass_on(stream: IO[str] | None, said: list[str], output: Callable[[str], None] | None) -> bool:
    """Read to the end of a stream, or to an interrupt; return whether it was an interrupt."""
    try:
        for line in stream or ():
            said.append(line)
            if output:
                output(line.rstrip("\n"))
    except KeyboardInterrupt:
        return True
    return False


def _drain(stream: IO[str] | None, into: list[str]) -> None:
    into.extend(stream or ())
