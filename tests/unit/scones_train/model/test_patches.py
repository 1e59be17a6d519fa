import numpy as np
import pytest
import torch

from scones_train.data import ImageSet
from scones_train.model.patches import CELLS, ENTRIES, NUMBERS, PATCH, Patches


def noisy(count=12, size=(32, 32), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(count, dtype=np.int64) % 2)


def parts(found):
    """The likenesses of the first image by entry and part of the image."""
    return found[0].view(ENTRIES, CELLS, CELLS)


def test_the_dictionary_is_learnt_from_the_images_and_not_from_their_labels():
    images = noisy()
    relabelled = ImageSet(images.pixels, 1 - images.labels)
    one, same, other = (Patches.of(each) for each in (images, relabelled, noisy(seed=1)))
    assert torch.equal(one.filters, same.filters)
    assert not torch.allclose(one.filters, other.filters)


def test_half_of_the_entries_are_mirror_images_of_the_others():
    found = Patches.of(noisy()).filters
    assert found.shape == (ENTRIES, 3, PATCH, PATCH)
    assert torch.equal(found[ENTRIES // 2 :], found[: ENTRIES // 2].flip(3))


@pytest.mark.parametrize("size", [(32, 32), (28, 40)])
def test_a_mirror_images_likenesses_are_those_of_the_image_in_another_order(size):
    images = noisy(size=size)
    describe = Patches.of(images)
    there = describe(np.ascontiguousarray(images.pixels[:, :, ::-1]))
    turned = describe.mirrored()
    assert there == pytest.approx(describe(images.pixels)[:, turned], abs=1e-3)
    assert turned[turned].tolist() == list(range(NUMBERS))


def test_a_patch_is_found_where_it_is():
    describe = Patches.of(noisy())
    pixels = np.full((1, 32, 32, 3), 128, dtype=np.uint8)
    entry = describe.filters[0].permute(1, 2, 0)
    pixels[0, :PATCH, -PATCH:] = (128 + 100 * entry / entry.abs().max()).round().numpy()
    found = parts(describe(pixels))
    assert int(found.sum(dim=(1, 2)).argmax()) == 0
    assert found[0, 0, 2] > 0
    assert found[0, 1:, :].max() == 0


def test_brightness_and_contrast_of_a_patch_change_little():
    images = noisy()
    describe = Patches.of(images)
    dimmed = (images.pixels // 2 + 90).astype(np.uint8)
    there, here = describe(images.pixels), describe(dimmed)
    assert float((there - here).abs().mean()) < 0.05 * float(there.mean())


def test_an_image_of_one_colour_is_like_nothing():
    found = Patches.of(noisy())(np.full((1, 32, 32, 3), 77, dtype=np.uint8))
    assert found.shape == (1, NUMBERS)
    assert float(found.max()) < 0.2


def test_images_of_one_colour_are_learnt_from_without_harm():
    images = ImageSet(np.full((4, 32, 32, 3), 60, dtype=np.uint8), np.arange(4) % 2)
    assert torch.isfinite(Patches.of(images)(images.pixels)).all()
