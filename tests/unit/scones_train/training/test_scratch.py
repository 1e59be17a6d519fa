"""The small network on images that hardly anything can be learnt from."""

import numpy as np
import pytest

from scones_train.channels import ImageSet
from scones_train.training.checkpoint import Checkpoint
from scones_train.training.cross_validation import train
from scones_train.training.fit import TrainingCallbacks
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.scratch import FromScratch

SETTINGS = Hyperparameters(recipe="scratch", epochs=2, batch_size=4, folds=4)


def of_one_colour(*colours: tuple[int, int, int]) -> ImageSet:
    """Return 12 images of 16 pixels, of these colours in turn: the classes."""
    labels = np.arange(12, dtype=np.int64) % 2
    pixels = np.empty((12, 16, 16, 3), dtype=np.uint8)
    for index in range(2):
        pixels[labels == index] = colours[index % len(colours)]
    return ImageSet(pixels, labels)


@pytest.mark.parametrize("colours", [((200, 0, 0), (0, 0, 200)), ((9, 9, 9),), ((0, 0, 0),)])
def test_images_of_one_colour_give_finite_answers(
    colours: tuple[tuple[int, int, int], ...],
) -> None:
    images = of_one_colour(*colours)
    trainer = FromScratch(images, SETTINGS)
    every = np.arange(len(images), dtype=np.int64)
    network = trainer.fit(every, TrainingCallbacks(), Checkpoint())
    assert np.isfinite(trainer.predict(network, every)).all()


def test_a_class_of_two_images_is_trained_and_calibrated_on_with_four_folds() -> None:
    images = of_one_colour((200, 0, 0), (0, 0, 200))
    rare = images.rows(np.flatnonzero((images.labels == 0) | (np.arange(12) < 4)))
    assert np.bincount(rare.labels).tolist() == [6, 2]
    found = train(FromScratch(rare, SETTINGS), rare.labels, SETTINGS, TrainingCallbacks())
    assert found.predictions is not None
    assert found.predictions.logits.shape == (8, 2)
    assert np.isfinite(found.predictions.logits).all()
