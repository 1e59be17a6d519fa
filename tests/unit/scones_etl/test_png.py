import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from scones_etl import png


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def chunks(file: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(file):
        found.append(file[at + 4 : at + 8])
        at += 12 + int.from_bytes(file[at : at + 4], "big")
    return found


@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (1, 1, 1, 3), (3, 5, 7, 3), (2, 700, 900, 3)])
def test_images_of_any_size_come_back_with_their_pixels(shape: tuple[int, int, int, int]) -> None:
    pixels = drawn(*shape)

    files = list(png.encode(pixels))

    assert len(files) == len(pixels)
    for file, image in zip(files, pixels, strict=True):
        with Image.open(io.BytesIO(file)) as read:
            assert (read.format, read.mode, read.info) == ("PNG", "RGB", {})
            np.testing.assert_array_equal(np.asarray(read), image)


def test_grey_images_have_one_channel() -> None:
    pixels = drawn(2, 28, 28, 3)

    for file, image in zip(png.encode(pixels, grey=True), pixels, strict=True):
        with Image.open(io.BytesIO(file)) as read:
            assert read.mode == "L"
            np.testing.assert_array_equal(np.asarray(read), image[:, :, 0])


def test_a_file_holds_its_header_its_pixels_and_nothing_else() -> None:
    (file,) = png.encode(drawn(1, 32, 32, 3))

    assert chunks(file) == [b"IHDR", b"IDAT", b"IEND"]


def test_the_bytes_of_an_image_are_the_same_alone_and_among_others() -> None:
    pixels = drawn(300, 32, 32, 3)

    assert list(png.encode(pixels))[257] == next(png.encode(pixels[257:258]))


def test_the_bytes_are_the_same_on_every_host() -> None:
    soft = np.add.outer(np.arange(32), 3 * np.arange(32)).astype(np.uint8)

    (file,) = png.encode(np.stack([soft, soft.T, soft], axis=-1)[None])

    digest = hashlib.sha256(file).hexdigest()
    assert digest == "8e80d5367785278138c9b18d5ef2507852a0aa406cdbb6eb1d8b2b3e1e656497"


def test_a_gradient_is_far_smaller_than_its_pixels() -> None:
    soft = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)

    (file,) = png.encode(np.stack([soft] * 3, axis=-1)[None])

    assert len(file) < 0.1 * soft.size * 3
