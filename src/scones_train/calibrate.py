"""Temperature and threshold from predictions on images that their network did not see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scones_train.evaluate import (
    Floats,
    Labels,
    Operating,
    choose_threshold,
    fit_temperature,
    softmax,
)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits float (N, classes) and the right labels int64 (N,) of unseen images."""

    logits: Floats
    labels: Labels


@dataclass(frozen=True, slots=True)
class Calibration:
    """The model's temperature, and the operating point on the images it was chosen by."""

    temperature: float
    operating: Operating
    n_validation: int
    n_out_of_fold: int

    def counts(self) -> dict[str, int]:
        """Return how many images the threshold rests on, and how it did on them."""
        return {
            "n_validation": self.n_validation,
            "n_out_of_fold": self.n_out_of_fold,
            "n_calibration": self.operating.images,
            "n_calibration_at_threshold": self.operating.covered,
            "n_calibration_errors_at_threshold": self.operating.errors,
        }


def calibrate(validation: Predictions, folded: Predictions | None, target: float) -> Calibration:
    """Return the temperature and the threshold for a target precision.

    `validation` are predictions of the final network; its temperature fits these alone.
    `folded` are predictions of shorter trainings for images they held out. Under a temperature
    of their own they add to the images that the threshold rests on, which a hundred validation
    images alone leave to chance. Those networks are less sure and err more often, so they
    tend to a higher threshold than the final network would need.
    """
    temperature = fit_temperature(validation.logits, validation.labels)
    probabilities: NDArray[np.float64] = softmax(validation.logits, temperature)
    labels = validation.labels
    if folded is not None:
        theirs = softmax(folded.logits, fit_temperature(folded.logits, folded.labels))
        probabilities = np.concatenate((probabilities, theirs))
        labels = np.concatenate((labels, folded.labels))
    return Calibration(
        temperature,
        choose_threshold(probabilities, labels, target),
        len(validation.labels),
        0 if folded is None else len(folded.labels),
    )
