"""The training loop: images in memory, one network out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import BatchNorm2d, functional

from scones_train.data import ImageSet, Normalisation
from scones_train.model.classifier import Classifier
from scones_train.training.augment import augment, mirrored_in
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.device import device_of, uses_bfloat16
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.initialisation import SCRATCH, Optimisation, Origin
from scones_train.training.pixels import Pixels


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Where training stands after an epoch; `train_loss` is the mean over its batches."""

    epoch: int
    epochs: int
    train_loss: float
    seconds: float


Report = Callable[[EpochReport, Classifier], None]
Tick = Callable[[], None]
Skip = Callable[[int], None]


def fit(
    images: ImageSet,
    normalisation: Normalisation,
    settings: Hyperparameters,
    report: Report,
    tick: Tick = lambda: None,
    *,
    checkpoint: Checkpoint | None = None,
    skip: Skip = lambda _: None,
    origin: Origin = SCRATCH,
) -> Classifier:
    """Return a network trained on these images, in evaluation mode.

    The same images, settings and number of threads give the same weights on one machine,
    whatever else is trained beside. `report` is called after every epoch, `tick` after every
    step; an exception from either ends the training. With a checkpoint, the training goes on
    after the last epoch that it has, to the same weights; `skip` is told the steps that are
    done already. `origin` is what it begins with.
    """
    be_deterministic()
    generator = Generator().manual_seed(settings.seed)
    pixels = Pixels.of(images, normalisation, device_of(settings.device))
    targets = torch.from_numpy(images.labels).to(pixels.device)
    network = origin.network(settings, pixels, images.labels)
    schedule = origin.schedule(network, settings, steps(len(pixels), settings))
    views = _Views(pixels, settings, generator, grey=images.grey)
    checkpoint = checkpoint or Checkpoint()
    first = 1 + _restored(checkpoint, network, schedule, generator)
    skip((first - 1) * steps(len(pixels), settings) // settings.epochs)
    started = time.perf_counter()
    for epoch in range(first, settings.epochs + 1):
        network.train()
        network.begin(epoch)
        loss = _epoch(network, schedule, views.of(epoch, targets), settings, tick)
        network.eval()
        if epoch == settings.epochs:
            settle_norms(network, pixels)
        checkpoint.save(
            {
                "epoch": epoch,
                "network": network.state_dict(),
                "schedule": schedule.state_dict(),
                "generator": generator.get_state(),
            }
        )
        seconds = time.perf_counter() - started
        report(EpochReport(epoch, settings.epochs, loss, seconds), network)
    return network


def _restored(
    checkpoint: Checkpoint, network: Classifier, schedule: Optimisation, generator: Generator
) -> int:
    """Put all three into the state of a checkpoint; return its epoch, 0 where there is none."""
    state = checkpoint.load()
    if state is None:
        return 0
    network.load_state_dict(state["network"])
    schedule.load_state_dict(state["schedule"])
    generator.set_state(state["generator"])
    checkpoint.say(f"{checkpoint.name} goes on after epoch {state['epoch']}.")
    network.eval()
    return int(state["epoch"])


def steps(images: int, settings: Hyperparameters) -> int:
    """Return how many steps a training on this many images takes."""
    return settings.epochs * max(1, images // settings.batch_size)


def be_deterministic() -> None:
    """Have PyTorch take only algorithms that give the same result each time."""
    torch.use_deterministic_algorithms(True)
    # Filling memory that is overwritten anyway takes a seventh of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def rebuilt(
    settings: Hyperparameters, state: dict[str, Tensor], origin: Origin = SCRATCH
) -> Classifier:
    """Return a trained network from its weights, in evaluation mode."""
    network = origin.blank(settings)
    network.load_state_dict(state)
    return network.eval()


@torch.no_grad()
def settle_norms(network: Classifier, pixels: Pixels) -> None:
    """Replace the norms' running statistics by those of all these images and their mirrors.

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
    for part in pixels.parts(mirrored=network.mirror):
        network(part)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _epoch(
    network: Classifier,
    schedule: Optimisation,
    batches: Iterator[tuple[Tensor, Tensor]],
    settings: Hyperparameters,
    tick: Tick,
) -> float:
    device = device_of(settings.device)
    half = uses_bfloat16(settings.precision, device)
    losses = []
    for views, targets in batches:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = network(views)
        loss = functional.cross_entropy(
            logits.float(), targets, label_smoothing=settings.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]
        schedule.step()
        losses.append(loss.item())
        tick()
    return sum(losses) / len(losses)


class _Views:
    """The augmented images of a training, epoch by epoch."""

    def __init__(
        self, pixels: Pixels, settings: Hyperparameters, generator: Generator, *, grey: bool
    ) -> None:
        self._pixels, self._settings, self._generator = pixels, settings, generator
        self._grey = grey
        self._mirrored = torch.rand(len(pixels), generator=generator) < 0.5

    def of(self, epoch: int, targets: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield an epoch's images and their labels, in random order.

        Full batches only, since the statistics of a short one would mislead the norms.
        """
        count = len(self._pixels)
        turned = mirrored_in(epoch, self._mirrored) if self._settings.horizontal_flip else None
        order = torch.randperm(count, generator=self._generator)
        size = min(self._settings.batch_size, count)
        for start in range(0, count - size + 1, size):
            rows = order[start : start + size]
            images = self._pixels.rows(rows, None if turned is None else turned[rows])
            yield (
                augment(images, self._generator, grey=self._grey),
                targets[rows.to(targets.device)],
            )


@torch.no_grad()
def predict(
    network: Classifier, images: ImageSet, normalisation: Normalisation
) -> NDArray[np.float32]:
    """Return float32 logits (N, classes) of images, as the finished network answers."""
    network.eval()
    pixels = Pixels.of(images, normalisation, next(network.parameters()).device)
    logits: NDArray[np.float32] = (
        torch.cat([network.answers(part) for part in pixels.parts()]).cpu().numpy()
    )
    return logits
