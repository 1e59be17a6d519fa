from typing import Any

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import SettingsError
from scones_etl.image_format import AS_GIVEN, ImageFormat, size_counts

RED = (200, 10, 10)


@pytest.mark.parametrize("given", [{"side": 15}, {"side": -1}, {"side": 1025}, {"mode": "cmyk"}])
def test_a_form_out_of_range_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"dataset\.image_"):
        ImageFormat(**given)


def test_the_manifest_records_what_differs_from_the_source() -> None:
    assert AS_GIVEN.recorded() == {}
    assert ImageFormat(28, "grey").recorded() == {"image_side": 28, "image_mode": "grey"}


@pytest.mark.parametrize("side", [16, 28, 224])
def test_an_image_of_any_size_becomes_a_square_of_the_asked_one(side: int) -> None:
    pixels = ImageFormat(side).fit(Image.new("RGB", (100, 40), RED))

    assert pixels.shape == (side, side, 3)
    assert (pixels == RED).all()


def test_nothing_is_cropped() -> None:
    wide = Image.new("RGB", (64, 16), "white")
    wide.paste((0, 0, 0), (0, 0, 8, 16))

    pixels = ImageFormat(16).fit(wide)

    assert pixels[8, 0].max() < 50
    assert pixels[8, 8].min() == 255


def test_grey_has_three_equal_channels_of_the_luminance() -> None:
    pixels = ImageFormat(mode="grey").fit(Image.new("RGB", (8, 8), (255, 0, 0)))

    assert (pixels == 76).all()


def converted(mode: str) -> Image.Image:
    image = Image.new("RGB", (8, 8), RED)
    return image.quantize(4) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_every_colour_mode_gives_the_same_colour(mode: str) -> None:
    pixels = AS_GIVEN.fit(converted(mode))

    assert np.abs(pixels.astype(int) - RED).max() <= 3


def test_transparent_parts_lie_on_white() -> None:
    image = Image.new("RGBA", (8, 8), (*RED, 0))

    assert (AS_GIVEN.fit(image) == 255).all()


def test_a_palette_with_a_transparent_colour_lies_on_white() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *RED])
    image.info["transparency"] = 1

    assert (AS_GIVEN.fit(image) == 255).all()


def test_sixteen_bits_keep_their_upper_byte() -> None:
    image = Image.fromarray(np.full((8, 8), 0x80FF, dtype=np.uint16))

    assert (AS_GIVEN.fit(image) == 0x80).all()


def test_the_orientation_of_a_camera_is_applied() -> None:
    image = Image.new("RGB", (16, 8), "white")
    image.paste(RED, (0, 0, 4, 8))
    image.getexif()[0x0112] = 6

    pixels = AS_GIVEN.fit(image)

    assert pixels.shape == (16, 8, 3)
    assert (pixels[0, 0] == RED).all()
    assert (pixels[-1, 0] == 255).all()


def test_images_that_have_the_form_are_not_touched() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)

    assert AS_GIVEN.fit_all(images) is images
    assert ImageFormat(32).fit_all(images) is images
    assert ImageFormat(16).fit_all(images).shape == (2, 16, 16, 3)


def test_a_whole_reduction_is_the_mean_of_boxes_rounded_in_each_direction() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    boxes = images[0].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))

    assert np.abs(ImageFormat(16).fit_all(images)[0] - boxes).max() <= 1


def test_sizes_are_counted_narrowest_first() -> None:
    assert size_counts([(32, 24), (8, 9), (32, 24)]) == {"8x9": 1, "32x24": 2}
