import numpy as np
import pytest

from scones_core.errors import MonitorError
from scones_monitor.drift.online import (
    WINDOWS,
    OnlineDetector,
    normal_scores,
    threshold_for,
)
from scones_monitor.drift.samples import Sample, sample_of

LABELS = ("bicycle", "motorcycle")


def stream(n: int, seed: int, *, brightness: float = 0.0, grain: int | None = None) -> Sample:
    rng = np.random.default_rng(seed)
    logit = rng.normal(scale=4, size=n)
    exact = 1 / (1 + np.exp(-logit))
    light = rng.normal(brightness, size=n)
    if grain is not None:
        exact, light = exact.round(grain), light.round(grain)
    return sample_of(LABELS, np.column_stack([1 - exact, exact]), {"brightness": light})


def alarms(detector: OnlineDetector, images: Sample) -> int:
    """Return how often a detector alarms on a stream, restarted after each alarm."""
    count, start = 0, 0
    while start < len(images):
        alarm = detector.update(images.rows(slice(start, None)))
        if alarm is None:
            break
        count, start = count + 1, alarm.image + 1
    return count


# At one alarm in 5,000 images, 200,000 of them have 40; the seeds are fixed.
@pytest.mark.parametrize("grain", [None, 1])
def test_without_drift_alarms_are_as_rare_as_stated(grain: int | None) -> None:
    count = 0
    for seed in range(20):
        detector = OnlineDetector(stream(300, seed, grain=grain), expected_run_time=5_000)
        count += alarms(detector, stream(10_000, 100 + seed, grain=grain))
    assert count <= 55


def test_a_strong_drift_is_found_within_few_images() -> None:
    detector = OnlineDetector(stream(500, 0))
    assert detector.update(stream(300, 1)) is None
    alarm = detector.update(stream(100, 2, brightness=-2.5))
    assert alarm is not None
    assert (alarm.name, alarm.rises) == ("brightness", False)
    assert 300 < alarm.image < 315
    assert alarm.score > detector.threshold


def test_a_slight_drift_is_found_by_a_long_window() -> None:
    detector = OnlineDetector(stream(1_000, 0))
    alarm = detector.update(stream(2_000, 4, brightness=0.35))
    assert alarm is not None
    assert alarm.window >= 50
    assert alarm.rises


def test_images_one_by_one_alarm_where_they_do_in_one_go() -> None:
    reference, images = stream(200, 0), stream(120, 2, brightness=1.5)
    whole = OnlineDetector(reference).update(images)
    detector, single = OnlineDetector(reference), None
    for index in range(len(images)):
        single = detector.update(images.rows(slice(index, index + 1)))
        if single is not None:
            break
    assert whole is not None
    assert single is not None
    assert (whole.image, whole.name, whole.window) == (single.image, single.name, single.window)
    assert whole.score == pytest.approx(single.score)


def test_after_an_alarm_the_windows_begin_empty() -> None:
    detector = OnlineDetector(stream(200, 0))
    first = detector.update(stream(50, 1, brightness=4))
    assert first is not None
    assert detector.update(stream(WINDOWS[0] - 1, 1, brightness=4)) is None


def test_unknown_values_are_skipped() -> None:
    images = stream(40, 2, brightness=4)
    images.inputs["brightness"][::2] = np.nan
    alarm = OnlineDetector(stream(200, 0)).update(images)
    assert alarm is not None
    assert alarm.image % 2 == 1
    silent = stream(40, 2)
    silent.inputs["brightness"][:] = np.nan
    assert OnlineDetector(stream(200, 0)).update(silent) is None


def test_scores_are_those_of_the_ranks() -> None:
    scores = normal_scores(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    assert scores[0] == -scores[2]
    assert scores[1] == pytest.approx(0)


def test_more_quantities_and_longer_run_times_raise_the_threshold() -> None:
    assert threshold_for(1) < threshold_for(7) < threshold_for(7, 50_000)
    assert threshold_for(7) == pytest.approx(4.5, abs=0.05)
    with pytest.raises(ValueError, match="must be from"):
        threshold_for(1, 100)


def test_a_small_reference_is_refused_with_what_to_do() -> None:
    with pytest.raises(MonitorError, match="has 99 images; an online detector needs 100"):
        OnlineDetector(stream(99, 0))
