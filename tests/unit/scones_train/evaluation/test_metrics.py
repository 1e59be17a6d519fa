import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scones_train.evaluation.metrics import (
    PRECISION_PRIOR,
    accuracy,
    at_threshold,
    choose_threshold,
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    softmax,
    summarise,
)


def two_classes(confidences, correct):
    """Probabilities of class 0, and labels that make the answers right or wrong."""
    first = np.array(confidences, dtype=np.float64)
    labels = np.where(np.array(correct), 0, 1).astype(np.int64)
    return np.stack((first, 1 - first), axis=1), labels


def calibrated(count, sharpness=3.0, seed=0):
    """Logits whose softmax at temperature 1 is the true probability of each label."""
    random = np.random.default_rng(seed)
    logits = np.stack((random.normal(0, sharpness, count), np.zeros(count)), axis=1)
    labels = (random.random(count) > softmax(logits)[:, 0]).astype(np.int64)
    return logits, labels


def test_accuracy_and_confusion_matrix_count_by_true_class():
    probabilities, labels = two_classes([0.9, 0.8, 0.7, 0.6], [True, True, False, True])
    assert accuracy(probabilities, labels) == 0.75
    assert confusion_matrix(probabilities, labels) == ((3, 0), (1, 0))


def test_calibration_error_is_the_difference_of_confidence_and_accuracy():
    probabilities, labels = two_classes([0.9] * 10, [True] * 6 + [False] * 4)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.3)


def test_a_certain_and_right_answer_has_no_calibration_error():
    probabilities, labels = two_classes([1.0] * 5, [True] * 5)
    assert expected_calibration_error(probabilities, labels) == 0


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_scaled_logits_is_found(true_temperature):
    logits, labels = calibrated(5000)
    found = fit_temperature(logits * true_temperature, labels)
    assert found == pytest.approx(true_temperature, rel=0.15)


def test_few_images_that_are_all_right_do_not_make_the_model_certain():
    logits = np.array([[1.0, 0.0]] * 5)
    assert 0.3 < fit_temperature(logits, np.zeros(5, dtype=np.int64)) < 1


def test_confidence_equal_to_the_threshold_is_accepted():
    probabilities, labels = two_classes([0.97, 0.96], [True, False])
    operating = at_threshold(probabilities, labels, 0.97)
    assert (operating.covered, operating.errors) == (1, 0)
    assert (operating.coverage, operating.precision) == (0.5, 1.0)


def test_a_threshold_that_nothing_reaches_claims_no_precision():
    operating = at_threshold(*two_classes([0.6], [True]), 0.99)
    assert (operating.coverage, operating.precision) == (0.0, 0.0)


def test_the_threshold_holds_its_promise_on_new_images():
    chosen = choose_threshold(*_probabilities(2000, seed=1), 0.99)
    fresh = at_threshold(*_probabilities(50_000, seed=2), chosen.threshold)
    assert 0.985 <= fresh.precision <= 0.997
    assert fresh.coverage > 0.1


def _probabilities(count, seed):
    logits, labels = calibrated(count, seed=seed)
    return softmax(logits), labels


def test_errors_among_the_confident_raise_the_threshold():
    confidences = np.linspace(0.999, 0.9, 100)
    clean = choose_threshold(*two_classes(confidences, [True] * 100), 0.97)
    wrong = [index % 10 != 5 for index in range(100)]
    assert choose_threshold(*two_classes(confidences, wrong), 0.97).threshold > clean.threshold


def test_a_target_out_of_reach_accepts_nothing():
    chosen = choose_threshold(*two_classes([0.8, 0.7], [True, True]), 0.99)
    assert (chosen.threshold, chosen.covered) == (1.0, 0)


def test_all_right_but_unsure_is_not_taken_for_precise():
    chosen = choose_threshold(*two_classes([0.6] * 20, [True] * 20), 0.99)
    assert chosen.threshold == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(500, 1000), st.booleans()), min_size=1, max_size=60),
    st.floats(0.5, 0.995),
)
def test_the_chosen_cut_meets_the_target_and_no_lower_one_does(rows, target):
    confidences = np.array([thousandths / 1000 for thousandths, _ in rows])
    correct = np.array([right for _, right in rows]) | (confidences == 0.5)
    probabilities, labels = two_classes(confidences, correct)
    chosen = choose_threshold(probabilities, labels, target)

    def estimate(cut):
        at = confidences >= cut
        observed = correct[at].sum() + PRECISION_PRIOR * confidences[at].mean()
        return observed / (at.sum() + PRECISION_PRIOR)

    lower = [cut for cut in set(confidences) if cut < chosen.threshold - 1e-3]
    assert all(estimate(cut) < target + 1e-9 for cut in lower)
    if chosen.threshold < 1:
        assert estimate(chosen.threshold) >= target - 1e-9


def test_summary_counts_its_images():
    figures = summarise(*two_classes([0.99, 0.7, 0.98], [True, True, False]), 0.97)
    assert figures["n_test"] == 3
    assert figures["n_at_threshold"] == 2
    assert figures["precision_at_threshold"] == 0.5
