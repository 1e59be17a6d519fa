import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scones_train.evaluation.calibration import (
    PRECISION_PRIOR,
    Predictions,
    calibrate,
    choose_threshold,
    fit_temperature,
)
from scones_train.evaluation.metrics import at_threshold, softmax
from tests.unit.scones_train.evaluation.conftest import two_classes


def predictions(count: int, scale: float, seed: int) -> Predictions:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (count, 2))
    chance = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    labels = (random.random(count) > chance).astype(np.int64)
    return Predictions(logits * scale, labels)


@pytest.mark.parametrize("scale", [0.6, 2.0])
def test_the_temperature_is_that_of_the_predictions(scale: float) -> None:
    calibration = calibrate(predictions(3000, scale, seed=0), 0.95)
    assert calibration.temperature == pytest.approx(scale, rel=0.15)


def test_the_threshold_reaches_its_target_on_images_it_was_not_chosen_by() -> None:
    chosen = calibrate(predictions(2000, 1.0, seed=1), 0.97)
    fresh = calibrate(predictions(20_000, 1.0, seed=2), 0.97)
    assert chosen.operating.precision > 0.96
    assert chosen.operating.threshold == pytest.approx(fresh.operating.threshold, abs=0.05)


def test_the_figures_are_those_of_the_operating_point() -> None:
    calibration = calibrate(predictions(400, 1.0, seed=3), 0.9)
    figures, operating = calibration.figures(), calibration.operating
    assert figures["n_calibration"] == 400
    assert figures["n_calibration_at_threshold"] == operating.covered > 0
    assert figures["calibration_coverage_at_threshold"] == operating.covered / 400
    assert figures["calibration_precision_at_threshold"] >= 0.88
    assert 0 <= figures["calibration_error"] < 0.05
    assert 0.5 < figures["calibration_accuracy"] < figures["calibration_precision_at_threshold"]


def calibrated(
    count: int, sharpness: float = 3.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits whose softmax at temperature 1 is the true probability of each label."""
    random = np.random.default_rng(seed)
    logits = np.stack((random.normal(0, sharpness, count), np.zeros(count)), axis=1)
    labels = (random.random(count) > softmax(logits)[:, 0]).astype(np.int64)
    return logits, labels


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_scaled_logits_is_found(true_temperature: float) -> None:
    logits, labels = calibrated(5000)
    found = fit_temperature(logits * true_temperature, labels)
    assert found == pytest.approx(true_temperature, rel=0.15)


def test_few_images_that_are_all_right_do_not_make_the_model_certain() -> None:
    logits = np.array([[1.0, 0.0]] * 5)
    assert 0.3 < fit_temperature(logits, np.zeros(5, dtype=np.int64)) < 1


def test_the_threshold_holds_its_promise_on_new_images() -> None:
    chosen = choose_threshold(*_probabilities(2000, seed=1), 0.99)
    fresh = at_threshold(*_probabilities(50_000, seed=2), chosen.threshold)
    assert 0.985 <= fresh.precision <= 0.997
    assert fresh.coverage > 0.1


def _probabilities(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    logits, labels = calibrated(count, seed=seed)
    return softmax(logits), labels


def test_errors_among_the_confident_raise_the_threshold() -> None:
    confidences = np.linspace(0.999, 0.9, 100)
    clean = choose_threshold(*two_classes(confidences, [True] * 100), 0.97)
    wrong = [index % 10 != 5 for index in range(100)]
    assert choose_threshold(*two_classes(confidences, wrong), 0.97).threshold > clean.threshold


def test_a_target_out_of_reach_accepts_nothing() -> None:
    chosen = choose_threshold(*two_classes([0.8, 0.7], [True, True]), 0.99)
    assert (chosen.threshold, chosen.covered) == (1.0, 0)


def test_all_right_but_unsure_is_not_taken_for_precise() -> None:
    chosen = choose_threshold(*two_classes([0.6] * 20, [True] * 20), 0.99)
    assert chosen.threshold == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(500, 1000), st.booleans()), min_size=1, max_size=60),
    st.floats(0.5, 0.995),
)
def test_the_chosen_cut_meets_the_target_and_no_lower_one_does(
    rows: list[tuple[int, bool]], target: float
) -> None:
    confidences = np.array([thousandths / 1000 for thousandths, _ in rows])
    correct = np.array([right for _, right in rows]) | (confidences == 0.5)
    probabilities, labels = two_classes(confidences, correct)
    chosen = choose_threshold(probabilities, labels, target)

    def estimate(cut: float) -> float:
        at = confidences >= cut
        observed = correct[at].sum() + PRECISION_PRIOR * confidences[at].mean()
        return float(observed / (at.sum() + PRECISION_PRIOR))

    lower = [cut for cut in set(confidences) if cut < chosen.threshold - 1e-3]
    assert all(estimate(cut) < target + 1e-9 for cut in lower)
    if chosen.threshold < 1:
        assert estimate(chosen.threshold) >= target - 1e-9
