import numpy as np
import pytest

from scones_monitor.estimated_accuracy import estimated_accuracy


def test_the_estimated_accuracy_is_the_mean_confidence_with_an_interval() -> None:
    rng = np.random.default_rng(0)
    confidences = rng.uniform(0.5, 1, 2_000)

    found = estimated_accuracy(confidences)

    assert found is not None
    assert (found.value, found.n) == (pytest.approx(confidences.mean()), 2_000)
    assert found.interval.low < found.value < found.interval.high
    assert found.interval.high - found.interval.low < 0.05


def test_the_estimates_interval_holds_the_accuracy_of_calibrated_answers_19_times_in_20() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(100):
        confidences = rng.uniform(0.6, 1, 200)
        found = estimated_accuracy(confidences, seed)
        assert found is not None
        accuracy = (rng.random(200) < rng.permutation(confidences)).mean()
        held += found.interval.low <= accuracy <= found.interval.high
    assert held >= 90


@pytest.mark.parametrize("confidences", [[1.0], [0.5], [1.0] * 50])
def test_few_or_certain_answers_have_an_estimate(confidences: list[float]) -> None:
    found = estimated_accuracy(confidences)

    assert found is not None
    assert 0 <= found.interval.low <= found.value <= found.interval.high <= 1


def test_no_answers_have_no_estimate() -> None:
    assert estimated_accuracy([]) is None
