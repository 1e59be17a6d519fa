import numpy as np
import pytest
from PIL import Image, ImageFilter

from scones_images.statistics import STATISTICS, batch_statistics, image_statistics


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def test_white_is_bright_flat_and_colourless() -> None:
    found = image_statistics(np.full((8, 4, 3), 255, np.uint8))
    assert tuple(found) == STATISTICS
    assert found["brightness"] == pytest.approx(1)
    assert found["contrast"] == pytest.approx(0, abs=1e-6)
    assert found["sharpness"] == pytest.approx(0, abs=1e-6)
    assert found["saturation"] == 0
    assert found["size"] == 32


def test_black_has_no_saturation_and_pure_red_has_all() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    assert image_statistics(red)["saturation"] == 0
    red[..., 0] = 9
    assert image_statistics(red)["saturation"] == 1


def test_half_black_half_white_has_the_highest_contrast() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4] = 255
    assert image_statistics(image)["contrast"] == pytest.approx(0.5)


def test_blur_lowers_sharpness() -> None:
    image = noise()
    blurred = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1)))
    assert image_statistics(blurred)["sharpness"] < image_statistics(image)["sharpness"] / 4


def test_a_batch_has_the_statistics_of_its_images() -> None:
    images = np.stack([noise(1), noise(2)])
    found = batch_statistics(images)
    for index, image in enumerate(images):
        assert {name: values[index] for name, values in found.items()} == pytest.approx(
            image_statistics(image)
        )


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
    ids=["grey", "float", "empty"],
)
def test_anything_but_rgb_pixels_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected|without pixels"):
        image_statistics(pixels)
