"""Temperature and threshold from predictions on images that their network did not see."""

from dataclasses import dataclass

from scones_train.evaluation.metrics import (
    Floats,
    Labels,
    Operating,
    accuracy,
    choose_threshold,
    fit_temperature,
    softmax,
)
from scones_train.evaluation.reliability import Bin, reliability


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


def calibrate(unseen: Predictions, target: float) -> Calibration:
    """Return the temperature and the threshold for a target precision.

    Predictions of several networks are pooled: what a hundred images say of the few mistakes
    among the surest answers is left to chance, what a thousand say is not.
    """
    temperature = fit_temperature(unseen.logits, unseen.labels)
    probabilities = softmax(unseen.logits, temperature)
    return Calibration(
        temperature,
        choose_threshold(probabilities, unseen.labels, target),
        accuracy(probabilities, unseen.labels),
        reliability(probabilities, unseen.labels),
    )
