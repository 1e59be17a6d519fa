"""The model card that a training leaves."""

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from scones_core.model_card import ModelCard
from scones_train.data import ImageSet, Normalisation
from scones_train.evaluation.calibration import Calibration
from scones_train.evaluation.metrics import confusion_matrix, summarise
from scones_train.training.hyperparameters import Hyperparameters


def card_of(
    settings: Hyperparameters,
    normalisation: Normalisation,
    calibration: Calibration,
    images: ImageSet,
) -> ModelCard:
    """Return the card of a model, without its figures yet."""
    height, width = images.size
    recipe = asdict(settings)
    return ModelCard(
        labels=settings.classes,
        image={"height": height, "width": width, "channels": 1 if images.grey else 3},
        normalisation=asdict(normalisation),
        temperature=round(calibration.temperature, 6),
        threshold=calibration.operating.threshold,
        target_precision=recipe.pop("target_precision"),
        metrics={},
        confusion_matrix=(),
        dataset_version=recipe.pop("dataset_version"),
        manifest_sha256=recipe.pop("manifest_sha256"),
        settings={**recipe, **_basis(settings)},
    )


def judged(
    card: ModelCard,
    calibration: Calibration,
    answers: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_train: int,
) -> ModelCard:
    """Return the card with the figures of its own graph's answers to the test images."""
    return replace(
        card,
        confusion_matrix=confusion_matrix(answers, labels),
        metrics={
            **summarise(answers, labels, card.threshold),
            "n_train": n_train,
            **calibration.figures(),
        },
    )


def _basis(settings: Hyperparameters) -> dict[str, str | list[str]]:
    """Return which images taught the network, and whose predictions calibrated it."""
    if not settings.folds:
        return {"trained_on": ["train"], "calibrated_on": "predictions for validation"}
    networks = f"{settings.folds} other" if settings.one_network else f"the {settings.folds}"
    machines = not settings.backbone and (settings.shape or settings.texture)
    without = ", and of the kernel machines without each image" if machines else ""
    return {
        "trained_on": ["train", "validation"],
        "calibrated_on": f"predictions of {networks} networks, each for the share of train and "
        f"validation that it was trained without{without}",
    }
