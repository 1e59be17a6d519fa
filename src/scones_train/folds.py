"""The final network and one more for every fold, trained side by side."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scones_train.calibrate import Predictions
from scones_train.checkpoint import Checkpoint, Checkpoints
from scones_train.dataset import ImageSet, Normalisation
from scones_train.device import device_of
from scones_train.fit import Report, Skip, Tick, fit, predict, rebuilt, steps
from scones_train.hyperparameters import Hyperparameters
from scones_train.model import Member
from scones_train.origin import SCRATCH, Origin
from scones_train.shape import Shape, fit_shape

# What a fold that is done keeps.
LOGITS, NETWORK = "logits", "network"


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of progress: of the final network's epochs, of folds done, of every step.

    `fold` gets the share, 0 to 1, of a fold's held-out images that its network got right, `skip`
    how many steps of a training that goes on were done before.
    All are called from several threads, `tick` and `skip` by every training.
    """

    epoch: Report = lambda *_: None
    fold: Callable[[float], None] = lambda _: None
    tick: Tick = lambda: None
    skip: Skip = lambda _: None


@dataclass(frozen=True, slots=True)
class Trained:
    """The final network, those of the folds, and their predictions; None without folds."""

    final: Member
    folds: tuple[Member, ...]
    predictions: Predictions | None


Fold = tuple[Member, NDArray[np.float32]]


class _Stopped(Exception):
    """Ends a training whose result nobody waits for any more."""


def train(
    images: ImageSet,
    normalisation: Normalisation,
    settings: Hyperparameters,
    watch: Watch,
    checkpoints: Checkpoints | None = None,
    *,
    origin: Origin = SCRATCH,
) -> Trained:
    """Return the network of all images, and a prediction of each by one that did not see it.

    The predictions are those of `folds` networks, each trained by the same recipe on all
    images but its share. Every network has a thread of its own where
    there are cores, which uses them better than one network on all cores. An exception ends
    all trainings before it is raised. With checkpoints, each training goes on where it was.
    """
    held_out = fold_rows(images.labels, settings)
    kept = checkpoints or Checkpoints()
    # Several trainings on one GPU take turns anyway.
    most = 1 + len(held_out) if device_of(settings.device).type == "cpu" else 1
    with _workers(most) as (pool, stop):
        tick = _stoppable(watch.tick, stop)
        shared: dict[str, Any] = {"tick": tick, "skip": watch.skip, "origin": origin}
        own = kept.named("final")
        final = pool.submit(
            fit, images, normalisation, settings, watch.epoch, checkpoint=own, **shared
        )
        shape = pool.submit(shape_of, images, settings)
        folds = [
            pool.submit(
                _fold, images, rows, settings, watch, checkpoint=kept.named(f"fold-{n}"), **shared
            )
            for n, rows in enumerate(held_out, start=1)
        ]
        everything: list[Future[Any]] = [final, shape, *folds]
        for done in as_completed(everything):
            done.result()
        answered = [fold.result() for fold in folds]
        return Trained(
            Member(final.result(), normalisation, shape.result()),
            tuple(member for member, _ in answered),
            _gathered(images, settings, held_out, [logits for _, logits in answered]),
        )


def fold_rows(labels: NDArray[np.int64], settings: Hyperparameters) -> list[NDArray[np.int64]]:
    """Return the rows that each fold holds out: every row once, classes in equal shares."""
    random = np.random.default_rng(settings.seed)
    order = random.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    return [by_class[first :: settings.folds] for first in range(settings.folds)]


def total_steps(images: int, settings: Hyperparameters) -> int:
    """Return how many steps all trainings take together, for a number of images."""
    shares = [len(range(first, images, settings.folds)) for first in range(settings.folds)]
    return steps(images, settings) + sum(steps(images - share, settings) for share in shares)


@contextmanager
def _workers(trainings: int) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Yield a pool that shares the threads PyTorch has, and what stops the pool's trainings."""
    threads, stop = torch.get_num_threads(), Event()
    workers = min(threads, trainings)
    each = threads // workers
    # The number of threads is each thread's own.
    pool = ThreadPoolExecutor(workers, "train", torch.set_num_threads, (each,))
    try:
        yield pool, stop
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _stoppable(tick: Tick, stop: Event) -> Tick:
    def checked() -> None:
        if stop.is_set():
            raise _Stopped
        tick()

    return checked


def _fold(
    images: ImageSet,
    held_out: NDArray[np.int64],
    settings: Hyperparameters,
    watch: Watch,
    *,
    tick: Tick,
    skip: Skip,
    checkpoint: Checkpoint,
    origin: Origin,
) -> Fold:
    """Return what learnt from the other images, and its logits (held out, classes)."""
    unseen = images.rows(held_out)
    seen = images.rows(np.setdiff1d(np.arange(len(images)), held_out))
    normalisation = origin.normalisation(seen)
    state = checkpoint.load()
    if state is not None and LOGITS in state:
        network = rebuilt(settings, state[NETWORK], origin)
        logits: NDArray[np.float32] = state[LOGITS].numpy()
        skip(steps(len(seen), settings))
    else:
        network = fit(
            seen,
            normalisation,
            settings,
            lambda *_: None,
            tick,
            checkpoint=checkpoint,
            skip=skip,
            origin=origin,
        )
        logits = predict(network, unseen, normalisation)
        checkpoint.save({LOGITS: torch.from_numpy(logits), NETWORK: network.state_dict()})
    member = Member(network, normalisation, shape_of(seen, settings))
    logits = with_shape(logits, member, unseen)
    watch.fold(float((logits.argmax(axis=1) == unseen.labels).mean()))
    return member, logits


def shape_of(images: ImageSet, settings: Hyperparameters) -> Shape | None:
    """Return the kernel machine of these images; None where the settings leave it out."""
    if not settings.shape or settings.backbone:
        return None
    mirror = bool(settings.mirror)
    return fit_shape(images, len(settings.classes), mirror=mirror, share=settings.shape)


def with_shape(
    logits: NDArray[np.float32], member: Member, images: ImageSet
) -> NDArray[np.float32]:
    """Return a member's logits (N, classes) of images from those of its network alone."""
    return logits if member.shape is None else logits + member.shape.scores(images.pixels)


def _gathered(
    images: ImageSet,
    settings: Hyperparameters,
    held_out: list[NDArray[np.int64]],
    folds: list[NDArray[np.float32]],
) -> Predictions | None:
    if not folds:
        return None
    logits = np.zeros((len(images), len(settings.classes)), dtype=np.float32)
    for rows, fold in zip(held_out, folds, strict=True):
        logits[rows] = fold
    return Predictions(logits, images.labels)
