"""The training container's program: `python -m scones_train.train`.

Reads hyperparameters and channels where SageMaker puts them, writes the model folder, and
reports on stdout in lines of `name=value`. An error ends it with 1 and `<base>/output/failure`.
"""

import os
import signal
import sys
from dataclasses import asdict, replace
from types import FrameType
from typing import TYPE_CHECKING

from scones_core.errors import SconesError, TrainingError
from scones_train.artifact import ModelCard, write_artifact
from scones_train.calibrate import Calibration, Predictions, calibrate
from scones_train.container import Container
from scones_train.dataset import SMALLEST_SIDE, ImageSet, Normalisation, load_channel
from scones_train.evaluate import accuracy, confusion_matrix, summarise
from scones_train.hyperparameters import Hyperparameters
from scones_train.metrics import metric_line
from scones_train.predictor import Predictor

if TYPE_CHECKING:
    from scones_train.fit import EpochReport
    from scones_train.model import Network

# A pooled thread that spins takes the time of whatever else runs: beside one busy process a
# step took fifteen times as long. OpenMP reads this once, when PyTorch loads it.
SPIN = ("GOMP_SPINCOUNT", "1000")


def main() -> int:
    """Train in the container that the environment describes; return the exit code."""
    os.environ.setdefault(*SPIN)
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
    from scones_train.export import to_onnx, weights_bytes
    from scones_train.fit import fit, out_of_fold, predict

    normalisation = Normalisation.of(splits["train"])
    report = Reporter(settings, normalisation, splits["validation"])
    network = fit(splits["train"], normalisation, settings, report.epoch)
    unseen = splits["validation"]
    held_out = Predictions(predict(network, unseen, normalisation), unseen.labels)
    folded = out_of_fold(splits["train"], settings, report.fold) if settings.folds else None
    calibration = calibrate(held_out, folded, settings.target_precision)
    graph = to_onnx(network, normalisation, calibration.temperature, splits["train"].size)
    card = _card(settings, normalisation, calibration, splits, graph)
    write_artifact(container.model_dir, card, graph, weights_bytes(network))
    _report_result(card)
    return card


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
    _say({f"{name}_images": len(images) for name, images in splits.items()})
    return splits


def _card(
    settings: Hyperparameters,
    normalisation: Normalisation,
    calibration: Calibration,
    splits: dict[str, ImageSet],
    graph: bytes,
) -> ModelCard:
    """Return the card of a graph, with the figures that the graph itself gives."""
    height, width = splits["train"].size
    recipe = asdict(settings)
    card = ModelCard(
        labels=settings.classes,
        image={"height": height, "width": width, "channels": 3},
        normalisation=asdict(normalisation),
        temperature=round(calibration.temperature, 6),
        threshold=calibration.operating.threshold,
        target_precision=recipe.pop("target_precision"),
        metrics={},
        confusion_matrix=(),
        dataset_version=recipe.pop("dataset_version"),
        manifest_sha256=recipe.pop("manifest_sha256"),
        settings=recipe,
    )
    predictor = Predictor(card, graph)
    test = splits["test"]
    answers = predictor.probabilities(test.pixels)
    unseen = splits["validation"]
    return replace(
        card,
        confusion_matrix=confusion_matrix(answers, test.labels),
        metrics={
            **summarise(answers, test.labels, card.threshold),
            "validation_accuracy": accuracy(predictor.probabilities(unseen.pixels), unseen.labels),
            "n_train": len(splits["train"]),
            **calibration.counts(),
        },
    )


class Reporter:
    """Says after each epoch and fold how training goes and how long it will take still."""

    def __init__(
        self, settings: Hyperparameters, normalisation: Normalisation, validation: ImageSet
    ) -> None:
        self._settings, self._normalisation = settings, normalisation
        self._validation = validation
        self._seconds_of_folds = 0.0

    def epoch(self, done: "EpochReport", network: "Network") -> None:
        """Say where the final training stands, and how good it is on the validation split."""
        from scones_train.fit import fold_epochs, predict

        each = done.seconds / done.epoch
        # A fold's network sees all images but its own share of them.
        self._seconds_of_folds = (
            each * fold_epochs(self._settings) * max(0, self._settings.folds - 1)
        )
        left = each * (done.epochs - done.epoch) + self._seconds_of_folds
        logits = predict(network, self._validation, self._normalisation)
        _say(
            {
                "epoch": f"{done.epoch}/{done.epochs}",
                "train_loss": done.train_loss,
                "validation_accuracy": accuracy(logits, self._validation.labels),
                "seconds_left": round(left),
            }
        )

    def fold(self, done: int) -> None:
        """Say how many of the smaller trainings are done."""
        folds = self._settings.folds
        left = self._seconds_of_folds * (1 - done / folds)
        _say({"fold": f"{done}/{folds}", "seconds_left": round(left)})


def _report_result(card: ModelCard) -> None:
    figures = (
        "accuracy",
        "precision_at_threshold",
        "coverage_at_threshold",
        "expected_calibration_error",
    )
    _say({"threshold": card.threshold, "temperature": card.temperature})
    _say({f"test_{name}": card.metrics[name] for name in figures})


def _say(values: dict[str, float | str]) -> None:
    sys.stdout.write(metric_line(values) + "\n")
    # Whoever follows the job reads a pipe, which would else be filled in blocks.
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
