"""Figures of predictions: accuracy, confusion, calibration error, what a threshold accepts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]

CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class Operating:
    """What a threshold gives: images at or above it, their share, and how many were right.

    `precision` is 0 where nothing is covered: no claim is made.
    """

    threshold: float
    images: int
    covered: int
    errors: int

    @property
    def coverage(self) -> float:
        """The share of images whose confidence reaches the threshold."""
        return self.covered / self.images if self.images else 0.0

    @property
    def precision(self) -> float:
        """The share of the covered images whose label is right."""
        return 1 - self.errors / self.covered if self.covered else 0.0


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return probabilities (N, classes) of logits (N, classes) divided by the temperature."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def confidence_and_correct(probabilities: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return, for each image, the likeliest class's probability, and 1 if it is right, else 0."""
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == labels).astype(np.float64)


def accuracy(probabilities: Floats, labels: Labels) -> float:
    """Return the share, 0 to 1, of images whose likeliest class is the right one."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def confusion_matrix(probabilities: Floats, labels: Labels) -> tuple[tuple[int, ...], ...]:
    """Return counts by [true class][likeliest class]."""
    classes = probabilities.shape[1]
    cells = labels * classes + probabilities.argmax(axis=1)
    counts = np.bincount(cells, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(int(count) for count in row) for row in counts)


def expected_calibration_error(
    probabilities: Floats, labels: Labels, bins: int = CALIBRATION_BINS
) -> float:
    """Return the mean difference, 0 to 1, between confidence and accuracy over bins of confidence.

    Bins are of equal width; each weighs as many images as it has. After Guo et al., 2017.
    """
    confidence, correct = confidence_and_correct(probabilities, labels)
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    differences = np.bincount(place, weights=confidence - correct, minlength=bins)
    return float(np.abs(differences).sum() / len(labels))


def at_threshold(probabilities: Floats, labels: Labels, threshold: float) -> Operating:
    """Return what `confidence >= threshold` accepts, and how often wrongly."""
    confidence, correct = confidence_and_correct(probabilities, labels)
    covered = confidence >= threshold
    return Operating(
        threshold, len(labels), int(covered.sum()), int(covered.sum() - correct[covered].sum())
    )


def summarise(probabilities: Floats, labels: Labels, threshold: float) -> dict[str, float]:
    """Return the figures of a test split under a threshold: shares from 0 to 1, counts `n_*`."""
    operating = at_threshold(probabilities, labels, threshold)
    return {
        "accuracy": accuracy(probabilities, labels),
        "n_test": len(labels),
        "precision_at_threshold": operating.precision,
        "coverage_at_threshold": operating.coverage,
        "n_at_threshold": operating.covered,
        "expected_calibration_error": expected_calibration_error(probabilities, labels),
    }
