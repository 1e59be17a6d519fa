"""Checkpoints of a training, so that an interrupted job resumes.

A folder holds one file for each training of a job, `<name>.pt`: the state after its last
epoch, or its result once it has one. Each is replaced in one step, so a job that is killed at
any time leaves the state before or the state after.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from scones_core.errors import TrainingError
from scones_core.files import write_atomically
from scones_train.channels import ImageSet
from scones_train.torch_files import load_tensors
from scones_train.training.hyperparameters import Hyperparameters

SCHEMA = 1
MAX_BYTES = 4_000_000_000
State = dict[str, Any]


def fingerprint(images: ImageSet, settings: Hyperparameters) -> str:
    """Return what a checkpoint must have in common with a training that goes on from it.

    Settings, images, the version of PyTorch and its number of threads: with any of them
    another one, the training would not end as it would have without the interruption.
    """
    digest = hashlib.sha256(repr(sorted(asdict(settings).items())).encode())
    digest.update(f"{SCHEMA} {torch.__version__} {torch.get_num_threads()}".encode())
    digest.update(repr(images.pixels.shape).encode())
    digest.update(np.ascontiguousarray(images.pixels).data)
    digest.update(images.labels.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file of one training; without a path nothing is kept and nothing found."""

    path: Path | None = None
    fingerprint: str = ""
    report: Callable[[str], None] = lambda _: None

    @property
    def name(self) -> str:
        """The training's name among those of its job."""
        return self.path.stem if self.path else ""

    def load(self) -> State | None:
        """Return the state that was saved last, None where there is none for this training.

        One that cannot be read, or is of other settings or images, is left alone and reported.
        """
        if self.path is None or not self.path.is_file():
            return None
        try:
            size = self.path.stat().st_size
            if size > MAX_BYTES:
                raise ValueError(f"it has over {MAX_BYTES} bytes")
            with self.path.open("rb") as file:
                found = load_tensors(file, size)
            if found["fingerprint"] != self.fingerprint:
                self.report(f"{self.path} is of other settings or images; training starts again.")
                return None
            state: State = found["state"]
        # torch.load's errors have no common base: what is not a checkpoint may fail anywhere in it.
        except Exception as error:
            self.report(f"{self.path} is not a checkpoint ({error!r:.200}); training starts again.")
            return None
        return state

    def foreign(self, reason: str) -> TrainingError:
        """Return the error for a state that names this training, and is another one's."""
        return TrainingError(
            f"{self.path} holds another state than this training's ({reason:.200}); remove it, "
            "then train again."
        )

    def save(self, state: State) -> None:
        """Replace what was saved; where the folder cannot be written, report that and go on."""
        if self.path is None:
            return
        buffer = io.BytesIO()
        torch.save({"fingerprint": self.fingerprint, "state": state}, buffer)
        try:
            write_atomically(self.path, buffer.getvalue())
        except OSError as error:
            self.report(f"{self.path} cannot be written ({error.strerror}); training goes on.")


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The folder of a job's checkpoints; without one nothing is kept."""

    folder: Path | None = None
    fingerprint: str = ""
    report: Callable[[str], None] = lambda _: None

    @classmethod
    def of(
        cls,
        folder: Path | None,
        images: ImageSet,
        settings: Hyperparameters,
        report: Callable[[str], None],
    ) -> Self:
        """Return the checkpoints of a job on these images with these settings."""
        return cls(folder, fingerprint(images, settings) if folder else "", report)

    def clear(self) -> None:
        """Remove the checkpoints of a job that has its model: the next one starts over."""
        for path in self.folder.glob("*.pt") if self.folder else ():
            path.unlink(missing_ok=True)

    def named(self, name: str) -> Checkpoint:
        """Return the checkpoint of one of the job's trainings."""
        path = self.folder / f"{name}.pt" if self.folder else None
        return Checkpoint(path, self.fingerprint, self.report)
