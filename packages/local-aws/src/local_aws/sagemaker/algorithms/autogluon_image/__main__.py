"""The image's program: `python -m <this package> train`, as SageMaker calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

from local_aws.errors import LocalAwsError
from local_aws.sagemaker.archives import UnsafeArchive, unpack

PACKAGES = Path(__file__).parent / "packages"
OPT_ML = PurePosixPath("/opt/ml")
# A script with what it imports; its data are channels of their own.
MAX_BYTES = 256 << 20
MAX_MEMBERS = 5_000


class ScriptError(LocalAwsError):
    """The job names no script that can be run; the message is its FailureReason."""


def main(arguments: list[str]) -> int:
    """Run the command; return the exit status: the script's, 2 where there is none to run."""
    if arguments != ["train"]:
        sys.stderr.write("This image trains; what it has trained is not served here.\n")
        return 2
    base = Path(os.environ["SAGEMAKER_BASE_DIR"])
    try:
        argv, folder = script(base)
    except ScriptError as error:
        (base / "output").mkdir(parents=True, exist_ok=True)
        (base / "output" / "failure").write_text(f"ClientError: {error}", encoding="utf-8")
        sys.stderr.write(f"{error}\n")
        return 2
    paths = os.pathsep.join((str(folder), str(PACKAGES)))
    return subprocess.run(
        argv, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, check=False
    ).returncode


def script(base: Path) -> tuple[list[str], Path]:
    """Unpack the job's script; return the command that runs it and its folder.

    The hyperparameters that are not the platform's become its arguments. Raises ScriptError.
    """
    given = json.loads((base / "input/config/hyperparameters.json").read_text(encoding="utf-8"))
    values = {name: str(text).strip('"') for name, text in given.items()}
    program = values.get("sagemaker_program", "")
    if not program.endswith(".py") or PurePosixPath(program).name != program:
        raise ScriptError("sagemaker_program must name a Python file of the script's archive.")
    folder = base / "code"
    folder.mkdir(exist_ok=True)
    archive = _archive(base, values.get("sagemaker_submit_directory", ""))
    try:
        unpack(archive, folder, max_bytes=MAX_BYTES, max_members=MAX_MEMBERS)
    except UnsafeArchive as error:
        raise ScriptError(f"sagemaker_submit_directory cannot be unpacked: {error}") from error
    if not (folder / program).is_file():
        raise ScriptError(f"sagemaker_submit_directory has no {program}.")
    own = {n: text for n, text in values.items() if not n.startswith("sagemaker_")}
    options = [part for name, text in own.items() for part in (f"--{name}", text)]
    return [sys.executable, "-u", program, *options], folder


def _archive(base: Path, given: str) -> Path:
    """Return the file that a path of the container stands for; raises ScriptError."""
    path = PurePosixPath(given)
    if not path.is_relative_to(OPT_ML) or ".." in path.parts:
        raise ScriptError(
            "The local stand-in for autogluon-training reads the script from a channel: "
            "sagemaker_submit_directory must be a path below /opt/ml/input/data."
        )
    return base / path.relative_to(OPT_ML)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
