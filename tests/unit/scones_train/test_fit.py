import numpy as np
import pytest

from scones_train.dataset import Normalisation
from scones_train.fit import fit, predict, uses_bfloat16
from scones_train.hyperparameters import Hyperparameters

RECIPE = Hyperparameters(epochs=2, batch_size=8, folds=2)


@pytest.fixture
def lit(lit_images):
    return lit_images


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


def test_fewer_images_than_a_batch_make_one_batch(lit):
    logits = trained(lit, Hyperparameters(epochs=1, batch_size=64))
    assert logits.shape == (24, 2)
    assert np.isfinite(logits).all()


def test_a_precision_that_was_asked_for_is_taken():
    assert uses_bfloat16("bfloat16")
    assert not uses_bfloat16("float32")
