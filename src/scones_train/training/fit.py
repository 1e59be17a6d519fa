"""The training loop: batches in, one trained network out."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional

from scones_core.errors import TrainingError
from scones_train.channels import ImageSet, Normalisation
from scones_train.model.classifier import Classifier
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.device import device_of, uses_bfloat16
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.optimiser import Annealed
from scones_train.training.pixels import Pixels

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Where training stands after an epoch; `train_loss` is the mean over its batches."""

    epoch: int
    epochs: int
    train_loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingCallbacks:
    """What is called as trainings proceed; all are called from several threads.

    `on_epoch` is called for the final network, `on_fold` with the accuracy, 0 to 1, on the
    images that a fold held out, `on_step` after every step of any training, and `on_resume`
    with the number of steps that a resumed training has done before.
    """

    on_epoch: Callable[[EpochReport], None] = lambda _: None
    on_fold: Callable[[float], None] = lambda _: None
    on_step: Callable[[], None] = lambda: None
    on_resume: Callable[[int], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Loop:
    """What one training runs on.

    `forward` gives the logits of a batch's inputs, `batches` an epoch's batches of inputs and
    class indexes; `finish` is called with the network after the last epoch, before it is saved.
    The generator is what `batches` draws from. `parts` says how many parts a batch goes through
    the network in: the gradients add up to the same, in that much less memory. Only a network
    without batch norms may have several.
    """

    network: Classifier
    forward: Callable[[Tensor], Tensor]
    batches: Callable[[int], Iterator[Batch]]
    schedule: Annealed
    generator: Generator
    finish: Callable[[], None] = lambda: None
    parts: int = 1


def fit(
    loop: Loop,
    settings: Hyperparameters,
    images: int,
    callbacks: TrainingCallbacks,
    checkpoint: Checkpoint,
) -> Classifier:
    """Train the loop's network on so many images and return it, in evaluation mode.

    The same images, settings and number of threads give the same weights on one host. An
    exception of a callback ends the training. With a checkpoint, the training resumes after the
    last epoch that it holds, to the same weights.
    """
    network = loop.network
    first = 1 + _resumed(loop, checkpoint)
    callbacks.on_resume((first - 1) * count_steps(images, settings) // settings.epochs)
    started = time.perf_counter()
    for epoch in range(first, settings.epochs + 1):
        network.train()
        network.on_epoch(epoch)
        batches = islice(loop.batches(epoch), count_steps(images, settings) // settings.epochs)
        loss = _epoch(loop, batches, epoch, settings, callbacks.on_step)
        network.eval()
        if epoch == settings.epochs:
            loop.finish()
        checkpoint.save(
            {
                "epoch": epoch,
                "network": network.state_dict(),
                "schedule": loop.schedule.state_dict(),
                "generator": loop.generator.get_state(),
            }
        )
        seconds = time.perf_counter() - started
        callbacks.on_epoch(EpochReport(epoch, settings.epochs, loss, seconds))
    return network


def _resumed(loop: Loop, checkpoint: Checkpoint) -> int:
    """Put the loop into the state of a checkpoint; return its epoch, 0 where there is none.

    Raises TrainingError for a state that is not of this loop.
    """
    state = checkpoint.load()
    if state is None:
        return 0
    try:
        loop.network.load_state_dict(state["network"])
        loop.schedule.load_state_dict(state["schedule"])
        loop.generator.set_state(state["generator"])
        epoch = int(state["epoch"])
    # PyTorch's errors have no common base; what was loaded until then is not taken back.
    except Exception as error:
        raise checkpoint.foreign(repr(error)) from error
    checkpoint.report(f"{checkpoint.name} resumes after epoch {epoch}.")
    loop.network.eval()
    return epoch


def count_steps(images: int, settings: Hyperparameters) -> int:
    """Return how many steps a training on this many images takes.

    Of one epoch that is longer than `max_steps`, only those.
    """
    steps = settings.epochs * max(1, images // settings.batch_size)
    return min(steps, settings.max_steps or steps)


def be_deterministic() -> None:
    """Have PyTorch take only algorithms that give the same result each time."""
    torch.use_deterministic_algorithms(True)
    # Filling memory that is overwritten anyway takes a seventh of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def shuffled(rows: Tensor, batch_size: int, generator: Generator) -> Iterator[Tensor]:
    """Yield the rows in random order, in full batches only; int64 (batch,) each.

    The statistics of a short batch would mislead the batch norms.
    """
    order = rows[torch.randperm(len(rows), generator=generator)]
    size = min(batch_size, len(rows))
    for start in range(0, len(rows) - size + 1, size):
        yield order[start : start + size]


def _epoch(
    loop: Loop,
    batches: Iterator[Batch],
    epoch: int,
    settings: Hyperparameters,
    on_step: Callable[[], None],
) -> float:
    device = device_of(settings.device)
    half = uses_bfloat16(settings.precision, device)
    losses = []
    for inputs, targets in batches:
        loss = 0.0
        for part, right in zip(inputs.chunk(loop.parts), targets.chunk(loop.parts), strict=True):
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                logits = loop.forward(part)
            share = functional.cross_entropy(
                logits.float(), right, label_smoothing=settings.label_smoothing
            ) * (len(right) / len(targets))
            share.backward()  # type: ignore[no-untyped-call]
            loss += share.item()
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss is {loss} in epoch {epoch}: the weights given to begin with cannot be "
                "used, or the hyperparameter learning_rate_scale is too high."
            )
        loop.schedule.step()
        losses.append(loss)
        on_step()
    return sum(losses) / len(losses)


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
