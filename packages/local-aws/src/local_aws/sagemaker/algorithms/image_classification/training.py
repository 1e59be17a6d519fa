"""The training program: channels in, a model in `/opt/ml/model`, metrics on standard output."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from local_aws.core.untrusted_images import UndecodableImage
from local_aws.sagemaker.algorithms.image_classification.channels import Channels
from local_aws.sagemaker.algorithms.image_classification.classifier import (
    Classifier,
    Floats,
    Optimiser,
)
from local_aws.sagemaker.algorithms.image_classification.errors import CustomerError
from local_aws.sagemaker.algorithms.image_classification.features import (
    decode,
    features,
)
from local_aws.sagemaker.algorithms.image_classification.hyperparameters import Hyperparameters
from local_aws.sagemaker.algorithms.image_classification.log import say

_SEED = 0


@dataclass(frozen=True, slots=True)
class Split:
    """The images of a channel, N x 32 x 32 x 3, their features and classes, and their weights."""

    pixels: Floats
    features: Floats
    labels: NDArray[np.int64]
    weights: Floats


def train(base: Path) -> None:
    """Train on the channels below `base` and write the model; raises CustomerError."""
    given = json.loads((base / "input/config/hyperparameters.json").read_text())
    settings, channels = Hyperparameters.parse(given), Channels(base)
    learned, checked = (_read(channels, name, settings) for name in ("train", "validation"))
    if len(learned.labels) < settings["mini_batch_size"]:
        raise CustomerError(
            "The number of input images must be bigger or equal to the mini_batch_size."
        )
    model = _fit(learned, checked, settings)
    model.save(base / "model")
    shapes = [{"shape": [1, *settings["image_shape"]], "name": "data"}]
    (base / "model" / "model-shapes.json").write_text(json.dumps(shapes), encoding="utf-8")


def _read(channels: Channels, name: str, settings: Hyperparameters) -> Split:
    pixels, labels = [], []
    for label, data in channels.examples(name):
        if not 0 <= label < settings["num_classes"]:
            raise CustomerError(
                f"Label {label} of the {name} channel is not in the range of num_classes "
                f"({settings['num_classes']})."
            )
        try:
            pixels.append(decode(data))
        except UndecodableImage as error:
            raise CustomerError(f"An image of the {name} channel cannot be read.") from error
        labels.append(label)
    if not labels:
        raise CustomerError(f"The {name} channel has no images.")
    say(f"{name}: {len(labels)} images of {settings['num_classes']} classes")
    classes, stacked = np.array(labels, dtype=np.int64), np.stack(pixels)
    return Split(stacked, features(stacked), classes, _example_weights(classes, settings))


def _fit(learned: Split, checked: Split, settings: Hyperparameters) -> Classifier:
    """Return the model of the epoch with the best validation accuracy."""
    draw = np.random.default_rng(_SEED)
    model = Classifier.untrained(learned.features, settings["num_classes"])
    optimiser = Optimiser.of(settings, model.weights.shape)
    best, kept, since = -1.0, model.weights, 0
    for epoch in range(settings["epochs"]):
        accuracy = _epoch(model, optimiser, learned, _rate(settings, epoch), draw)
        say(f"Epoch[{epoch}] Train-accuracy={accuracy:.6f}")
        answers = model.probabilities(checked.features)
        accuracy = float((answers.argmax(axis=1) == checked.labels).mean())
        say(f"Epoch[{epoch}] Validation-accuracy={accuracy:.6f}")
        _print_top_k(answers, checked.labels, settings["top_k"], epoch)
        since = 0 if accuracy > best + settings["early_stopping_tolerance"] else since + 1
        if accuracy > best:
            say(f"Storing the best model with validation accuracy: {accuracy:.6f}")
            best, kept = accuracy, model.weights
        if _stops(settings, epoch, since):
            say("Early stopping criteria met")
            break
    model.weights = kept
    return model


def _epoch(
    model: Classifier,
    optimiser: Optimiser,
    learned: Split,
    rate: float,
    draw: np.random.Generator,
) -> float:
    """Go once through the images in batches; return the accuracy over them as they came."""
    size, order, right = (
        optimiser.settings["mini_batch_size"],
        draw.permutation(len(learned.labels)),
        0,
    )
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        seen = _augmented(learned, batch, optimiser.settings["augmentation_type"], draw)
        labels = learned.labels[batch]
        right += int((model.probabilities(seen).argmax(axis=1) == labels).sum())
        gradient = model.gradient(seen, labels, learned.weights[batch])
        model.weights = optimiser.step(model.weights, gradient, rate).astype(np.float32)
    return right / len(order)


def _augmented(
    learned: Split, batch: NDArray[np.int64], kind: str | None, draw: np.random.Generator
) -> Floats:
    """Return the features of images mirrored and shifted, in other colours, as `kind` says."""
    if kind is None:
        return learned.features[batch]
    pixels = learned.pixels[batch]
    flipped = np.where(draw.random((len(pixels), 1, 1, 1)) < 0.5, pixels[:, :, ::-1], pixels)
    shifted = np.stack(
        [np.roll(image, tuple(draw.integers(-2, 3, 2)), axis=(0, 1)) for image in flipped]
    )
    if kind == "crop":
        return features(shifted)
    tint = draw.uniform(-0.1, 0.1, (len(pixels), 1, 1, 3)).astype(np.float32)
    return features(np.clip(shifted + tint, 0, 1))


def _example_weights(labels: NDArray[np.int64], settings: Hyperparameters) -> Floats:
    counts = np.bincount(labels, minlength=settings["num_classes"])
    if not settings["use_weighted_loss"]:
        return np.ones(len(labels), np.float32)
    weights: Floats = (len(labels) / (len(counts) * counts[labels])).astype(np.float32)
    return weights


def _rate(settings: Hyperparameters, epoch: int) -> float:
    passed = sum(epoch >= step for step in settings["lr_scheduler_step"])
    return float(settings["learning_rate"] * settings["lr_scheduler_factor"] ** passed)


def _print_top_k(answers: Floats, labels: NDArray[np.int64], k: int | None, epoch: int) -> None:
    if k is not None:
        ranked = np.argsort(-answers, axis=1)[:, :k]
        accuracy = float((ranked == labels[:, None]).any(axis=1).mean())
        say(f"Epoch[{epoch}] Validation-top_k_accuracy_{k}={accuracy:.6f}")


def _stops(settings: Hyperparameters, epoch: int, since: int) -> bool:
    enough = epoch + 1 >= settings["early_stopping_min_epochs"]
    return bool(
        settings["early_stopping"] and enough and since >= settings["early_stopping_patience"]
    )
