"""Where a training starts from: which network, and which optimisers change it."""

from threading import Lock
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from scones_train.data import ImageSet, Normalisation
from scones_train.model.classifier import Classifier
from scones_train.model.small_network import WHITENING_PIXELS, Network, fit_whitening, widths_of
from scones_train.training.device import device_of
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.optimiser import Schedule
from scones_train.training.pixels import Pixels

# Initial weights come from PyTorch's one global generator, whatever the thread.
_SEEDING = Lock()


class Optimisation(Protocol):
    """The optimisers of a network and how their rates rise and fall over a training."""

    def step(self) -> None:
        """Update the parameters, and forget the gradients."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step depends on, of plain values and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


class Origin(Protocol):
    """What a training begins with."""

    def normalisation(self, images: ImageSet) -> Normalisation:
        """Return what a network of these images normalises by."""

    def blank(self, settings: Hyperparameters) -> Classifier:
        """Return a network of the right shape, for trained weights to be put into."""

    def network(
        self, settings: Hyperparameters, pixels: Pixels, labels: NDArray[np.int64], /
    ) -> Classifier:
        """Return the network as it is before the first step, on the images' device."""

    def schedule(self, network: Classifier, settings: Hyperparameters, steps: int) -> Optimisation:
        """Return the optimisers of that network for so many steps."""


class Scratch:
    """The small network with weights drawn by chance, its first layer fitted."""

    def normalisation(self, images: ImageSet) -> Normalisation:
        """Return the statistics of these images."""
        return Normalisation.of(images)

    def blank(self, settings: Hyperparameters) -> Network:
        """Return the network before it has seen an image; one seed gives the same weights."""
        with _SEEDING:
            torch.manual_seed(settings.seed)
            network = Network(
                len(settings.classes),
                widths_of(settings.width),
                stem=max(1, settings.stem),
                mirror=bool(settings.horizontal_flip),
            )
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(device_of(settings.device))

    def network(
        self, settings: Hyperparameters, pixels: Pixels, _labels: NDArray[np.int64]
    ) -> Network:
        """Return the network with its first layer fitted on these images."""
        network = self.blank(settings)
        fit_whitening(network, pixels.sample(WHITENING_PIXELS))
        return network

    def schedule(self, network: Classifier, settings: Hyperparameters, steps: int) -> Schedule:
        """Return Muon for the convolutions and SGD for the rest."""
        assert isinstance(network, Network)  # noqa: S101 (narrows the type)
        return Schedule(
            network,
            steps=steps,
            muon_lr=settings.muon_lr,
            head_lr=settings.head_lr,
            bias_lr=settings.bias_lr,
        )


SCRATCH = Scratch()
