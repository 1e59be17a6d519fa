import io

import numpy as np
import pytest
from PIL import Image

from scones_images import PHOTOS, decode, to_rgb, upright


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def grey(values: object, dtype: type) -> Image.Image:
    return Image.fromarray(np.array(values, dtype=dtype).reshape(1, -1))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (grey([0, 0x80FF, 0xFFFF], np.uint16), [0, 0x80, 255]),
        (grey([0, 128, 255], np.int32), [0, 128, 255]),
        (grey([-5, 0x80FF, 0xFFFF], np.int32), [0, 0x80, 255]),
        (grey([0, 1 << 30, (1 << 31) - 1], np.int32), [0, 64, 127]),
        (grey([0.0, 0.5, 1.0], np.float32), [0, 128, 255]),
        (grey([-1.0, 128.0, 255.0], np.float32), [0, 128, 255]),
        (grey([0.0, 32767.5, 65535.0], np.float32), [0, 128, 255]),
        (grey([0.0, np.nan, 2e9], np.float32), [0, 0, 255]),
        (grey([np.inf, -np.inf, 1.0], np.float32), [0, 0, 255]),
    ],
)
def test_grey_of_many_bits_is_scaled_and_not_cut_off(image, expected):
    found = np.asarray(to_rgb(image))[0]
    assert found.tolist() == [[value] * 3 for value in expected]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_a_tiff_of_each_depth_is_decoded(dtype):
    body = encoded(grey([0, 1000, 65535], dtype), "TIFF")
    assert decode(body, limits=PHOTOS)[0, :, 0].tolist() == [
        0,
        3 if dtype != np.float32 else 4,
        255,
    ]


def test_the_transparent_value_of_sixteen_bit_grey_lies_on_white():
    body = encoded(grey([600, 700, 65535], np.uint16), transparency=600)
    assert decode(body)[0, :, 0].tolist() == [255, 2, 255]


def test_colours_of_sixteen_bits_keep_their_upper_byte():
    found = decode(encoded(Image.new("RGB", (2, 2), (200, 10, 10)), transparency=(200, 10, 10)))
    assert (found == 255).all()


def with_orientation(value: int) -> Image.Image:
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    image.getexif()[0x0112] = value
    return image


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, [[0, 1, 2], [3, 4, 5]]),
        (2, [[2, 1, 0], [5, 4, 3]]),
        (3, [[5, 4, 3], [2, 1, 0]]),
        (4, [[3, 4, 5], [0, 1, 2]]),
        (5, [[0, 3], [1, 4], [2, 5]]),
        (6, [[3, 0], [4, 1], [5, 2]]),
        (7, [[5, 2], [4, 1], [3, 0]]),
        (8, [[2, 5], [1, 4], [0, 3]]),
        (0, [[0, 1, 2], [3, 4, 5]]),
        (77, [[0, 1, 2], [3, 4, 5]]),
    ],
)
def test_each_orientation_is_turned_upright(value, expected):
    assert np.asarray(upright(with_orientation(value))).tolist() == expected
