from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def two_classes(
    confidences: Sequence[float] | NDArray[np.float64], correct: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities of class 0, and labels that make the answers right or wrong."""
    first = np.array(confidences, dtype=np.float64)
    labels = np.where(np.array(correct), 0, 1).astype(np.int64)
    return np.stack((first, 1 - first), axis=1), labels
