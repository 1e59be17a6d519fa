"""Where the processor time of a training with the recipe `pretrained` goes.

    SCONES_CIFAR100=cifar-100-python.tar.gz python benchmarks/training_parts.py

Takes the training program's parts one by one, on one thread: decoding, the frozen blocks, an
epoch on all images, predictions, the graph and the calibration. What a whole training takes
follows from the number of epochs and folds. The operations of the epoch are PyTorch's own
profiler's. Processor seconds are printed, as they say the same on a busy host.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from scones_core.errors import SconesError, TrainingError
from scones_etl.extract.resolve import ARCHIVE_VARIABLE
from scones_train.channels import load_channels
from scones_train.evaluation.calibration import Predictions, calibrate
from scones_train.model.export import to_onnx
from scones_train.model.weights import package_weights
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.fine_tuning import FineTuning
from scones_train.training.fit import TrainingCallbacks
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.recipes import choose_recipe

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import stage_channels  # noqa: E402

OPERATIONS = 8


class Parts:
    """Processor seconds by the name of a part, in the order of their measurement."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure what runs within."""
        before = time.process_time()
        yield
        self.seconds[name] = time.process_time() - before
        print(f"{name:36}{self.seconds[name]:8.2f}", flush=True)


def measure(base: Path, classes: tuple[str, ...]) -> None:
    """Print the processor seconds of each part of a training on the channels in `base`."""
    parts = Parts()
    print(f"{'part':36}{'CPU s':>8}")
    with parts.part("decoding"):
        channels = [base / "train", base / "validation"]
        images = load_channels(channels, classes).ordered()
    every = np.arange(len(images), dtype=np.int64)
    asked = Hyperparameters(classes=classes, recipe="pretrained")
    choice = choose_recipe(asked, images, None, package_weights)
    settings, weights = choice.settings, choice.weights
    if weights is None:
        raise TrainingError(choice.reason)
    with parts.part("frozen blocks, all views"):
        FineTuning(images, settings, weights).prepare(TrainingCallbacks())
    trainer = FineTuning(images, replace(settings, epochs=1), weights)
    trainer.prepare(TrainingCallbacks())
    with parts.part("one epoch on all images"):
        network = trainer.fit(every, TrainingCallbacks(), Checkpoint())
    with parts.part("predictions of all images"):
        logits = trainer.predict(network, every)
    with parts.part("graph"):
        to_onnx(network, trainer.normalisation, 1.0, images.size)
    with parts.part("calibration"):
        calibrate(Predictions(logits, images.labels), settings.target_precision)
    _print_whole(parts, settings)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        trainer.fit(every, TrainingCallbacks(), Checkpoint())
    _print_operations(profiler)


def _print_whole(parts: Parts, settings: Hyperparameters) -> None:
    """Print what all epochs of the final network and of the folds come to."""
    # The folds train on all but a share each: together on one time less than there are folds.
    epochs = settings.epochs * settings.folds
    seconds = epochs * parts.seconds["one epoch on all images"]
    print(
        f"{settings.epochs} epochs of all images and of {settings.folds} folds are {epochs} such "
        f"epochs: {seconds:.0f} processor seconds"
    )


def _print_operations(profiler: profile) -> None:
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    largest = sorted(events, key=lambda event: -event.self_cpu_time_total)[:OPERATIONS]
    print(f"\n{'operation of an epoch':44}{'share':>6}")
    for event in largest:
        print(f"{event.key:44}{event.self_cpu_time_total / total:6.1%}")


def main() -> int:
    """Run the benchmark; return 1 where the archive cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--archive", default=os.environ.get(ARCHIVE_VARIABLE, ""))
    given = parser.parse_args()
    if not given.archive:
        parser.error(f"name an archive in {ARCHIVE_VARIABLE} or by --archive")
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            staged = stage_channels(given.archive, Path(folder))
            measure(Path(folder, "input", "data"), staged.manifest.classes)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
