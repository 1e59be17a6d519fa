"""Calibration: temperature and threshold, chosen from out-of-fold predictions."""

import math
from dataclasses import dataclass

import numpy as np

from scones_train.evaluation.metrics import (
    Floats,
    Labels,
    Operating,
    accuracy,
    at_threshold,
    confidence_and_correct,
    softmax,
)
from scones_train.evaluation.reliability import Bin, reliability

TEMPERATURES = (0.25, 4.0)
# How many images the prior belief in the temperature weighs, about; few images move it little.
TEMPERATURE_PRIOR = 2.0
# The calibrated confidence counts like this many observed images in a precision's estimate.
PRECISION_PRIOR = 50


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits float (N, classes) and the right labels int64 (N,) of unseen images."""

    logits: Floats
    labels: Labels


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, the operating point and the reliability on the images it was chosen by."""

    temperature: float
    operating: Operating
    accuracy: float
    bins: tuple[Bin, ...]

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1."""
        differences = sum(each.images * abs(each.confidence - each.accuracy) for each in self.bins)
        return differences / self.operating.images

    def figures(self) -> dict[str, float]:
        """Return how many images the calibration rests on, and how it did on them."""
        return {
            "n_calibration": self.operating.images,
            "n_calibration_at_threshold": self.operating.covered,
            "n_calibration_errors_at_threshold": self.operating.errors,
            "calibration_accuracy": self.accuracy,
            "calibration_error": self.error,
            "calibration_precision_at_threshold": self.operating.precision,
            "calibration_coverage_at_threshold": self.operating.coverage,
        }


def calibrate(out_of_fold: Predictions, target: float) -> Calibration:
    """Return the temperature and the threshold for a target precision.

    Predictions of several networks are pooled: what a hundred images say of the few mistakes
    among the surest answers is left to chance, what a thousand say is not.
    """
    temperature = fit_temperature(out_of_fold.logits, out_of_fold.labels)
    probabilities = softmax(out_of_fold.logits, temperature)
    return Calibration(
        temperature,
        choose_threshold(probabilities, out_of_fold.labels, target),
        accuracy(probabilities, out_of_fold.labels),
        reliability(probabilities, out_of_fold.labels),
    )


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


def choose_threshold(probabilities: Floats, labels: Labels, target: float) -> Operating:
    """Return the lowest threshold whose estimated precision is at least the target.

    A plain share of few images is overconfident: 60 of 60 right may well be 97 %. The
    estimate therefore mixes the images observed at or above the threshold with their mean
    calibrated confidence, which counts as PRECISION_PRIOR images more. Where no threshold
    reaches the target the answer is 1, which only a probability of exactly 1 gets past.
    """
    confidence, correct = confidence_and_correct(probabilities, labels)
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
