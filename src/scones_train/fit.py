"""The training loop: images in memory, one network out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from scones_train.augment import augment
from scones_train.dataset import ImageSet, Normalisation
from scones_train.hyperparameters import Hyperparameters
from scones_train.model import Network, fit_whitening
from scones_train.optimiser import Schedule

EVALUATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Where training stands after an epoch; `train_loss` is the mean over its batches."""

    epoch: int
    epochs: int
    train_loss: float
    seconds_left: float


Report = Callable[[EpochReport, Network], None]


def fit(
    images: ImageSet, normalisation: Normalisation, settings: Hyperparameters, report: Report
) -> Network:
    """Return a network trained on these images, in evaluation mode.

    The same images, settings and number of threads give the same weights on one machine.
    `report` is called after every epoch.
    """
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    generator = Generator().manual_seed(settings.seed)
    inputs, targets = to_tensor(images, normalisation), torch.from_numpy(images.labels)
    network = Network(len(settings.classes)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fit_whitening(network, inputs)
    batches = max(1, len(inputs) // settings.batch_size)
    schedule = _schedule(network, settings, settings.epochs * batches)
    started = time.perf_counter()
    for epoch in range(1, settings.epochs + 1):
        network.train()
        loss = _epoch(network, schedule, inputs, targets, settings, generator)
        left = (time.perf_counter() - started) / epoch * (settings.epochs - epoch)
        network.eval()
        report(EpochReport(epoch, settings.epochs, loss, left), network)
    return network


def _schedule(network: Network, settings: Hyperparameters, steps: int) -> Schedule:
    return Schedule(
        network,
        steps=steps,
        muon_lr=settings.muon_lr,
        head_lr=settings.head_lr,
        bias_lr=settings.bias_lr,
    )


def _epoch(
    network: Network,
    schedule: Schedule,
    inputs: Tensor,
    targets: Tensor,
    settings: Hyperparameters,
    generator: Generator,
) -> float:
    losses = []
    for rows in _batches(len(inputs), settings.batch_size, generator):
        logits = network(augment(inputs[rows], generator))
        loss = functional.cross_entropy(
            logits, targets[rows], label_smoothing=settings.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]
        schedule.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def _batches(count: int, size: int, generator: Generator) -> Iterator[Tensor]:
    """Yield random rows, full batches only: a batch of one would break the batch norm."""
    order = torch.randperm(count, generator=generator)
    size = min(size, count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def to_tensor(images: ImageSet, normalisation: Normalisation) -> Tensor:
    """Return uint8 (N, H, W, 3) images as normalised float32 (N, 3, H, W)."""
    mean, std = torch.tensor(normalisation.mean), torch.tensor(normalisation.std)
    pixels = (torch.from_numpy(images.pixels).float() / 255 - mean) / std
    return pixels.permute(0, 3, 1, 2)


@torch.no_grad()
def predict(network: Network, images: ImageSet, normalisation: Normalisation) -> Tensor:
    """Return float32 logits (N, classes), each the mean over an image and its mirror image."""
    network.eval()
    parts = to_tensor(images, normalisation).split(EVALUATION_BATCH)
    return torch.cat([network.mirrored(part) for part in parts])
