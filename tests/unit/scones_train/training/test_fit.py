import numpy as np
import pytest

from scones_train.data import ImageSet, Normalisation
from scones_train.model.small_network import stem_of
from scones_train.training.fit import fit, predict
from scones_train.training.hyperparameters import Hyperparameters

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


def test_without_mirrors_an_image_and_its_mirror_image_may_differ(lit):
    settings = Hyperparameters(epochs=3, batch_size=8, folds=0, horizontal_flip=0)
    normalisation = Normalisation.of(lit)
    network = fit(lit, normalisation, settings, lambda *_: None)
    turned = ImageSet(lit.pixels[:, :, ::-1].copy(), lit.labels)
    assert not np.allclose(
        predict(network, lit, normalisation), predict(network, turned, normalisation)
    )


def test_large_images_are_taken_by_the_patch():
    random = np.random.default_rng(2)
    pixels = random.integers(0, 100, (16, 224, 224, 3), dtype=np.uint8)
    labels = np.arange(16, dtype=np.int64) % 2
    pixels[labels == 0, :112] += 150
    images = ImageSet(pixels, labels)
    settings = Hyperparameters(epochs=1, batch_size=8, folds=0, stem=stem_of(images.size))
    network = fit(images, Normalisation.of(images), settings, lambda *_: None)
    assert network.whiten.stride == (4, 4)
    assert predict(network, images, Normalisation.of(images)).shape == (16, 2)
