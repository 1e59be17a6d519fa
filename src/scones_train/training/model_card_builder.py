"""The model card that a training leaves."""

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from scones_core.model_card import ModelCard
from scones_train.channels import Normalisation
from scones_train.evaluation.calibration import Calibration
from scones_train.evaluation.metrics import confusion_matrix, summarise
from scones_train.training.hyperparameters import Hyperparameters

RANDOM = {"weights": "random"}


def build_model_card(
    settings: Hyperparameters,
    normalisation: Normalisation,
    calibration: Calibration,
    image: Mapping[str, int],
    *,
    reason: str,
    origin: Mapping[str, str],
) -> ModelCard:
    """Return the card of a model, without its metrics yet.

    `image` is the images' height, width and number of channels, 1 or 3; `reason` says why the
    recipe was taken, `origin` what the weights began as.
    """
    recipe = asdict(settings)
    return ModelCard(
        labels=settings.classes,
        image=dict(image),
        normalisation=asdict(normalisation),
        temperature=round(calibration.temperature, 6),
        threshold=calibration.operating.threshold,
        target_precision=recipe.pop("target_precision"),
        metrics={},
        confusion_matrix=(),
        dataset_version=recipe.pop("dataset_version"),
        manifest_sha256=recipe.pop("manifest_sha256"),
        origin=dict(origin),
        settings={**recipe, "recipe_reason": reason, **_images_used(settings)},
    )


def with_metrics(
    card: ModelCard,
    calibration: Calibration,
    answers: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_train: int,
) -> ModelCard:
    """Return the card with the metrics of its own graph's answers to the test images."""
    return replace(
        card,
        confusion_matrix=confusion_matrix(answers, labels),
        metrics={
            **summarise(answers, labels, card.threshold),
            "n_train": n_train,
            **calibration.figures(),
        },
    )


def _images_used(settings: Hyperparameters) -> dict[str, str | list[str]]:
    """Return which images the network was trained on, and which predictions calibrated it."""
    if not settings.folds:
        return {"trained_on": ["train"], "calibrated_on": "predictions for validation"}
    return {
        "trained_on": ["train", "validation"],
        "calibrated_on": f"out-of-fold predictions of {settings.folds} other networks",
    }
