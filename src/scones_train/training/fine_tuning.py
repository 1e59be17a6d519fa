"""Training that begins with a ResNet-18's weights: its last layer alone, or all of it.

Frozen, the network is asked once for each image's 512 features, and what is trained is a linear
layer on them. Fine-tuned, the training begins with that layer in place, so that the first steps
do not undo what the network knew, and changes every weight. After Kumar et al., Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution, 2022.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scones_train.data import ImageSet, Normalisation
from scones_train.evaluation.calibration import Predictions
from scones_train.model.classifier import Classifier
from scones_train.model.resnet import NORMALISATION, ResNet18
from scones_train.model.small_network import Member, Model
from scones_train.model.weights import Weights
from scones_train.training.checkpoint import Checkpoints
from scones_train.training.cross_validation import Trained, Watch, fold_rows, total_steps, train
from scones_train.training.device import device_of, uses_bfloat16
from scones_train.training.fit import EpochReport, be_deterministic
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.linear_head import Features, Head, chosen_decay, fit_head
from scones_train.training.optimiser import FineTuning
from scones_train.training.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Pretrained:
    """The origin of a fine-tuning: a ResNet-18 whose last layer fits its features already."""

    weights: Weights

    def normalisation(self, _images: ImageSet) -> Normalisation:
        """Return ImageNet's, whatever the images: the weights expect it."""
        return NORMALISATION

    def blank(self, settings: Hyperparameters) -> ResNet18:
        """Return a ResNet-18 for these classes."""
        network = ResNet18(len(settings.classes), mirror=bool(settings.horizontal_flip))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(device_of(settings.device))

    def backbone(self, settings: Hyperparameters) -> ResNet18:
        """Return the network with the file's weights, in evaluation mode; its last layer is 0."""
        network = self.blank(settings)
        network.load_state_dict(self.weights, strict=False)
        return network.eval()

    def network(
        self, settings: Hyperparameters, pixels: Pixels, labels: NDArray[np.int64]
    ) -> ResNet18:
        """Return the network with a last layer fitted on these images."""
        network = self.backbone(settings)
        found = embed(network, pixels, labels, settings)
        return _with_head(network, fit_head(found, len(settings.classes)))

    def schedule(self, network: Classifier, settings: Hyperparameters, steps: int) -> FineTuning:
        """Return AdamW for every weight."""
        return FineTuning(network, steps=steps, lr=settings.backbone_lr)


def transfer_steps(images: ImageSet, settings: Hyperparameters) -> int:
    """Return how many steps `transfer` will tell of."""
    if settings.backbone == "finetuned":
        return total_steps(len(images), settings)
    pixels = Pixels.of(images, NORMALISATION)
    return pixels.count_parts(mirrored=bool(settings.horizontal_flip)) + settings.folds + 1


def transfer(
    images: ImageSet,
    settings: Hyperparameters,
    weights: Weights,
    watch: Watch,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Return a network that begins with these weights, and predictions as `folds.train` does."""
    origin = Pretrained(weights)
    if settings.backbone == "finetuned":
        return train(images, NORMALISATION, settings, watch, checkpoints, origin=origin)
    return _frozen(images, settings, origin, watch)


def _frozen(
    images: ImageSet, settings: Hyperparameters, origin: Pretrained, watch: Watch
) -> Trained:
    """Return the network with the last layer of all images; folds hold out images of it alone."""
    be_deterministic()
    started = time.perf_counter()
    network = origin.backbone(settings)
    pixels = Pixels.of(images, NORMALISATION, device_of(settings.device))
    found = embed(network, pixels, images.labels, settings, watch.tick)
    classes, held_out = len(settings.classes), fold_rows(images.labels, settings)
    decay, logits = chosen_decay(found, held_out, classes)
    for rows in held_out:
        watch.tick()
        watch.fold(float((logits[rows].argmax(axis=1) == images.labels[rows]).mean()))
    head = fit_head(found, classes, decay)
    watch.tick()
    seconds = time.perf_counter() - started
    watch.epoch(EpochReport(1, 1, head.loss, seconds), network)
    member = Member(_with_head(network, head), NORMALISATION)
    predictions = Predictions(logits, images.labels) if held_out else None
    return Trained(Model((member,)), NORMALISATION, predictions)


def _with_head(network: ResNet18, head: Head) -> ResNet18:
    with torch.no_grad():
        network.fc.weight.copy_(head.weight)
        network.fc.bias.copy_(head.bias)
    return network


@torch.no_grad()
def embed(
    network: ResNet18,
    pixels: Pixels,
    labels: NDArray[np.int64],
    settings: Hyperparameters,
    tick: Callable[[], None] = lambda: None,
) -> Features:
    """Return what the network sees in each image, and in each mirror image where they are one."""
    half = uses_bfloat16(settings.precision, pixels.device)
    found: list[Tensor] = []
    for part in pixels.parts(mirrored=network.mirror):
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=half):
            found.append(network.features(part).float().cpu())
        tick()
    views = torch.cat(found).reshape(2 if network.mirror else 1, len(pixels), -1)
    return Features(views, torch.from_numpy(labels))
