"""The training loop: images in memory, one network out."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import BatchNorm2d, functional

from scones_train.augment import alternately_mirrored, augment
from scones_train.checkpoint import Checkpoint
from scones_train.dataset import ImageSet, Normalisation
from scones_train.hyperparameters import Hyperparameters
from scones_train.model import BATCH_NORM_MOMENTUM, Network, fit_whitening
from scones_train.optimiser import Schedule

EVALUATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Where training stands after an epoch; `train_loss` is the mean over its batches."""

    epoch: int
    epochs: int
    train_loss: float
    seconds: float


Report = Callable[[EpochReport, Network], None]
Tick = Callable[[], None]

# Initial weights come from PyTorch's one global generator, whatever the thread.
_SEEDING = Lock()


def fit(
    images: ImageSet,
    normalisation: Normalisation,
    settings: Hyperparameters,
    report: Report,
    tick: Tick = lambda: None,
    *,
    checkpoint: Checkpoint | None = None,
) -> Network:
    """Return a network trained on these images, in evaluation mode.

    The same images, settings and number of threads give the same weights on one machine,
    whatever else is trained beside. `report` is called after every epoch, `tick` after every
    step; an exception from either ends the training. With a checkpoint, the training goes on
    after the last epoch that it has, to the same weights.
    """
    _be_deterministic()
    generator = Generator().manual_seed(settings.seed)
    inputs, targets = to_tensor(images, normalisation), torch.from_numpy(images.labels)
    network = _initial(settings)
    fit_whitening(network, inputs)
    schedule = _schedule(network, settings, steps(len(inputs), settings))
    mirrored = torch.rand(len(inputs), generator=generator) < 0.5
    checkpoint = checkpoint or Checkpoint()
    first = 1 + _restored(checkpoint, network, schedule, generator)
    started = time.perf_counter()
    for epoch in range(first, settings.epochs + 1):
        network.train()
        views = alternately_mirrored(inputs, mirrored, epoch)
        batch = _batches(views, targets, settings.batch_size, generator)
        loss = _epoch(network, schedule, batch, settings, tick)
        network.eval()
        if epoch == settings.epochs:
            settle_norms(network, inputs)
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
    checkpoint: Checkpoint, network: Network, schedule: Schedule, generator: Generator
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


def _be_deterministic() -> None:
    torch.use_deterministic_algorithms(True)
    # Filling memory that is overwritten anyway takes a seventh of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _initial(settings: Hyperparameters) -> Network:
    with _SEEDING:
        torch.manual_seed(settings.seed)
        network = Network(len(settings.classes))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def rebuilt(settings: Hyperparameters, state: dict[str, Tensor]) -> Network:
    """Return a trained network from its weights, in evaluation mode."""
    network = _initial(settings)
    network.load_state_dict(state)
    return network.eval()


@torch.no_grad()
def settle_norms(network: Network, inputs: Tensor) -> None:
    """Replace the norms' running statistics by those of all these images and their mirrors.

    A running mean of the last few small batches, of augmented images at that, is noisier
    than what the finished network deserves.
    """
    norms = [module for module in network.modules() if isinstance(module, BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    both = torch.cat((inputs, inputs.flip(-1)))
    # Parts of one size, since each weighs the same in the mean.
    for part in torch.tensor_split(both, math.ceil(len(both) / EVALUATION_BATCH)):
        network(part)
    network.eval()
    for norm in norms:
        norm.momentum = BATCH_NORM_MOMENTUM


def _schedule(network: Network, settings: Hyperparameters, steps: int) -> Schedule:
    return Schedule(
        network,
        steps=steps,
        muon_lr=settings.muon_lr,
        head_lr=settings.head_lr,
        bias_lr=settings.bias_lr,
        dtype=torch.bfloat16 if uses_bfloat16(settings.precision) else torch.float32,
    )


def _epoch(
    network: Network,
    schedule: Schedule,
    batches: Iterator[tuple[Tensor, Tensor]],
    settings: Hyperparameters,
    tick: Tick,
) -> float:
    half = uses_bfloat16(settings.precision)
    losses = []
    for views, targets in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = network(views)
        loss = functional.cross_entropy(
            logits.float(), targets, label_smoothing=settings.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]
        schedule.step()
        losses.append(loss.item())
        tick()
    return sum(losses) / len(losses)


def _batches(
    inputs: Tensor, targets: Tensor, size: int, generator: Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield augmented images and their labels in random order.

    Full batches only, since the statistics of a short one would mislead the norms.
    """
    order = torch.randperm(len(inputs), generator=generator)
    size = min(size, len(inputs))
    for start in range(0, len(inputs) - size + 1, size):
        rows = order[start : start + size]
        yield augment(inputs[rows], generator), targets[rows]


def uses_bfloat16(precision: str) -> bool:
    """Say whether convolutions run in bfloat16: on request, or by itself where that is faster.

    A processor with bfloat16 instructions of its own gains about a third of the time; one
    without loses.
    """
    if precision == "auto":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return precision == "bfloat16"


def to_tensor(images: ImageSet, normalisation: Normalisation) -> Tensor:
    """Return uint8 (N, H, W, 3) images as normalised float32 (N, 3, H, W)."""
    mean, std = torch.tensor(normalisation.mean), torch.tensor(normalisation.std)
    pixels = (torch.from_numpy(images.pixels).float() / 255 - mean) / std
    return pixels.permute(0, 3, 1, 2)


@torch.no_grad()
def predict(
    network: Network, images: ImageSet, normalisation: Normalisation
) -> NDArray[np.float32]:
    """Return float32 logits (N, classes), each the mean over an image and its mirror image."""
    network.eval()
    parts = torch.split(to_tensor(images, normalisation), EVALUATION_BATCH)
    logits: NDArray[np.float32] = torch.cat([network.mirrored(part) for part in parts]).numpy()
    return logits
