"""Onset of a drift: the online detector over the images of a period.

`compare` says whether a period differs as a whole. The detector goes through the same images in
the order of their time, and says at which of them it had seen enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from scones_monitor.drift.online import MIN_REFERENCE, OnlineDetector, possible_run_time
from scones_monitor.drift.samples import Sample, Values
from scones_monitor.drift.two_sample_tests import ALPHA


@dataclass(frozen=True, slots=True)
class Onset:
    """Where the online detector alarmed first.

    `since` is the time of the first image of the window that passed the threshold, `image` the
    number, from 1, of its last one among `images`; `name` the quantity, and `rises` whether it is
    larger than in the reference.
    """

    since: datetime
    image: int
    images: int
    name: str
    rises: bool

    def __str__(self) -> str:
        change = "higher" if self.rises else "lower"
        return (
            f"{self.name} {change} since about {self.since:%d %b %H:%M} UTC, found at image "
            f"{self.image:,} of {self.images:,}"
        )


def find_onset(reference: Sample, current: Sample, times: Sequence[datetime]) -> Onset | None:
    """Return the first alarm in a period; None without one, and of too small a reference.

    `times` are those of the current images, which need not be in order. The run time is so many
    images that about a share ALPHA of periods without drift has an alarm; of more than some
    10,000 images the longest that was simulated, so that the share is larger.
    """
    reference = _known(reference)
    if len(reference) < MIN_REFERENCE or not len(current):
        return None
    order = np.argsort(np.array([time.timestamp() for time in times]), kind="stable")
    run_time = possible_run_time(reference, len(current) / ALPHA)
    alarm = OnlineDetector(reference, expected_run_time=run_time).update(current.rows(order))
    if alarm is None:
        return None
    first = max(0, alarm.image - alarm.window + 1)
    return Onset(
        since=times[int(order[first])],
        image=alarm.image + 1,
        images=len(current),
        name=alarm.name,
        rises=alarm.rises,
    )


def _known(sample: Sample) -> Sample:
    """Return the sample without the quantities that too few of its images have."""

    def enough(found: Mapping[str, Values]) -> dict[str, Values]:
        return {
            name: values
            for name, values in found.items()
            if np.count_nonzero(~np.isnan(values)) >= MIN_REFERENCE
        }

    return Sample(
        answers=sample.answers,
        confidences=sample.confidences,
        probabilities=enough(sample.probabilities),
        inputs=enough(sample.inputs),
    )
