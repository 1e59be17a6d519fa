"""A network of all images, and one for each fold whose predictions calibrate it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from scones_train.channels import Normalisation
from scones_train.evaluation.calibration import Predictions
from scones_train.model.classifier import Classifier
from scones_train.training.checkpoint import Checkpoint, Checkpoints
from scones_train.training.device import device_of
from scones_train.training.fit import TrainingCallbacks, count_steps
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.parallel import run_parallel, stoppable

# What a fold that is done keeps.
LOGITS = "logits"
Rows = NDArray[np.int64]


class Trainer(Protocol):
    """A recipe on the images of one job: trains on some of their rows, predicts others."""

    @property
    def normalisation(self) -> Normalisation:
        """What images are normalised by."""

    @property
    def preparation_steps(self) -> int:
        """How many steps `prepare` reports."""

    def prepare(self, callbacks: TrainingCallbacks) -> None:
        """Do what all trainings share."""

    def fit(
        self, rows: Rows, callbacks: TrainingCallbacks, checkpoint: Checkpoint, /
    ) -> Classifier:
        """Return a network trained on these rows, in evaluation mode."""

    def predict(self, network: Classifier, rows: Rows, /) -> NDArray[np.float32]:
        """Return float32 logits (rows, classes), as the finished network answers."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network of all images, and out-of-fold predictions for them; None without folds."""

    network: Classifier
    normalisation: Normalisation
    predictions: Predictions | None


def train(
    trainer: Trainer,
    labels: Rows,
    settings: Hyperparameters,
    callbacks: TrainingCallbacks,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Return the network of all images, and a prediction of each by one that did not see it.

    The predictions are those of `folds` networks, each trained by the same recipe on all images
    but its share. The trainings run in parallel on a CPU. An exception ends all of them before
    it is raised. With checkpoints, each training resumes where it was.
    """
    kept = checkpoints or Checkpoints()
    held_out = fold_rows(labels, settings)
    trainer.prepare(callbacks)
    every = np.arange(len(labels), dtype=np.int64)
    network: list[Classifier] = []

    def final(stop: Event) -> NDArray[np.float32]:
        own = replace(callbacks, on_step=stoppable(callbacks.on_step, stop))
        network.append(trainer.fit(every, own, kept.named("final")))
        return np.empty(0, dtype=np.float32)

    jobs: list[Callable[[Event], NDArray[np.float32]]] = [
        final,
        *(
            partial(
                _fold,
                trainer,
                labels,
                rows,
                settings,
                callbacks=callbacks,
                checkpoint=kept.named(f"fold-{number}"),
            )
            for number, rows in enumerate(held_out, start=1)
        ),
    ]
    # Several trainings on one GPU take turns anyway.
    found = run_parallel(jobs, parallel=device_of(settings.device).type == "cpu")
    predictions = _gathered(labels, held_out, found[1:])
    return Trained(network[0], trainer.normalisation, predictions)


def fold_rows(labels: Rows, settings: Hyperparameters) -> list[Rows]:
    """Return the rows that each fold holds out: every row once, classes in equal shares."""
    random = np.random.default_rng(settings.seed)
    order = random.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    return [by_class[first :: settings.folds] for first in range(settings.folds)]


def total_steps(images: int, settings: Hyperparameters) -> int:
    """Return how many steps all trainings take together, for a number of images."""
    shares = [len(range(first, images, settings.folds)) for first in range(settings.folds)]
    final = count_steps(images, settings)
    return final + sum(count_steps(images - share, settings) for share in shares)


def _fold(
    trainer: Trainer,
    labels: Rows,
    held_out: Rows,
    settings: Hyperparameters,
    stop: Event,
    *,
    callbacks: TrainingCallbacks,
    checkpoint: Checkpoint,
) -> NDArray[np.float32]:
    """Return the logits (held out, classes) by a network of the other images."""
    rows = np.setdiff1d(np.arange(len(labels), dtype=np.int64), held_out)
    own = TrainingCallbacks(
        on_step=stoppable(callbacks.on_step, stop), on_resume=callbacks.on_resume
    )
    state = checkpoint.load()
    if state is not None and LOGITS in state:
        kept, shape = state[LOGITS], (len(held_out), len(settings.classes))
        if not isinstance(kept, torch.Tensor) or kept.shape != shape or not kept.isfinite().all():
            raise checkpoint.foreign(f"its logits are not {shape} numbers")
        logits: NDArray[np.float32] = kept.numpy()
        callbacks.on_resume(count_steps(len(rows), settings))
    else:
        network = trainer.fit(rows, own, checkpoint)
        logits = trainer.predict(network, held_out)
        checkpoint.save({LOGITS: torch.from_numpy(logits)})
    callbacks.on_fold(float((logits.argmax(axis=1) == labels[held_out]).mean()))
    return logits


def _gathered(
    labels: Rows, held_out: Sequence[Rows], folds: Sequence[NDArray[np.float32]]
) -> Predictions | None:
    """Return the out-of-fold predictions in the order of the images; None without folds."""
    if not folds:
        return None
    logits = np.empty((len(labels), folds[0].shape[1]), dtype=np.float32)
    for rows, fold in zip(held_out, folds, strict=True):
        logits[rows] = fold
    return Predictions(logits, labels)
