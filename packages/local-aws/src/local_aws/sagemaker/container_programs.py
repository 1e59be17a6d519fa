"""What a container's entrypoint is on this machine, where its image is a few commands."""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from local_aws.sagemaker.images import ImageCommands
from local_aws.sagemaker.jobs.training_process import AlgorithmError

_OPT_ML = re.compile(r"/opt/ml(?=/|$)")
_PYTHON = re.compile(r"python(3(\.\d+)?)?")


def moved(text: str, base: Path) -> str:
    """Return a text that names the job's folder wherever it named `/opt/ml`."""
    return _OPT_ML.sub(lambda _: str(base), text)


def program_argv(
    commands: ImageCommands, entrypoint: Sequence[str], arguments: Sequence[str], base: Path
) -> tuple[str, ...]:
    """Return the argument list of an entrypoint in a container of that image.

    Its first word is one of the image's own commands (`train`, `serve`), Python, a file below
    `/opt/ml`, or a program of this machine. Without an entrypoint it is the image's `process`.
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
