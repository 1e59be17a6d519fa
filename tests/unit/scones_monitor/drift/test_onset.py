from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from scones_monitor.drift.online import (
    EXPECTED_RUN_TIME,
    MIN_REFERENCE,
    OnlineDetector,
    possible_run_time,
)
from scones_monitor.drift.onset import Onset, find_onset
from scones_monitor.drift.samples import Sample, sample_of
from scones_monitor.drift.two_sample_tests import ALPHA

LABELS = ("bicycle", "motorcycle")
START = datetime(2026, 11, 20, tzinfo=UTC)


def stream(n: int, seed: int, light: float | Sequence[float] = 0.0) -> Sample:
    """Return images of this mean brightness, or each of its own."""
    rng = np.random.default_rng(seed)
    share = 1 / (1 + np.exp(-rng.normal(scale=4, size=n)))
    brightness = rng.normal(size=n) + np.asarray(light)
    return sample_of(LABELS, np.column_stack([1 - share, share]), {"brightness": brightness})


def times(n: int) -> list[datetime]:
    return [START + timedelta(minutes=i) for i in range(n)]


def test_the_beginning_of_a_drift_is_found_in_the_order_of_time() -> None:
    light = [0.0] * 150 + [-3.0] * 150
    current, order = stream(300, 2, light), np.random.default_rng(0).permutation(300)
    shuffled = [times(300)[i] for i in order]
    found = find_onset(stream(500, 1), current.rows(order), shuffled)
    assert found is not None
    assert (found.name, found.rises, found.images) == ("brightness", False, 300)
    assert 150 < found.image <= 160
    assert abs(found.since - times(300)[150]) <= timedelta(minutes=10)
    assert str(found).startswith("brightness lower since about 20 Nov 02:")


def test_about_one_of_twenty_periods_without_drift_has_an_onset() -> None:
    n = 200
    found = [find_onset(stream(300, s), stream(n, 1000 + s), times(n)) for s in range(200)]
    # Five standard deviations of the count above the stated share.
    most = 200 * ALPHA + 5 * (200 * ALPHA) ** 0.5
    assert sum(each is not None for each in found) < most


@pytest.mark.parametrize(("before", "now"), [(MIN_REFERENCE - 1, 50), (500, 0)])
def test_of_too_few_images_there_is_none(before: int, now: int) -> None:
    assert find_onset(stream(before, 1), stream(now, 2, -9), times(now)) is None


def test_a_quantity_that_the_reference_lacks_is_left_out() -> None:
    dark = stream(300, 1)
    unknown = Sample(
        answers=dark.answers,
        confidences=dark.confidences,
        probabilities=dark.probabilities,
        inputs={"brightness": np.full(300, np.nan)},
    )
    assert find_onset(unknown, stream(100, 2, -9), times(100)) is None


def test_as_many_images_as_nobody_simulated_have_the_longest_run_time() -> None:
    reference = stream(500, 1)
    longest = possible_run_time(reference, 1e12)
    assert longest > EXPECTED_RUN_TIME
    assert possible_run_time(reference, EXPECTED_RUN_TIME) == EXPECTED_RUN_TIME
    assert OnlineDetector(reference, expected_run_time=longest).threshold > 0
    assert possible_run_time(reference, 1) > 1


def test_an_onset_is_words() -> None:
    found = Onset(START, image=1_204, images=9_000, name="confidence", rises=False)
    assert str(found) == (
        "confidence lower since about 20 Nov 00:00 UTC, found at image 1,204 of 9,000"
    )
