"""How good predictions are, how far their confidence can be trusted, and where to cut."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]

CALIBRATION_BINS = 15
TEMPERATURES = (0.25, 4.0)
# How many images the prior belief in the temperature weighs, about; few images move it little.
TEMPERATURE_PRIOR = 2.0
# The calibrated confidence counts like this many observed images in a precision's estimate.
PRECISION_PRIOR = 50


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
    """Return the mean gap, 0 to 1, between confidence and accuracy over bins of confidence.

    Bins are of equal width; each weighs as many images as it has. After Guo et al., 2017.
    """
    confidence, correct = _confidence(probabilities, labels)
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    differences = np.bincount(place, weights=confidence - correct, minlength=bins)
    return float(np.abs(differences).sum() / len(labels))


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Return the temperature under which these held-out logits are likeliest.

    A weak belief in 1 keeps it sane where images are few or all are right, when the
    likelihood alone would ask for ever greater confidence.
    """

    def cost(log_temperature: float) -> float:
        probabilities = softmax(logits, math.exp(log_temperature))
        likelihood = np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).sum()
        return float(TEMPERATURE_PRIOR * log_temperature**2 / 2 - likelihood)

    lowest, highest = map(math.log, TEMPERATURES)
    grid: list[float] = np.linspace(lowest, highest, num=561).tolist()
    return math.exp(min(grid, key=cost))


def at_threshold(probabilities: Floats, labels: Labels, threshold: float) -> Operating:
    """Return what `confidence >= threshold` accepts, and how often wrongly."""
    confidence, correct = _confidence(probabilities, labels)
    covered = confidence >= threshold
    return Operating(
        threshold, len(labels), int(covered.sum()), int(covered.sum() - correct[covered].sum())
    )


def choose_threshold(probabilities: Floats, labels: Labels, target: float) -> Operating:
    """Return the lowest threshold whose estimated precision is at least the target.

    A plain share of few images is overconfident: 60 of 60 right may well be 97 %. The
    estimate therefore mixes the images observed at or above the threshold with their mean
    calibrated confidence, which counts as PRECISION_PRIOR images more. Where no threshold
    reaches the target the answer is 1, which only a probability of exactly 1 gets past.
    """
    confidence, correct = _confidence(probabilities, labels)
    order = np.argsort(-confidence, kind="stable")
    confidence, correct = confidence[order], correct[order]
    count = np.arange(1, len(order) + 1)
    expected = np.cumsum(confidence) / count
    estimate = (np.cumsum(correct) + PRECISION_PRIOR * expected) / (count + PRECISION_PRIOR)
    # Equal confidences are accepted together, so only the last of them is a place to cut.
    last = np.append(confidence[1:] < confidence[:-1], True)
    reached = np.flatnonzero((estimate >= target) & last)
    threshold = math.floor(float(confidence[reached[-1]]) * 1e4) / 1e4 if len(reached) else 1.0
    return at_threshold(probabilities, labels, threshold)


def _confidence(probabilities: Floats, labels: Labels) -> tuple[Floats, Floats]:
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == labels).astype(np.float64)


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
