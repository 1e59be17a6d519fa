"""A network for every fold, and one of all images where it is asked for, side by side."""

from collections.abc import Callable
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scones_train.data import ImageSet, Normalisation
from scones_train.evaluation.calibration import Predictions
from scones_train.model.edges import Edges
from scones_train.model.kernel_machine import KernelMachine, fit_machine
from scones_train.model.patches import Patches
from scones_train.model.small_network import Member, Model
from scones_train.training.checkpoint import Checkpoint, Checkpoints
from scones_train.training.device import device_of
from scones_train.training.fit import Report, Skip, Tick, fit, predict, rebuilt, steps
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.initialisation import SCRATCH, Origin
from scones_train.training.parallel import side_by_side, stoppable

# What a fold that is done keeps.
LOGITS, NETWORK = "logits", "network"


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of progress: of one network's epochs, of folds done, of every step.

    `epoch` is told of the network of all images, or of the first fold's where there is none.
    `fold` gets the share, 0 to 1, of a fold's held-out images that its network got right, `skip`
    how many steps of a training that goes on were done before. All are called from several
    threads, `tick` and `skip` by every training.
    """

    epoch: Report = lambda *_: None
    fold: Callable[[float], None] = lambda _: None
    tick: Tick = lambda: None
    skip: Skip = lambda _: None


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, the statistics of all its images, and predictions for them; None without folds."""

    model: Model
    normalisation: Normalisation
    predictions: Predictions | None


Fold = tuple[Member, NDArray[np.float32]]
Opinions = tuple[tuple[KernelMachine, ...], NDArray[np.float32]]


def train(
    images: ImageSet,
    normalisation: Normalisation,
    settings: Hyperparameters,
    watch: Watch,
    checkpoints: Checkpoints | None = None,
    *,
    origin: Origin = SCRATCH,
) -> Trained:
    """Return the model of all images, and a prediction of each by a network that did not see it.

    The predictions are those of `folds` networks, each trained by the same recipe on all
    images but its share; the model is their mean, or one more network of all images. Every
    network has a thread of its own where there are cores, which uses them better than one
    network on all cores. An exception ends all trainings before it is raised. With checkpoints,
    each training goes on where it was.
    """
    held_out = fold_rows(images.labels, settings)
    kept = checkpoints or Checkpoints()
    # Several trainings on one GPU take turns anyway.
    at_once = device_of(settings.device).type == "cpu"
    with side_by_side(len(held_out) + settings.one_network, at_once=at_once) as (begin, stop):
        opinions = begin(opinions_of, images, settings)
        shared: dict[str, Any] = {"tick": stoppable(watch.tick, stop), "origin": origin}
        own = {"report": watch.epoch, "skip": watch.skip, "checkpoint": kept.named("final")}
        final = [
            begin(fit, images, normalisation, settings, **own, **shared)
            for _ in range(int(settings.one_network))
        ]
        folds = []
        for number, rows in enumerate(held_out, start=1):
            own = {"checkpoint": kept.named(f"fold-{number}"), **shared}
            told = watch if number == 1 and not final else replace(watch, epoch=lambda *_: None)
            folds.append(begin(_fold, images, rows, settings, told, **own))
        everything: list[Future[Any]] = [opinions, *final, *folds]
        for done in as_completed(everything):
            done.result()
    answered = [fold.result() for fold in folds]
    machines, scores = opinions.result()
    members = [Member(each.result(), normalisation) for each in final]
    return Trained(
        Model(tuple(members or [member for member, _ in answered]), machines),
        normalisation,
        _gathered(images, scores, held_out, [logits for _, logits in answered]),
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
    final = steps(images, settings) if settings.one_network else 0
    return final + sum(steps(images - share, settings) for share in shares)


def _fold(
    images: ImageSet,
    held_out: NDArray[np.int64],
    settings: Hyperparameters,
    watch: Watch,
    *,
    tick: Tick,
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
        watch.skip(steps(len(seen), settings))
    else:
        network = fit(
            seen,
            normalisation,
            settings,
            watch.epoch,
            tick,
            checkpoint=checkpoint,
            skip=watch.skip,
            origin=origin,
        )
        logits = predict(network, unseen, normalisation)
        checkpoint.save({LOGITS: torch.from_numpy(logits), NETWORK: network.state_dict()})
    watch.fold(float((logits.argmax(axis=1) == unseen.labels).mean()))
    return Member(network, normalisation), logits


def opinions_of(images: ImageSet, settings: Hyperparameters) -> Opinions:
    """Return the kernel machines of these images, and what they score each image without it.

    The scores, float32 (N, classes), are the machines' sum. There is none for a share of 0, and
    none beside a backbone.
    """
    classes = len(settings.classes)
    machines, scores = list[KernelMachine](), np.zeros((len(images), classes), dtype=np.float32)
    for share, describe in (
        (settings.shape, lambda: Edges.of(images.size)),
        (settings.texture, lambda: Patches.of(images)),
    ):
        if share and not settings.backbone:
            mirror = bool(settings.horizontal_flip)
            machine, unseen = fit_machine(images, classes, describe(), mirror=mirror, share=share)
            machines.append(machine)
            scores += unseen
    return tuple(machines), scores


def answers_of(
    member: Member, machines: tuple[KernelMachine, ...], images: ImageSet
) -> NDArray[np.float32]:
    """Return the logits (N, classes) of images by one network and the machines together."""
    logits = predict(member.network, images, member.normalisation)
    for machine in machines:
        logits += machine.scores(images.pixels)
    return logits


def _gathered(
    images: ImageSet,
    scores: NDArray[np.float32],
    held_out: list[NDArray[np.int64]],
    folds: list[NDArray[np.float32]],
) -> Predictions | None:
    """Return what was said of each image by those that did not see it; None without folds."""
    if not folds:
        return None
    logits = scores.copy()
    for rows, fold in zip(held_out, folds, strict=True):
        logits[rows] += fold
    return Predictions(logits, images.labels)
