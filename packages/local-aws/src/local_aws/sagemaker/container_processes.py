"""A container: its image's program as a process, its output passed on line by line."""

import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from local_aws.core.child_processes import Children
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.image_programs import ImageCommands

# CloudWatch Logs takes events of 256 KiB; a longer line is cut into several.
MAX_LINE_BYTES = 256 * 1024 - 26
LineSink = Callable[[str], None]
_OPT_ML = re.compile(r"/opt/ml(?=/|$)")
_PYTHON = re.compile(r"python(3(\.\d+)?)?")


class AlgorithmError(LocalAwsError):
    """A job's program failed; the message is the job's FailureReason."""


class Container:
    """A running program with the container contract; `on_line` gets each line of its output.

    Standard output and standard error are one stream. Lines come from a thread of their own
    as they are written; bytes that are no UTF-8 are replaced.
    """

    def __init__(
        self,
        children: Children,
        argv: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        on_line: LineSink,
        owner: str = "",
    ) -> None:
        self._children, self._on_line = children, on_line
        self._tail: deque[str] = deque(maxlen=20)
        self.process = children.spawn(
            argv,
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            owner=owner,
        )
        name = f"output-{self.process.pid}"
        self._reader = threading.Thread(target=self._read, name=name, daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Return whether the process has not ended yet."""
        return self.process.poll() is None

    @property
    def last_line(self) -> str:
        """Return the last line of output that is not blank, or an empty text."""
        return next((line for line in reversed(self._tail) if line.strip()), "")

    def said(self, text: str) -> bool:
        """Return whether one of the last lines has this text, whatever its case."""
        return any(text.lower() in line.lower() for line in list(self._tail))

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, once all output is handed on.

        Raises subprocess.TimeoutExpired when the process still runs after `timeout` seconds.
        What the program left running in its group is killed, as it ends with its container.
        """
        status = self.process.wait(timeout)
        self._children.forget(self.process)
        self._reader.join(timeout=5)
        return status

    def stop(self, grace_seconds: float) -> int:
        """End the process, SIGTERM first, SIGKILL after the grace; return the exit status."""
        self._children.terminate(self.process, grace_seconds)
        self._reader.join(timeout=5)
        return self.process.wait()

    def _read(self) -> None:
        output = self.process.stdout
        if output is None:
            return
        with output:
            while raw := output.readline(MAX_LINE_BYTES):
                line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
                self._tail.append(line)
                self._on_line(line)


def moved(text: str, base: Path) -> str:
    """Return a text that names the job's folder wherever it named `/opt/ml`."""
    return _OPT_ML.sub(lambda _: str(base), text)


def program_argv(
    commands: ImageCommands, entrypoint: Sequence[str], arguments: Sequence[str], base: Path
) -> tuple[str, ...]:
    """Return the argument list of an entrypoint in a container of that image.

    Its first word is one of the image's own commands (`train`, `serve`), Python, a file below
    `/opt/ml`, or a program of this host. Without an entrypoint it is the image's `process`.
    Raises AlgorithmError, worded as a container runtime does, where there is no such program.
    """
    if not entrypoint:
        if not commands.process:
            raise AlgorithmError(
                "AlgorithmError: The image has no entrypoint of its own for processing jobs; "
                "give a ContainerEntrypoint."
            )
        return (*commands.process, *(moved(text, base) for text in arguments))
    first, *rest = entrypoint
    given = tuple(moved(text, base) for text in (*rest, *arguments))
    return (*_program(commands, first, base), *given)


def _program(commands: ImageCommands, name: str, base: Path) -> tuple[str, ...]:
    plain = PurePosixPath(name).name
    if plain == "train" and commands.train:
        return commands.train
    if plain == "serve" and commands.serve:
        return commands.serve
    if _PYTHON.fullmatch(plain):
        return (_interpreter(commands),)
    path = moved(name, base)
    found = path if path != name else shutil.which(name)
    if found is None:
        raise AlgorithmError(
            f'AlgorithmError: exec: "{name}": executable file not found in $PATH, exit code: 127'
        )
    return (found,)


def _interpreter(commands: ImageCommands) -> str:
    """Return the Python that the image's own commands run with."""
    for argv in (commands.train, commands.serve, commands.process):
        if argv and _PYTHON.fullmatch(Path(argv[0]).name):
            return argv[0]
    return sys.executable
