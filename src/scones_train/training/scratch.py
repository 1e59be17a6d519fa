"""The recipe for images unlike photographs: the small network, from random weights."""

from collections.abc import Iterator
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator
from torch.nn import BatchNorm2d

from scones_train.channels import ImageSet, Normalisation
from scones_train.model.classifier import Classifier
from scones_train.model.small_network import WHITENING_PIXELS, Network, fit_whitening, stem_of
from scones_train.training.augment import augment, flipped_in
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.device import device_of
from scones_train.training.fit import (
    Batch,
    Loop,
    TrainingCallbacks,
    be_deterministic,
    count_steps,
    fit,
    predict,
    shuffled,
)
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.optimiser import scratch_schedule
from scones_train.training.pixels import Pixels

# Initial weights come from PyTorch's one global generator, whatever the thread.
_SEEDING = Lock()


class FromScratch:
    """Trains the small network on rows of these images."""

    preparation_steps = 0

    def __init__(self, images: ImageSet, settings: Hyperparameters) -> None:
        self._images, self._settings = images, settings
        self.normalisation = Normalisation.of(images)

    def prepare(self, callbacks: TrainingCallbacks) -> None:
        """Do nothing: every training starts from the images."""

    def fit(
        self, rows: NDArray[np.int64], callbacks: TrainingCallbacks, checkpoint: Checkpoint
    ) -> Network:
        """Return a network trained on these rows, in evaluation mode."""
        be_deterministic()
        settings, images = self._settings, self._images.rows(rows)
        generator = Generator().manual_seed(settings.seed)
        pixels = Pixels.of(images, self.normalisation, device_of(settings.device))
        network = self._network(pixels)
        targets = torch.from_numpy(images.labels).to(pixels.device)
        first = torch.rand(len(pixels), generator=generator) < 0.5
        grey = self._images.grey

        def batches(epoch: int) -> Iterator[Batch]:
            flipped = flipped_in(epoch, first) if settings.horizontal_flip else None
            every = torch.arange(len(pixels))
            for chosen in shuffled(every, settings.batch_size, generator):
                found = pixels.rows(chosen, None if flipped is None else flipped[chosen])
                yield augment(found, generator, grey=grey), targets[chosen.to(targets.device)]

        steps = count_steps(len(pixels), settings)
        loop = Loop(
            network,
            network,
            batches,
            scratch_schedule(network, steps=steps, scale=settings.learning_rate_scale),
            generator,
            lambda: recompute_norms(network, pixels),
        )
        fit(loop, settings, len(pixels), callbacks, checkpoint)
        return network

    def predict(self, network: Classifier, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the network's logits (rows, classes)."""
        return predict(network, self._images.rows(rows), self.normalisation)

    def _network(self, pixels: Pixels) -> Network:
        """Return the network with its first layer fitted on these images."""
        settings = self._settings
        with _SEEDING:
            torch.manual_seed(settings.seed)
            network = Network(
                len(settings.classes),
                stem=stem_of(self._images.size),
                horizontal_flip=bool(settings.horizontal_flip),
            )
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network = network.to(pixels.device)
        fit_whitening(network, pixels.sample(WHITENING_PIXELS))
        return network


@torch.no_grad()
def recompute_norms(network: Classifier, pixels: Pixels) -> None:
    """Replace the norms' running statistics by those of all these images and their flips.

    A running mean of the last few small batches, of augmented images at that, is noisier
    than what the finished network deserves.
    """
    norms = [module for module in network.modules() if isinstance(module, BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    # Parts of one size, since each weighs the same in the mean.
    for part in pixels.parts(flipped=network.horizontal_flip):
        network(part)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
