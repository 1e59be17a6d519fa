import numpy as np
import pytest

from scones_monitor import statistics


def test_an_interval_of_a_proportion_stays_within_its_bounds() -> None:
    assert statistics.wilson_interval(0, 10).low == 0
    assert statistics.wilson_interval(10, 10).high == 1
    low, high = statistics.wilson_interval(190, 200)
    assert (low, high) == (pytest.approx(0.910, abs=1e-3), pytest.approx(0.973, abs=1e-3))


def test_a_share_of_nothing_is_unknown() -> None:
    found = statistics.share(np.zeros(0, np.bool_))
    assert (found.value, found.interval, found.total) == (None, None, 0)


def test_reliability_counts_the_right_answers_of_each_range() -> None:
    right = np.array([True, False, True, True])

    found = statistics.reliability([0.51, 0.55, 0.93, 1.0], right)

    assert [(b.right.hits, b.right.total) for b in found] == [(1, 2), (2, 2)]
    assert found[0].confidence == pytest.approx(0.53)


def test_confusion_counts_by_truth_and_answer() -> None:
    found = statistics.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)

    assert found.tolist() == [[1, 1], [0, 1]]


def test_percentiles_of_nothing_are_none_and_of_one_value_that_value() -> None:
    assert statistics.percentiles([]) == {}
    assert set(statistics.percentiles([0.7]).values()) == {0.7}


def test_entropy_is_0_for_a_certain_answer_and_1_bit_for_an_even_one_of_two() -> None:
    assert statistics.entropy((1.0, 0.0)) == 0
    assert statistics.entropy((0.5, 0.5)) == 1


def test_the_last_bin_holds_its_upper_edge() -> None:
    assert statistics.histogram([0.0, 0.5, 1.0], [0.0, 0.5, 1.0]) == [1, 2]


def test_a_difference_has_the_width_of_both_intervals() -> None:
    one, other = (
        statistics.Estimate(value, statistics.wilson_interval(round(100 * value), 100), 100)
        for value in (0.9, 0.8)
    )
    found = statistics.difference(one, other)
    assert (found.value, found.n) == (pytest.approx(0.1), 200)
    # Newcombe 1998, method 10, of 90 and 80 in 100.
    assert found.interval.low == pytest.approx(0.0001, abs=3e-4)
    assert found.interval.high == pytest.approx(0.1995, abs=5e-4)
    assert statistics.difference(other, one).interval.high == -found.interval.low


def test_a_mean_lies_in_an_interval_that_shrinks_with_the_number() -> None:
    rng = np.random.default_rng(0)
    few, many = (statistics.mean(rng.uniform(0.5, 1, n)) for n in (20, 2_000))
    assert few is not None
    assert many is not None
    widths = [found.interval.high - found.interval.low for found in (few, many)]
    assert widths[0] > 5 * widths[1]
    assert statistics.mean([]) is None
    assert statistics.mean([0.5]) == (0.5, (0.5, 0.5), 1)
