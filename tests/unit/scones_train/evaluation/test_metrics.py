import pytest

from scones_train.evaluation.metrics import (
    accuracy,
    at_threshold,
    confusion_matrix,
    expected_calibration_error,
    summarise,
)
from tests.unit.scones_train.evaluation.conftest import two_classes


def test_accuracy_and_confusion_matrix_count_by_true_class() -> None:
    probabilities, labels = two_classes([0.9, 0.8, 0.7, 0.6], [True, True, False, True])
    assert accuracy(probabilities, labels) == 0.75
    assert confusion_matrix(probabilities, labels) == ((3, 0), (1, 0))


def test_calibration_error_is_the_difference_of_confidence_and_accuracy() -> None:
    probabilities, labels = two_classes([0.9] * 10, [True] * 6 + [False] * 4)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.3)


def test_a_certain_and_right_answer_has_no_calibration_error() -> None:
    probabilities, labels = two_classes([1.0] * 5, [True] * 5)
    assert expected_calibration_error(probabilities, labels) == 0


def test_confidence_equal_to_the_threshold_is_accepted() -> None:
    probabilities, labels = two_classes([0.97, 0.96], [True, False])
    operating = at_threshold(probabilities, labels, 0.97)
    assert (operating.covered, operating.errors) == (1, 0)
    assert (operating.coverage, operating.precision) == (0.5, 1.0)


def test_a_threshold_that_nothing_reaches_claims_no_precision() -> None:
    operating = at_threshold(*two_classes([0.6], [True]), 0.99)
    assert (operating.coverage, operating.precision) == (0.0, 0.0)


def test_summary_counts_its_images() -> None:
    figures = summarise(*two_classes([0.99, 0.7, 0.98], [True, True, False]), 0.97)
    assert figures["n_test"] == 3
    assert figures["n_at_threshold"] == 2
    assert figures["precision_at_threshold"] == 0.5
