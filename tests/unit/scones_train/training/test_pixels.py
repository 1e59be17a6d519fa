import numpy as np
import pytest
import torch

from scones_train.channels import ImageSet, Normalisation
from scones_train.training.pixels import Pixels

NORMALISATION = Normalisation((0.1, 0.2, 0.3), (0.5, 0.25, 1.0))


@pytest.fixture
def images() -> ImageSet:
    random = np.random.default_rng(1)
    return ImageSet(random.integers(0, 256, (7, 4, 5, 3), dtype=np.uint8), np.zeros(7, np.int64))


def test_images_are_normalised_as_they_are_asked_for(images: ImageSet) -> None:
    rows = Pixels.of(images, NORMALISATION).rows(torch.tensor([3, 0]))
    expected = (images.pixels[[3, 0]] / 255 - NORMALISATION.mean) / np.array(NORMALISATION.std)
    assert rows.shape == (2, 3, 4, 5)
    assert np.allclose(rows.permute(0, 2, 3, 1).numpy(), expected, atol=1e-6)


def test_only_those_that_are_named_are_flipped(images: ImageSet) -> None:
    pixels = Pixels.of(images, NORMALISATION)
    both = pixels.rows(torch.tensor([2, 2]), torch.tensor([False, True]))
    assert torch.equal(both[1], both[0].flip(-1))
    assert not torch.equal(both[1], both[0])


@pytest.mark.parametrize("flipped", [False, True])
def test_the_parts_are_all_images_once_and_few_at_a_time(flipped: bool) -> None:
    large = ImageSet(np.zeros((50, 224, 224, 3), dtype=np.uint8), np.zeros(50, np.int64))
    pixels = Pixels.of(large, NORMALISATION)
    sizes = [len(part) for part in pixels.parts(flipped=flipped)]
    assert sum(sizes) == (100 if flipped else 50)
    assert max(sizes) <= 20
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == pixels.count_parts(flipped=flipped)


def test_the_images_are_held_as_bytes_and_not_copied(images: ImageSet) -> None:
    pixels = Pixels.of(images, NORMALISATION)
    assert pixels.stored.dtype is torch.uint8
    assert np.shares_memory(pixels.stored.numpy(), images.pixels)


def test_a_sample_is_spread_over_all_images(images: ImageSet) -> None:
    pixels = Pixels.of(images, NORMALISATION)
    assert len(pixels.sample(1)) == 1
    assert torch.equal(pixels.sample(3 * 20), pixels.rows(torch.tensor([0, 2, 4])))
    assert len(pixels.sample(10_000)) == 7
