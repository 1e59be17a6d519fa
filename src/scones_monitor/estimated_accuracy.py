"""The accuracy to be expected where nobody has labelled: from the confidences alone."""

import numpy as np
from numpy.typing import ArrayLike

from scones_monitor.statistics import Estimate, Interval

_DRAWS = 1_000
# The resolution at which confidences are drawn again: a thousandth.
_CELLS = 1_000


def estimated_accuracy(confidences: ArrayLike, seed: int = 0) -> Estimate | None:
    """Return the accuracy to be expected of answers of these confidences; None of none.

    CBPE, confidence-based performance estimation: calibrated, a confidence is the probability that
    its answer is right, so that their mean is the expected accuracy. The interval is a bootstrap's,
    1,000 draws, of the images and of whether each is right. It holds for images like those that
    the calibration saw: drift makes it too high.
    https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html
    """
    values = np.clip(np.asarray(confidences, dtype=np.float64), 0, 1)
    if not len(values):
        return None
    cells = np.minimum((values * _CELLS).astype(np.int64), _CELLS - 1)
    counts = np.bincount(cells, minlength=_CELLS)
    filled = np.flatnonzero(counts)
    counts, sums = counts[filled], np.bincount(cells, values, _CELLS)[filled]
    means = np.clip(sums / counts, 0, 1)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(values), counts / len(values), size=_DRAWS)
    right = rng.binomial(drawn, means).sum(axis=1) / len(values)
    low, high = np.percentile(right, (2.5, 97.5))
    return Estimate(float(values.mean()), Interval(float(low), float(high)), len(values))
