import numpy as np


def two_classes(confidences, correct):
    """Probabilities of class 0, and labels that make the answers right or wrong."""
    first = np.array(confidences, dtype=np.float64)
    labels = np.where(np.array(correct), 0, 1).astype(np.int64)
    return np.stack((first, 1 - first), axis=1), labels
