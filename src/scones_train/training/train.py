"""The training container's program: `python -m scones_train.training.train`.

Reads hyperparameters and channels where SageMaker puts them, writes the model folder, and
reports on stdout in lines of `name=value`. An error ends it with 1 and `<base>/output/failure`.
"""

import hashlib
import os
import sys
from typing import TYPE_CHECKING

from scones_core.container_folders import Container, run_training
from scones_core.errors import TrainingError
from scones_core.limits import PREDICTION_VALUES
from scones_core.manifest import Manifest
from scones_core.model_card import ModelCard
from scones_train.channels import (
    SMALLEST_SIDE,
    ImageSet,
    channel_files,
    load_channel,
    load_channels,
    passed_over,
)
from scones_train.evaluation.calibration import Calibration, Predictions, calibrate
from scones_train.evaluation.predictions import ImagePredictions, channel_names
from scones_train.evaluation.reliability import to_svg
from scones_train.golden_sample_choice import choose_golden_samples
from scones_train.model_folder import write_artifact
from scones_train.serving.predictor import Predictor
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.memory import keep_freed_memory
from scones_train.training.model_card_builder import RANDOM, build_model_card, with_metrics
from scones_train.training.progress import ProgressReport, emit, emit_metrics, emit_result

if TYPE_CHECKING:
    from scones_train.model.weights import Weights
    from scones_train.training.cross_validation import Trainer
    from scones_train.training.fit import TrainingCallbacks
    from scones_train.training.recipes import Choice

# A pooled thread that spins takes the time of whatever else runs: next to one busy process a
# step took fifteen times as long. OpenMP reads this once, when PyTorch loads it.
SPIN = ("GOMP_SPINCOUNT", "1000")
# Without it, a GPU's matrix products add up in another order each time.
WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def main() -> int:
    """Train in the container that the environment describes; return the exit code."""
    for name, value in (SPIN, WORKSPACE):
        os.environ.setdefault(name, value)
    keep_freed_memory()
    return run_training(run)


def run(container: Container) -> ModelCard:
    """Train on the container's channels and leave the model folder; return its card.

    Raises TrainingError for hyperparameters or images that cannot be used.
    """
    settings = Hyperparameters.parse({**_of_manifest(container), **container.hyperparameters()})
    images, validation, test = _load(container, settings)
    # PyTorch is imported once everything else is known to be right.
    from scones_train.model.export import to_onnx, weights_bytes
    from scones_train.model.weights import package_weights
    from scones_train.training.checkpoint import Checkpoints
    from scones_train.training.cross_validation import train
    from scones_train.training.fit import predict
    from scones_train.training.recipes import choose_recipe

    choice = choose_recipe(settings, images, _given_weights(container, settings), package_weights)
    settings = choice.settings
    emit(f"Recipe {settings.recipe}: {choice.reason}.")
    trainer, callbacks = _trainer(images, choice)
    checkpoints = Checkpoints.of(container.checkpoint_dir, images, settings, emit)
    labels, size, grey = images.labels, images.size, images.grey
    # The trainer has them, for as long as it needs them: photographs take gigabytes.
    del images
    trained = train(trainer, labels, settings, callbacks, checkpoints)
    network, normalisation, unseen = trained.network, trained.normalisation, trained.predictions
    if unseen is None:
        assert validation is not None  # noqa: S101 (narrows the type: there are no folds)
        unseen = Predictions(predict(network, validation, normalisation), validation.labels)
    calibration = calibrate(unseen, settings.target_precision)
    graph = to_onnx(network, normalisation, calibration.temperature, size)
    origin = choice.weights.origin if choice.weights else RANDOM
    image = {"height": size[0], "width": size[1], "channels": 1 if grey else 3}
    card = build_model_card(
        settings, normalisation, calibration, image, reason=choice.reason, origin=origin
    )
    answers = Predictor(card, graph).probabilities(test.pixels)
    card = with_metrics(card, calibration, answers, test.labels, len(labels))
    names = channel_names(container.channel("test"), settings.classes)
    write_artifact(
        container.model_dir,
        card,
        graph,
        weights_bytes(network, origin),
        ImagePredictions(names, test.labels, answers),
        samples=choose_golden_samples(test, answers),
        diagram=_diagram(calibration),
    )
    checkpoints.clear()
    emit_result(card)
    return card


def _of_manifest(container: Container) -> dict[str, str]:
    """Return the hyperparameters that the dataset's own manifest decides; none without one.

    A state machine that starts the job does not know the classes of the dataset that it made.
    """
    path = container.channel("manifest") / "manifest.json"
    if not path.is_file():
        return {}
    manifest = Manifest.loads(path.read_bytes())
    found = Hyperparameters(
        classes=manifest.classes,
        dataset_version=manifest.version,
        manifest_sha256=hashlib.sha256(manifest.dumps().encode()).hexdigest(),
    )
    return {
        name: text
        for name, text in found.strings().items()
        if name.startswith("classes") or name in ("dataset_version", "manifest_sha256")
    }


def _given_weights(container: Container, settings: Hyperparameters) -> "Weights | None":
    """Return the weights in the job's own channel, None where it has none."""
    from scones_train.model.weights import read_weights

    folder = container.channel("weights")
    if not settings.weights_sha256 and not folder.is_dir():
        return None
    return read_weights(folder, settings.weights_sha256)


def _trainer(images: ImageSet, choice: "Choice") -> tuple["Trainer", "TrainingCallbacks"]:
    """Return what trains by the chosen recipe, and what reports its progress."""
    from scones_train.training.cross_validation import total_steps
    from scones_train.training.fine_tuning import FineTuning
    from scones_train.training.fit import TrainingCallbacks
    from scones_train.training.scratch import FromScratch

    settings = choice.settings
    trainer: Trainer = (
        FineTuning(images, settings, choice.weights)
        if choice.weights
        else FromScratch(images, settings)
    )
    prepared = trainer.preparation_steps
    steps = prepared + total_steps(len(images), settings)
    if settings.max_steps:
        emit(
            f"{steps} steps: at most {settings.max_steps} of each network, {settings.folds + 1} "
            f"of these, and {prepared} to prepare the images."
        )
    progress = ProgressReport(steps, settings.folds, preparation_steps=prepared)
    return trainer, TrainingCallbacks(
        progress.on_epoch, progress.on_fold, progress.on_step, progress.on_resume
    )


def _load(
    container: Container, settings: Hyperparameters
) -> tuple[ImageSet, ImageSet | None, ImageSet]:
    """Return the images to train on, in an order of their own, to calibrate on, and to test on.

    Folds calibrate on images that they hold out, so that the validation channel is trained on
    too, and there is none to calibrate on. Without folds it is all there is for that.
    """
    folders = {name: container.channel(name) for name in ("train", "validation", "test")}
    train, validation, test = folders.values()
    classes = settings.classes
    # Into one array at once: joined afterwards, the images would be held twice.
    images = load_channels([train, validation] if settings.folds else [train], classes).ordered()
    if min(images.size) < SMALLEST_SIDE:
        raise TrainingError(
            f"The training images are {images.size[1]}x{images.size[0]} pixels; "
            f"the network needs {SMALLEST_SIDE} on each side at least."
        )
    held_out = None if settings.folds else load_channel(validation, classes, images.size)
    count = len(channel_files(test, classes))
    if count * len(classes) > PREDICTION_VALUES:
        raise TrainingError(
            f"{count:,} test images of {len(classes):,} classes make more than "
            f"{PREDICTION_VALUES:,} probabilities, which is what a model keeps; stage at most "
            f"{PREDICTION_VALUES // len(classes):,} test images."
        )
    tested = load_channel(test, classes, images.size)
    emit_metrics(
        {f"{name}_images": len(channel_files(each, classes)) for name, each in folders.items()}
    )
    for name, folder in folders.items():
        for reason, number in passed_over(folder).items():
            emit(f"Passed over in channel {name}: {number}, as {reason}.")
    return images, held_out, tested


def _diagram(calibration: Calibration) -> str:
    return to_svg(calibration.bins, f"{calibration.operating.images} images that were held out")


if __name__ == "__main__":
    sys.exit(main())
