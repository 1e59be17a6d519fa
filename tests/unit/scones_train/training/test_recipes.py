from typing import Any

import numpy as np
import pytest

from scones_core.errors import TrainingError
from scones_train.channels import ImageSet
from scones_train.model.weights import ARCHITECTURES, Weights
from scones_train.training.hyperparameters import Hyperparameters
from scones_train.training.recipes import Choice, choose_recipe

WEIGHTS = Weights(ARCHITECTURES[0], {}, {})


def images(count: int = 40, *, grey: bool = False) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    if grey:
        pixels[:] = pixels[..., :1]
    return ImageSet(pixels, np.arange(count, dtype=np.int64) % 2)


def choose(
    shown: ImageSet,
    given: Weights | None = None,
    packaged: Weights | None = WEIGHTS,
    **settings: Any,
) -> Choice:
    return choose_recipe(Hyperparameters(**settings), shown, given, lambda: packaged)


@pytest.mark.parametrize(
    ("asked", "grey", "weights", "recipe", "reason"),
    [
        ("auto", False, (None, WEIGHTS), "pretrained", "colours"),
        ("auto", True, (None, WEIGHTS), "scratch", "grey"),
        ("auto", False, (None, None), "scratch", "not installed"),
        ("auto", True, (WEIGHTS, None), "pretrained", "were given"),
        ("pretrained", True, (None, WEIGHTS), "pretrained", "was set"),
        ("scratch", False, (None, WEIGHTS), "scratch", "was set"),
    ],
)
def test_the_recipe_is_chosen_by_images_and_weights(
    asked: str, grey: bool, weights: tuple[Weights | None, Weights | None], recipe: str, reason: str
) -> None:
    choice = choose(images(grey=grey), *weights, recipe=asked)
    assert choice.settings.recipe == recipe
    assert reason in choice.reason
    assert (choice.weights is not None) == (recipe == "pretrained")


@pytest.mark.parametrize(
    ("asked", "given", "named"),
    [("pretrained", None, "needs weights"), ("scratch", WEIGHTS, "no weights")],
)
def test_a_recipe_that_does_not_fit_its_weights_is_refused(
    asked: str, given: Weights | None, named: str
) -> None:
    with pytest.raises(TrainingError, match=named):
        choose(images(), given, None, recipe=asked)


@pytest.mark.parametrize(
    ("settings", "epochs", "batch_size"),
    [
        ({}, 60, 32),
        ({"recipe": "scratch"}, 240, 64),
        ({"epochs": 3, "batch_size": 16}, 3, 16),
        ({"batch_size": 20, "max_steps": 8}, 4, 20),
        ({"batch_size": 4, "max_steps": 3}, 1, 4),
        ({"batch_size": 4, "max_steps": 1000}, 8, 4),
    ],
)
def test_what_is_left_open_is_the_recipes_own(
    settings: dict[str, Any], epochs: int, batch_size: int
) -> None:
    found = choose(images(), **settings).settings
    assert (found.epochs, found.batch_size) == (epochs, batch_size)


@pytest.mark.parametrize(
    ("recipe", "count", "epochs"),
    [
        ("scratch", 200, 80),
        ("scratch", 800, 20),
        ("scratch", 5000, 20),
        ("pretrained", 60, 60),
        ("pretrained", 1000, 8),
    ],
)
def test_few_images_are_seen_more_often_so_that_there_are_steps_to_learn_in(
    recipe: str, count: int, epochs: int
) -> None:
    assert choose(images(count), recipe=recipe).settings.epochs == epochs


def test_given_epochs_are_kept_however_few_images_there_are() -> None:
    assert choose(images(), recipe="scratch", epochs=3).settings.epochs == 3
