from dataclasses import replace

import numpy as np
import pytest
import torch

from scones_train.data import ImageSet
from scones_train.model.edges import Edges
from scones_train.model.kernel_machine import described, fit_machine, ridge
from scones_train.model.patches import Patches


def striped(count, side=24, seed=0):
    """Images of stripes that run across (class 0) or down (class 1), with noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 2
    places = np.arange(side) + random.integers(0, 6, (count, 1))
    stripes = np.where(places % 6 < 3, 180, 40)[:, :, None]
    upright = np.broadcast_to(stripes, (count, side, side))
    turned = np.where(labels[:, None, None] == 0, upright, upright.transpose(0, 2, 1))
    noisy = turned[..., None] + random.normal(0, 20, (count, side, side, 3))
    return ImageSet(np.clip(noisy, 0, 255).astype(np.uint8), labels)


@pytest.fixture(params=["edges", "patches"])
def fitted(request):
    """What fits a machine of striped images, by either description."""

    def fit(images, classes=2, like=None, **given):
        edges = request.param == "edges"
        description = Edges.of(images.size) if edges else Patches.of(like or images)
        return fit_machine(images, classes, description, **given)

    return fit


def test_what_it_has_seen_is_told_apart_in_new_images(fitted):
    machine, _ = fitted(striped(40), 2, mirror=True)
    new = striped(40, seed=1)
    scores = machine.scores(new.pixels)
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == new.labels).all()
    assert scores.sum(axis=1) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("most", [1000, 10])
def test_a_mirror_image_has_the_same_score(fitted, most):
    images = striped(30)
    machine, _ = fitted(images, 2, mirror=True, most=most)
    assert len(machine.landmarks) == min(30, most)
    mirrored = np.ascontiguousarray(images.pixels[:, :, ::-1])
    assert machine.scores(images.pixels) == pytest.approx(machine.scores(mirrored), abs=1e-3)


def test_where_mirror_images_are_not_one_they_are_told_apart(fitted):
    pixels = np.zeros((20, 24, 24, 3), dtype=np.uint8)
    pixels[:10, :, :8] = 200
    pixels[10:, :, 16:] = 200
    images = ImageSet(pixels, np.repeat(np.arange(2, dtype=np.int64), 10))
    machine, _ = fitted(images, 2, mirror=False)
    scores = machine.scores(pixels)
    assert (scores.argmax(axis=1) == images.labels).all()


def test_the_ridge_regression_is_exact_where_every_image_is_a_landmark(fitted):
    images = striped(24)
    machine, _ = fitted(images, 2, mirror=False)
    a, b = machine.landmarks.double(), machine.weights.double() / 4
    kernel = torch.exp(-torch.cdist(a, a).square() / 2)
    targets = torch.eye(2, dtype=torch.double)[torch.from_numpy(images.labels)] - 0.5
    assert kernel @ b + 0.03 * b == pytest.approx(targets, abs=1e-3)


def test_the_ridge_regression_is_that_of_images_and_mirror_images_together(fitted):
    images = striped(24)
    both = ImageSet(
        np.concatenate((images.pixels, images.pixels[:, :, ::-1])), np.tile(images.labels, 2)
    )
    one, _ = fitted(images, 2, mirror=True)
    together, _ = fitted(both, 2, mirror=False, like=images)
    new = striped(10, seed=1).pixels
    assert one.scores(new) == pytest.approx(together.scores(new), abs=1e-3)


@pytest.mark.parametrize(("mirror", "most"), [(True, 1000), (False, 1000), (True, 12)])
def test_each_image_is_scored_as_by_a_machine_of_the_others(fitted, mirror, most):
    images = striped(30, side=16)
    machine, unseen = fitted(images, 2, mirror=mirror, most=most)
    a = (described(machine.description, images.pixels) - machine.centre) * machine.scale
    targets = torch.eye(2)[torch.from_numpy(images.labels)] - 0.5
    for left_out in (0, 7, 29):
        others = np.setdiff1d(np.arange(30), [left_out])
        weights, _ = ridge(a[others], machine.landmarks, targets[others], machine.turned)
        without = replace(machine, weights=(4 * weights).float())
        expected = without.scores(images.pixels[[left_out]])[0]
        assert unseen[left_out] == pytest.approx(expected, abs=1e-3)
    seen = machine.scores(images.pixels)
    assert np.abs(seen - unseen).max() > 0.01


def test_a_share_scales_the_scores(fitted):
    images = striped(12)
    (whole, seen), (half, less) = (
        fitted(images, 2, mirror=True, share=share) for share in (1.0, 0.5)
    )
    assert half.scores(images.pixels) == pytest.approx(whole.scores(images.pixels) / 2, abs=1e-5)
    assert less == pytest.approx(seen / 2, abs=1e-5)
