"""The recipe for photographs: a pretrained network, its upper blocks fine-tuned.

The frozen blocks give the same features of the same image every time, so each image goes through
them once for each of a few views, for all epochs, all folds and the final network together.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from scones_train.channels import ImageSet
from scones_train.model.classifier import Classifier, PretrainedClassifier
from scones_train.model.weights import Weights
from scones_train.training.augment import shift
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.device import device_of
from scones_train.training.fit import (
    Batch,
    Loop,
    TrainingCallbacks,
    be_deterministic,
    count_steps,
    fit,
    shuffled,
)
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.optimiser import fine_tuning_schedule
from scones_train.training.parallel import run_parallel, stoppable
from scones_train.training.pixels import Pixels

# Views of each image: upright, flipped, and shifted ones. With 3 of them the out-of-fold
# accuracy was that of one for every epoch (0.963 and 0.962).
MAX_VIEWS = 4
# Features kept as float16; 5,000 photographs of 224 pixels have two views in so many bytes.
MAX_FEATURE_BYTES = 800_000_000
# By how many pixels of an image of 32 a view is shifted.
SHIFT, REFERENCE_SIDE = 3, 32
# Sides that images are enlarged to, and reduced to.
SMALL_SIDE, LARGE_SIDE, STRIDE = 128, 224, 32
# Pixels that go through the frozen blocks at a time, and through those that are trained.
PART_PIXELS = 16 * SMALL_SIDE * SMALL_SIDE
TRAINED_PIXELS = 32 * SMALL_SIDE * SMALL_SIDE


class FineTuning:
    """Trains the upper blocks of a pretrained network on rows of these images."""

    def __init__(self, images: ImageSet, settings: Hyperparameters, weights: Weights) -> None:
        self._size, self._labels = images.size, images.labels
        self._settings, self._weights = settings, weights
        self._device = device_of(settings.device)
        self._network = self._new_network().requires_grad_(requires_grad=False)
        self.normalisation = self._network.normalisation
        self._pixels: Pixels | None = Pixels.of(images, self.normalisation, self._device)
        self._targets = torch.from_numpy(images.labels)
        self._views: list[Tensor] = []
        height, width = self._network.side
        self._feature_shape = self._shape_of_features(self._pixels)
        self._part = max(1, PART_PIXELS // (height * width))
        self._parts = -(-settings.batch_size * height * width // TRAINED_PIXELS)
        self._count = self._count_views()

    @property
    def preparation_steps(self) -> int:
        """How many steps `prepare` reports."""
        return self._count * -(-len(self._labels) // self._part)

    def prepare(self, callbacks: TrainingCallbacks) -> None:
        """Compute the features of all views; the images are not needed after that, nor kept."""
        pixels = self._pixels
        if pixels is None:
            return
        be_deterministic()
        jobs = [
            partial(self._features, pixels, number, callbacks.on_step)
            for number in range(self._count)
        ]
        self._views = run_parallel(jobs, parallel=self._device.type == "cpu")
        self._pixels = None

    def fit(
        self, rows: NDArray[np.int64], callbacks: TrainingCallbacks, checkpoint: Checkpoint
    ) -> PretrainedClassifier:
        """Return a network fine-tuned on these rows, in evaluation mode."""
        settings, network = self._settings, self._new_network()
        network.requires_grad_(requires_grad=False)
        for layer in network.trained_layers():
            layer.requires_grad_(requires_grad=True)
        network.head.requires_grad_(requires_grad=True)
        generator = Generator().manual_seed(settings.seed)
        # Each image's views come in turn, from another one on.
        first = torch.randint(0, self._count, (len(self._labels),), generator=generator)

        def batches(epoch: int) -> Iterator[Batch]:
            for chosen in shuffled(torch.from_numpy(rows), settings.batch_size, generator):
                turns = ((first[chosen] + epoch) % self._count).tolist()
                features = [
                    self._views[view][row] for view, row in zip(turns, chosen.tolist(), strict=True)
                ]
                yield self._inputs(torch.stack(features)), self._targets[chosen].to(self._device)

        steps = count_steps(len(rows), settings)
        schedule = fine_tuning_schedule(network, steps=steps, scale=settings.learning_rate_scale)
        loop = Loop(network, network.trained, batches, schedule, generator, parts=self._parts)
        fit(loop, settings, len(rows), callbacks, checkpoint)
        return network

    @torch.no_grad()
    def predict(self, network: Classifier, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the network's logits (rows, classes), the mean over the flips."""
        assert isinstance(network, PretrainedClassifier)  # noqa: S101 (narrows the type)
        found = [
            torch.cat(
                [
                    network.trained(self._inputs(view[part])).float().cpu()
                    for part in torch.split(torch.from_numpy(rows), self._part)
                ]
            )
            for view in self._views[: self._plain_views]
        ]
        logits: NDArray[np.float32] = torch.stack(found).mean(0).numpy()
        return logits

    @property
    def _plain_views(self) -> int:
        """How many of the views the finished network is asked: upright, and flipped."""
        return 2 if self._settings.horizontal_flip else 1

    @torch.no_grad()
    def _shape_of_features(self, pixels: Pixels) -> tuple[int, ...]:
        """Return channels, height and width of an image's features."""
        features = self._network.frozen(pixels.rows(torch.zeros(1, dtype=torch.int64)))
        return tuple(features.shape[1:])

    def _count_views(self) -> int:
        room = MAX_FEATURE_BYTES // (2 * math.prod(self._feature_shape) * len(self._labels))
        wanted = min(MAX_VIEWS, max(self._settings.epochs, self._plain_views))
        return max(self._plain_views, min(wanted, room))

    def _new_network(self) -> PretrainedClassifier:
        settings = self._settings
        network = self._weights.network(
            len(settings.classes),
            input_side(self._size),
            horizontal_flip=bool(settings.horizontal_flip),
        )
        return network.to(self._device)

    @torch.no_grad()
    def _features(
        self, pixels: Pixels, view: int, on_step: Callable[[], None], stop: Event
    ) -> Tensor:
        """Return the features of one view of every image: float16 (N, C, h, w)."""
        generator = Generator().manual_seed(self._settings.seed * MAX_VIEWS + view)
        step, flip = stoppable(on_step, stop), bool(self._settings.horizontal_flip)
        shape = (len(self._labels), *self._feature_shape)
        # Into their place at once: parts that are put together at the end take the room twice.
        found = torch.empty(shape, dtype=torch.float16, memory_format=torch.channels_last)
        for chosen in torch.split(torch.arange(len(self._labels)), self._part):
            if view < self._plain_views:
                images = pixels.rows(chosen, torch.full((len(chosen),), bool(view)))
            else:
                flipped = torch.rand(len(chosen), generator=generator) < (0.5 if flip else 0)
                images = pixels.rows(chosen, flipped)
                images = shift(images, max(1, self._shift), generator)
            found[chosen[0] : chosen[-1] + 1] = self._network.frozen(images)
            step()
        return found

    @property
    def _shift(self) -> int:
        return round(SHIFT * min(self._size) / REFERENCE_SIDE)

    def _inputs(self, features: Tensor) -> Tensor:
        found = features.to(self._device, torch.float32)
        return found.contiguous(memory_format=torch.channels_last)


def input_side(size: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width that a pretrained network takes images of a size at.

    Multiples of 32. The longer side becomes 128 pixels; of larger images it stays, up to 224.
    """
    longest = max(size)
    scale = max(SMALL_SIDE, min(longest, LARGE_SIDE)) / longest
    height, width = (max(STRIDE, STRIDE * round(side * scale / STRIDE)) for side in size)
    return height, width
