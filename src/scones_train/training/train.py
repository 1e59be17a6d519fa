"""The training container's program: `python -m scones_train.training.train`.

Reads hyperparameters and channels where SageMaker puts them, writes the model folder, and
reports on stdout in lines of `name=value`. An error ends it with 1 and `<base>/output/failure`.
"""

import os
import signal
import sys
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from scones_core.errors import SconesError, TrainingError
from scones_core.model_card import ModelCard
from scones_train.artifact import write_artifact
from scones_train.container import Container
from scones_train.data import SMALLEST_SIDE, ImageSet, Normalisation, load_channel
from scones_train.evaluation.calibration import Calibration, Predictions, calibrate
from scones_train.evaluation.predictions import ImagePredictions, channel_names
from scones_train.evaluation.reliability import to_svg
from scones_train.golden_samples import choose_golden_samples
from scones_train.serving.predictor import Predictor
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.model_card import card_of, judged
from scones_train.training.progress import Progress, say, say_result, say_text

if TYPE_CHECKING:
    from scones_train.training.checkpoint import Checkpoints
    from scones_train.training.cross_validation import Trained

# A pooled thread that spins takes the time of whatever else runs: beside one busy process a
# step took fifteen times as long. OpenMP reads this once, when PyTorch loads it.
SPIN = ("GOMP_SPINCOUNT", "1000")
# Without it, a GPU's matrix products add up in another order each time.
WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def main() -> int:
    """Train in the container that the environment describes; return the exit code."""
    for name, value in (SPIN, WORKSPACE):
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGTERM, _stop)
    container = Container.of(os.environ)
    try:
        run(container)
    except SconesError as error:
        container.write_failure(str(error))
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception as error:
        container.write_failure(f"Training failed by a fault of its own: {error!r}.")
        raise
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    # Process 1 of a container has no default action for signals; a job must still be stopped.
    raise SystemExit(128 + number)


def run(container: Container) -> ModelCard:
    """Train on the container's channels and leave the model folder; return its card.

    Raises TrainingError for hyperparameters or images that cannot be used.
    """
    settings = Hyperparameters.parse(container.hyperparameters())
    splits = _load(container, settings)
    from scones_train.model.export import to_onnx, weights_bytes
    from scones_train.training.checkpoint import Checkpoints
    from scones_train.training.cross_validation import answers_of

    images = _training_images(splits, settings)
    settings = _fitting(settings, images)
    checkpoints = Checkpoints.of(container.checkpoint_dir, images, settings, say_text)
    trained = _trained(container, images, settings, checkpoints)
    unseen = trained.predictions
    if unseen is None:
        kept = splits["validation"]
        logits = answers_of(trained.model.members[0], trained.model.machines, kept)
        unseen = Predictions(logits, kept.labels)
    calibration = calibrate(unseen, settings.target_precision)
    graph = to_onnx(trained.model, calibration.temperature, images.size)
    card = card_of(settings, trained.normalisation, calibration, images)
    answers = Predictor(card, graph).probabilities(splits["test"].pixels)
    card = judged(card, calibration, answers, splits["test"].labels, len(images))
    known = choose_golden_samples(splits["test"], answers)
    names = channel_names(container.channel("test"), settings.classes)
    tested = ImagePredictions(names, splits["test"].labels, answers)
    write_artifact(
        container.model_dir,
        card,
        graph,
        weights_bytes(trained.model),
        tested,
        samples=known,
        diagram=_diagram(calibration),
    )
    checkpoints.clear()
    say_result(card)
    return card


def _fitting(settings: Hyperparameters, images: ImageSet) -> Hyperparameters:
    """Return the settings with what the images' size decides."""
    from scones_train.model.small_network import stem_of

    return replace(settings, stem=settings.stem or stem_of(images.size))


def _trained(
    container: Container, images: ImageSet, settings: Hyperparameters, checkpoints: "Checkpoints"
) -> "Trained":
    """Train by the settings: from nothing, or from the weights in their channel."""
    from scones_train.model.weights import read_weights
    from scones_train.training.cross_validation import Watch, total_steps, train
    from scones_train.training.fine_tuning import transfer, transfer_steps

    count = (
        transfer_steps(images, settings)
        if settings.backbone
        else total_steps(len(images), settings)
    )
    progress = Progress(count, settings.folds)
    watch = Watch(progress.epoch, progress.fold, progress.tick, progress.skip)
    if settings.backbone:
        weights = read_weights(container.channel("weights"), settings.weights_sha256)
        return transfer(images, settings, weights, watch, checkpoints)
    return train(images, Normalisation.of(images), settings, watch, checkpoints)


def _training_images(splits: dict[str, ImageSet], settings: Hyperparameters) -> ImageSet:
    """Return the images that are learnt from, in an order of their own.

    Folds calibrate on images that they hold out, which leaves the validation channel free to
    be learnt from; without folds it is all there is to calibrate on.
    """
    if not settings.folds:
        return splits["train"].ordered()
    # Taken out, so that they are not held twice while the network learns from both.
    return splits.pop("train").joined(splits.pop("validation")).ordered()


def _load(container: Container, settings: Hyperparameters) -> dict[str, ImageSet]:
    train = load_channel(container.channel("train"), settings.classes)
    if min(train.size) < SMALLEST_SIDE:
        raise TrainingError(
            f"The training images are {train.size[1]}x{train.size[0]} pixels; "
            f"the network needs {SMALLEST_SIDE} on each side at least."
        )
    splits = {"train": train}
    for name in ("validation", "test"):
        splits[name] = load_channel(container.channel(name), settings.classes, train.size)
    say({f"{name}_images": len(images) for name, images in splits.items()})
    return splits


def _diagram(calibration: Calibration) -> str:
    return to_svg(calibration.bins, f"{calibration.operating.images} images that were held out")


if __name__ == "__main__":
    sys.exit(main())
