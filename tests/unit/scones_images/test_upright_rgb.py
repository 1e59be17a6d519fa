import io
import struct
import zlib

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
def test_grey_of_many_bits_is_scaled_and_not_cut_off(
    image: Image.Image, expected: list[int]
) -> None:
    found = np.asarray(to_rgb(image))[0]
    assert found.tolist() == [[value] * 3 for value in expected]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_a_tiff_of_each_depth_is_decoded(dtype: type) -> None:
    body = encoded(grey([0, 1000, 65535], dtype), "TIFF")
    assert decode(body, limits=PHOTOS)[0, :, 0].tolist() == [
        0,
        3 if dtype != np.float32 else 4,
        255,
    ]


def test_the_transparent_value_of_sixteen_bit_grey_lies_on_white() -> None:
    body = encoded(grey([600, 700, 65535], np.uint16), transparency=600)
    assert decode(body)[0, :, 0].tolist() == [255, 2, 255]


def test_colours_of_sixteen_bits_keep_their_upper_byte() -> None:
    found = decode(encoded(Image.new("RGB", (2, 2), (200, 10, 10)), transparency=(200, 10, 10)))
    assert (found == 255).all()


def png(bits: int, colour: int, row: bytes, transparent: bytes) -> bytes:
    """Return a PNG of one row of two pixels, in the depth and colour type that are given."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, colour, 0, 0, 0)),
        (b"tRNS", transparent),
        (b"IDAT", zlib.compress(b"\0" + row)),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("bits", "colour", "row", "transparent", "second"),
    [
        (1, 0, b"\x40", b"\0\0", 255),
        (2, 0, b"\x60", b"\0\1", 170),
        (4, 0, b"\x5a", b"\0\5", 170),
        (8, 0, b"\x05\x14", b"\0\5", 20),
        (16, 2, b"\x10\1" * 3 + b"\x40\1" * 3, b"\x10\1" * 3, 64),
    ],
)
def test_the_transparent_value_of_a_png_of_any_depth_lies_on_white(
    bits: int, colour: int, row: bytes, transparent: bytes, second: int
) -> None:
    found = decode(png(bits, colour, row, transparent))
    assert found[0].tolist() == [[255] * 3, [second] * 3]


def grey_tiff(bits: int, pixels: bytes, *, zero_is_white: bool = False, kind: int = 1) -> bytes:
    """Return a TIFF of one row of two grey pixels; `kind` is its sample format."""
    tags = [
        (256, 4, 2),
        (257, 4, 1),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, 0 if zero_is_white else 1),
        (273, 4, 8 + 2 + 12 * 10 + 4),
        (277, 3, 1),
        (278, 4, 1),
        (279, 4, len(pixels)),
        (339, 3, kind),
    ]
    entries = b"".join(struct.pack("<HHII", tag, code, 1, value) for tag, code, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (grey_tiff(8, bytes([10, 200]), zero_is_white=True), [245, 55]),
        (grey_tiff(16, struct.pack("<HH", 0x1000, 0xC000), zero_is_white=True), [239, 63]),
        (grey_tiff(12, bytes([0x80, 0x0F, 0xFF])), [128, 255]),
        (grey_tiff(32, struct.pack("<II", 0, 0xFFFFFFFF)), [0, 255]),
        (grey_tiff(32, struct.pack("<ff", 0.0, 1.0), kind=3), [0, 255]),
    ],
)
def test_a_tiffs_own_depth_and_its_white_decide(body: bytes, expected: list[int]) -> None:
    assert decode(body, limits=PHOTOS)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(("alpha", "expected"), [((0, 0), (30, 60)), ((255, 0), (30, 255))])
def test_an_alpha_byte_that_a_bmps_writer_left_empty_hides_nothing(
    alpha: tuple[int, int], expected: tuple[int, int]
) -> None:
    pixels = b"".join(
        bytes([value, value, value, a]) for value, a in zip((30, 60), alpha, strict=True)
    )
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 0, 0, 0, 0) + masks + bytes(52)
    body = b"BM" + struct.pack("<IHHI", 14 + 108 + 8, 0, 0, 14 + 108) + header + pixels
    assert decode(body, limits=PHOTOS)[0, :, 0].tolist() == list(expected)


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
def test_each_orientation_is_turned_upright(value: int, expected: list[list[int]]) -> None:
    assert np.asarray(upright(with_orientation(value))).tolist() == expected
