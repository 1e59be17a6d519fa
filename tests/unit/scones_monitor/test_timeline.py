from datetime import UTC, datetime, timedelta

import numpy as np

from scones_monitor.timeline import counts_of, days_without, longest_gap, timeline

START = datetime(2026, 11, 20, tzinfo=UTC)


def seconds(*hours: float) -> np.ndarray:
    return np.array([START.timestamp() + hour * 3600 for hour in hours], np.uint32)


def test_bins_hold_every_record_of_the_period() -> None:
    times = seconds(0, 0.5, 30, 47.9)
    confidence = np.array([0.9, 0.99, 0.5, 0.97], np.float32)

    line = timeline(
        times, confidence, confidence >= np.float32(0.97), START, START + timedelta(days=2)
    )

    assert (line.count.sum(), line.below.sum()) == (4, 2)
    assert line.step == timedelta(minutes=30)
    assert (line.start, line.count[0], line.p50[0]) == (START, 1, np.float32(0.9))
    assert np.isnan(line.p50[2])


def test_a_single_record_has_a_timeline() -> None:
    line = timeline(seconds(1), np.array([0.8], np.float32), np.array([False]), START, START)

    assert (line.count.sum(), line.p5[line.count > 0].tolist()) == (1, [np.float32(0.8)])


def test_no_record_has_a_timeline_of_nothing() -> None:
    none = np.empty(0)

    line = timeline(
        none.astype(np.uint32), none.astype(np.float32), none > 0, START, START + timedelta(days=1)
    )

    assert line.count.sum() == 0
    assert np.isnan(line.p50).all()


def test_the_percentiles_of_a_bin_are_its_own() -> None:
    times = np.concatenate([seconds(*[0.1] * 101), seconds(*[40] * 101)])
    low = np.linspace(0.5, 0.6, 101)

    line = timeline(
        times, np.concatenate([low, low + 0.3]).astype(np.float32), np.arange(202) > 100, START,
        START + timedelta(days=2),
    )  # fmt: skip

    known = ~np.isnan(line.p50)
    assert np.allclose(line.p50[known], [0.55, 0.85], atol=1e-6)
    assert np.allclose(line.p5[known], [0.505, 0.805], atol=1e-6)


def test_whole_days_without_records_are_named() -> None:
    times = seconds(5, 60)

    found = days_without(times, START, START + timedelta(days=4))

    assert [day.day for day in found] == [21, 23]


def test_the_longest_gap_lies_between_two_records() -> None:
    assert longest_gap(seconds(1, 2, 9, 10)) == (
        START + timedelta(hours=2),
        START + timedelta(hours=9),
    )
    assert longest_gap(seconds(1)) is None
    assert longest_gap(seconds(1, 1)) is None


def test_timed_values_are_summed_by_bin_and_others_left_out() -> None:
    line = timeline(
        seconds(0), np.ones(1, np.float32), np.array([True]), START, START + timedelta(hours=1)
    )

    values = [(START, 2.0), (START, 3.0), (START - timedelta(days=9), 99.0)]

    assert (counts_of(values, line)[0], counts_of(values, line).sum()) == (5, 5)
