"""The folders that SageMaker gives a container, and how a program in one ends."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from scones_core.errors import SconesError, TrainingError

DEFAULT_BASE = "/opt/ml"
# FailureReason of a training job holds this many characters.
FAILURE_CHARACTERS = 1024
# ExitMessage of a processing job holds a kilobyte.
MESSAGE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Container:
    """The container's folders; `SM_*` variables win over the places below `base`."""

    base: Path
    environ: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the container that these environment variables describe."""
        return cls(Path(environ.get("SAGEMAKER_BASE_DIR") or DEFAULT_BASE), environ)

    @property
    def model_dir(self) -> Path:
        """Where training leaves its model and serving finds it."""
        return Path(self.environ.get("SM_MODEL_DIR") or self.base / "model")

    @property
    def processing(self) -> Path:
        """The folder with the inputs and outputs of a processing job."""
        return self.base / "processing"

    def channel(self, name: str) -> Path:
        """Return the folder of an input channel."""
        given = self.environ.get(f"SM_CHANNEL_{name.upper()}")
        return Path(given) if given else self.base / "input" / "data" / name

    @property
    def checkpoint_dir(self) -> Path | None:
        """Where checkpoints are kept, None where the job was given no such folder."""
        given = self.environ.get("SM_CHECKPOINT_DIR")
        folder = Path(given) if given else self.base / "checkpoints"
        return folder if given or folder.is_dir() else None

    def hyperparameters(self) -> dict[str, Any]:
        """Return the job's hyperparameters, none if it has no such file.

        Raises TrainingError for a file that is no JSON object.
        """
        path = self.base / "input" / "config" / "hyperparameters.json"
        if not path.exists():
            return {}
        try:
            values = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise TrainingError(f"{path} cannot be read: {error}.") from error
        if not isinstance(values, dict):
            raise TrainingError(f"{path} must hold a JSON object of strings.")
        return values

    def write_failure(self, reason: str) -> None:
        """Write the file that becomes the job's FailureReason, where the base folder allows it.

        The reason stands on stderr as well, so a base that cannot be written hides nothing.
        """
        self._write("failure", _encoded(reason[:FAILURE_CHARACTERS]))

    def write_message(self, reason: str) -> None:
        """Write the file that becomes a processing job's ExitMessage, as `write_failure` does."""
        cut = _encoded(reason)[:MESSAGE_BYTES]
        # A letter that the cut went through is left out.
        self._write("message", cut.decode("utf-8", "ignore").encode())

    def _write(self, name: str, content: bytes) -> None:
        path = self.base / "output" / name
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{name}.partial")
            temporary.write_bytes(content)
            temporary.replace(path)


def _encoded(reason: str) -> bytes:
    r"""Return a reason as UTF-8; a byte of a name that is not UTF-8 becomes an escape, `\udce9`."""
    return reason.encode("utf-8", "backslashreplace")


def run_training(run: Callable[[Container], object]) -> int:
    """Run a training in the container that the environment describes; return the exit code.

    What stops it becomes the job's FailureReason; a fault of the program is raised again.
    """
    signal.signal(signal.SIGTERM, _stop)
    container = Container.of(os.environ)
    return _ended(lambda: run(container), container.write_failure, "Training")


def run_processing(run: Callable[[Path], str]) -> int:
    """Run a processing job's program on `/opt/ml/processing`; return the exit code.

    What it returns goes to stdout; what stops it becomes the job's ExitMessage, and a fault of the
    program is raised again.
    """
    container = Container.of(os.environ)
    return _ended(
        lambda: sys.stdout.write(f"{run(container.processing)}\n"),
        container.write_message,
        "Processing",
    )


def _ended(run: Callable[[], object], write: Callable[[str], None], name: str) -> int:
    """Run a program to its end, and write what stopped it; return the exit code."""
    try:
        run()
    except SconesError as error:
        write(str(error))
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception as error:
        write(f"{name} failed by a fault of its own: {error!r}.")
        raise
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    # Process 1 of a container has no default action for signals; a job must still be stopped.
    raise SystemExit(128 + number)
