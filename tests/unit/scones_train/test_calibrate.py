import numpy as np

from scones_train.calibrate import Predictions, calibrate


def predictions(count, scale, seed):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (count, 2))
    chance = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    labels = (random.random(count) > chance).astype(np.int64)
    return Predictions(logits * scale, labels)


def test_without_folds_the_threshold_rests_on_the_validation_images():
    calibration = calibrate(predictions(200, 1.0, seed=0), None, 0.95)
    assert (calibration.n_validation, calibration.n_out_of_fold) == (200, 0)
    assert calibration.operating.images == 200


def test_folds_add_images_but_the_temperature_stays_the_final_models():
    final, smaller = predictions(3000, 2.0, seed=0), predictions(3000, 0.5, seed=1)
    calibration = calibrate(final, smaller, 0.95)
    assert calibration.operating.images == 6000
    assert 1.7 < calibration.temperature < 2.3
    assert calibration.operating.precision > 0.93


def test_the_counts_are_those_of_the_operating_point():
    calibration = calibrate(predictions(100, 1.0, seed=2), predictions(300, 1.0, seed=3), 0.9)
    counts = calibration.counts()
    assert counts["n_calibration"] == 400
    assert counts["n_calibration_at_threshold"] == calibration.operating.covered > 0
