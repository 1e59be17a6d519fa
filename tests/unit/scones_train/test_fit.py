import numpy as np
import pytest

from scones_train.dataset import ImageSet, Normalisation
from scones_train.fit import fit, out_of_fold, predict, uses_bfloat16
from scones_train.hyperparameters import Hyperparameters

RECIPE = Hyperparameters(epochs=2, batch_size=8, folds=2)


@pytest.fixture(scope="module")
def lit():
    """Images that are bright above (class 0) or below (class 1)."""
    random = np.random.default_rng(5)
    pixels = random.integers(0, 100, (24, 16, 16, 3), dtype=np.uint8)
    labels = np.arange(24, dtype=np.int64) % 2
    pixels[labels == 0, :8] += 150
    pixels[labels == 1, 8:] += 150
    return ImageSet(pixels, labels)


def trained(images, settings, reports=None):
    normalisation = Normalisation.of(images)
    network = fit(
        images,
        normalisation,
        settings,
        lambda report, _: None if reports is None else reports.append(report),
    )
    return predict(network, images, normalisation)


def test_a_seed_gives_the_same_answers_again_and_another_gives_others(lit):
    first = trained(lit, RECIPE)
    assert np.array_equal(first, trained(lit, RECIPE))
    other = Hyperparameters(epochs=2, batch_size=8, seed=1)
    assert not np.array_equal(first, trained(lit, other))


def test_every_epoch_is_reported_and_the_loss_falls(lit):
    reports = []
    logits = trained(lit, Hyperparameters(epochs=5, batch_size=8), reports)
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
    assert reports[-1].train_loss < reports[0].train_loss
    assert (logits.argmax(axis=1) == lit.labels).mean() >= 0.9


def test_every_image_is_predicted_by_a_network_that_did_not_see_it(lit):
    done = []
    folded = out_of_fold(lit, RECIPE, done.append)
    assert done == [1, 2]
    assert np.array_equal(folded.labels, lit.labels)
    assert (np.abs(folded.logits).sum(axis=1) > 0).all()


def test_fewer_images_than_a_batch_make_one_batch(lit):
    logits = trained(lit, Hyperparameters(epochs=1, batch_size=64))
    assert logits.shape == (24, 2)
    assert np.isfinite(logits).all()


def test_a_precision_that_was_asked_for_is_taken():
    assert uses_bfloat16("bfloat16")
    assert not uses_bfloat16("float32")
