import numpy as np
import pytest

from scones_train.evaluation.calibration import Predictions, calibrate


def predictions(count, scale, seed):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (count, 2))
    chance = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    labels = (random.random(count) > chance).astype(np.int64)
    return Predictions(logits * scale, labels)


@pytest.mark.parametrize("scale", [0.6, 2.0])
def test_the_temperature_is_that_of_the_predictions(scale):
    calibration = calibrate(predictions(3000, scale, seed=0), 0.95)
    assert calibration.temperature == pytest.approx(scale, rel=0.15)


def test_the_threshold_reaches_its_target_on_images_it_was_not_chosen_by():
    chosen = calibrate(predictions(2000, 1.0, seed=1), 0.97)
    fresh = calibrate(predictions(20_000, 1.0, seed=2), 0.97)
    assert chosen.operating.precision > 0.96
    assert chosen.operating.threshold == pytest.approx(fresh.operating.threshold, abs=0.05)


def test_the_figures_are_those_of_the_operating_point():
    calibration = calibrate(predictions(400, 1.0, seed=3), 0.9)
    figures, operating = calibration.figures(), calibration.operating
    assert figures["n_calibration"] == 400
    assert figures["n_calibration_at_threshold"] == operating.covered > 0
    assert figures["calibration_coverage_at_threshold"] == operating.covered / 400
    assert figures["calibration_precision_at_threshold"] >= 0.88
    assert 0 <= figures["calibration_error"] < 0.05
    assert 0.5 < figures["calibration_accuracy"] < figures["calibration_precision_at_threshold"]
