"""An online detector of drift: image by image, with a stated expected run time.

Each quantity is turned into a normal score by its rank in the reference. For each of several
window lengths w, the sum S of the last w scores is divided by its standard deviation without
drift, sqrt(w + w * w / n), in which the second term is what a reference of n images does not
know. The detector alarms where the largest of these values, over windows and quantities, passes
a threshold (a scan statistic; cf. Siegmund and Venkatraman 1995). Ranks have the same
distribution whatever the quantity's, so that the thresholds were simulated once, for any data:
`benchmarks/drift.py --thresholds` prints them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MonitorError
from scones_monitor.drift.samples import Sample, Values
from scones_monitor.drift.two_sample_tests import own_figures

WINDOWS = (5, 10, 20, 50, 100, 200)
"""Lengths in images: the short ones find a strong drift soon, the long ones a slight one."""

MIN_REFERENCE = 100
"""The fewest images of a reference that the thresholds hold for."""

EXPECTED_RUN_TIME = 10_000
"""Images between two false alarms, on average."""

# Mean run time in images of one quantity, by threshold: the smallest of references of 100 to
# 5,000 images, 20 million images each.
_RUN_TIMES = (
    (3.6, 2_290),
    (4.0, 9_180),
    (4.4, 46_200),
    (4.6, 103_000),
    (4.8, 244_000),
    (5.0, 690_000),
    (5.2, 2_000_000),
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Where the detector alarmed.

    `image` is the number of the image, from 0, since the detector began; `name` the quantity,
    `window` the length in images that passed the threshold, `score` its value there and
    `rises` whether the quantity is larger than in the reference.
    """

    image: int
    name: str
    window: int
    score: float
    rises: bool


def threshold_for(quantities: int, expected_run_time: float = EXPECTED_RUN_TIME) -> float:
    """Return the threshold at which so many quantities together alarm once in a run time.

    The run time of each is the common one times their number, as if they were independent;
    quantities that go together alarm less often. Between the simulated values the threshold is
    linear in the logarithm. Raises ValueError for a run time out of the simulated range.
    """
    wanted = expected_run_time * quantities
    (_, shortest), (_, longest) = _RUN_TIMES[0], _RUN_TIMES[-1]
    if not shortest <= wanted <= longest:
        raise ValueError(
            f"the run time of {quantities} quantities must be from {shortest / quantities:,.0f} "
            f"to {longest / quantities:,.0f} images, not {expected_run_time:,.0f}"
        )
    logs = [math.log(run_time) for _, run_time in _RUN_TIMES]
    return float(np.interp(math.log(wanted), logs, [threshold for threshold, _ in _RUN_TIMES]))


def possible_run_time(reference: Sample, run_time: float) -> float:
    """Return the run time that a detector with this reference can have, as near as there is one."""
    quantities = len(_quantities(reference, reference))
    shortest, longest = _RUN_TIMES[0][1] / quantities, _RUN_TIMES[-1][1] / quantities
    # What is divided and multiplied again may be a rounding error beyond the end.
    return min(max(run_time, shortest * (1 + 1e-9)), longest * (1 - 1e-9))


class OnlineDetector:
    """Alarms on the images of one endpoint, given in the order of their time.

    `reference` has MIN_REFERENCE images or more of the time without drift, MonitorError
    otherwise. The images must be independent of each other; several frames of one vehicle raise
    more false alarms than stated.
    """

    def __init__(self, reference: Sample, *, expected_run_time: float = EXPECTED_RUN_TIME) -> None:
        if len(reference) < MIN_REFERENCE:
            raise MonitorError(
                f"The reference has {len(reference)} images; an online detector needs "
                f"{MIN_REFERENCE} or more."
            )
        self._references = {
            name: np.sort(values[~np.isnan(values)])
            for name, values in _quantities(reference, reference).items()
        }
        self._reference = reference
        self.threshold = threshold_for(len(self._references), expected_run_time)
        self._seen = 0
        self._held: dict[str, Values] = {name: np.empty(0) for name in self._references}

    def update(self, images: Sample) -> Alarm | None:
        """Return the first alarm among further images, None where there is none.

        After an alarm the windows begin empty, and the images behind it are not looked at: call
        `update` with these, or with a new reference's detector. A value that is not known
        leaves the windows of its quantity as they were.
        """
        found: Alarm | None = None
        scores: dict[str, Values] = {}
        for name, values in _quantities(images, self._reference).items():
            if name not in self._references:
                continue
            reference = self._references[name]
            known = np.flatnonzero(~np.isnan(values))
            scores[name] = normal_scores(values[known], reference)
            alarm = self._scan(name, scores[name], known, len(reference))
            if alarm is not None and (found is None or alarm.image < found.image):
                found = alarm
        if found is not None:
            self._seen = found.image + 1
            self._held = {name: np.empty(0) for name in self._references}
            return found
        self._seen += len(images)
        for name, values in scores.items():
            self._held[name] = np.concatenate([self._held[name], values])[-max(WINDOWS) :]
        return None

    def _scan(
        self, name: str, scores: Values, places: NDArray[np.integer], reference: int
    ) -> Alarm | None:
        held = self._held[name]
        sums = np.concatenate([[0.0], np.concatenate([held, scores]).cumsum()])
        first: tuple[int, int, float] | None = None
        for window in WINDOWS:
            if len(sums) <= window:
                break
            values = (sums[window:] - sums[:-window]) / math.sqrt(
                window + window * window / reference
            )
            # Windows that end before the new images were looked at before.
            values = values[max(0, len(held) - window + 1) :]
            over = np.flatnonzero(np.abs(values) > self.threshold)
            if len(over):
                place = int(over[0]) + max(0, window - 1 - len(held))
                if first is None or place < first[0]:
                    first = place, window, float(values[over[0]])
        if first is None:
            return None
        place, window, value = first
        return Alarm(self._seen + int(places[place]), name, window, abs(value), value > 0)


def normal_scores(values: Values, reference: Sequence[float] | Values) -> Values:
    """Return the normal score of each value's rank in a sorted reference.

    Of tied values the score is that of the middle rank, which makes alarms rarer.
    """
    from scipy.special import ndtri

    low = np.searchsorted(reference, values, side="left")
    high = np.searchsorted(reference, values, side="right")
    scores: Values = ndtri(((low + high) / 2 + 0.5) / (len(reference) + 1))
    return scores


def _quantities(sample: Sample, reference: Sample) -> Mapping[str, Values]:
    own, _ = own_figures(list(reference.probabilities), reference)
    return {
        "confidence": sample.confidences,
        **{
            f"probability of {label}": sample.probabilities[label]
            for label in own
            if label in sample.probabilities
        },
        **sample.inputs,
    }
