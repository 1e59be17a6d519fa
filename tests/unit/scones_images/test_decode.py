import contextlib
import io
import itertools
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scones_core.limits import ENDPOINT_BODY_BYTES
from scones_images import PHOTOS, ImageError, ImageTooBig, decode


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


PIXELS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)


def test_a_png_of_the_models_size_keeps_its_very_pixels() -> None:
    assert (decode(encoded(Image.fromarray(PIXELS)), (16, 24)) == PIXELS).all()


def test_another_size_is_resized_to_height_and_width() -> None:
    assert decode(encoded(Image.new("RGB", (300, 200), "red")), (16, 24)).shape == (16, 24, 3)


def test_an_enlarged_image_comes_back_as_it_was() -> None:
    larger = Image.fromarray(PIXELS).resize((24 * 4, 16 * 4), Image.Resampling.NEAREST)
    assert (decode(encoded(larger), (16, 24)) == PIXELS).all()


def test_a_coloured_image_is_made_grey_for_a_model_that_knows_no_colour() -> None:
    pixels = decode(encoded(Image.fromarray(PIXELS)), grey=True)
    assert (pixels == np.asarray(Image.fromarray(PIXELS).convert("L"))[..., None]).all()
    assert (decode(encoded(Image.fromarray(pixels)), grey=True) == pixels).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_rgb(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 4), 65535, dtype=np.uint16))
    else:
        image = Image.new("RGB", (4, 4), "white").convert(mode)
    pixels = decode(encoded(image))
    assert pixels.shape == (4, 4, 3)
    assert (pixels == 255).all()


def test_sixteen_bit_grey_is_scaled_and_not_cut_off() -> None:
    image = Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16))
    assert (decode(encoded(image)) == 128).all()


def test_transparent_parts_lie_on_white() -> None:
    assert (decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))) == 255).all()
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0])
    assert (decode(encoded(palette, transparency=0)) == 255).all()


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    pixels = decode(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"))
    assert pixels.shape == (8, 8, 3)
    assert (pixels > 250).all()


def test_a_photo_is_turned_upright() -> None:
    image = Image.new("RGB", (32, 16), "black")
    image.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = decode(encoded(image, "JPEG", exif=exif, quality=95))
    assert pixels.shape == (32, 16, 3)
    assert pixels[:12].mean() > 240
    assert pixels[20:].mean() < 15


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not an image",
        b"\x89PNG\r\n\x1a\n",
        encoded(Image.fromarray(PIXELS))[:200],
        encoded(Image.fromarray(PIXELS), "JPEG")[:300],
        encoded(Image.fromarray(PIXELS), "GIF"),
        encoded(Image.fromarray(PIXELS), "TIFF"),
        png_header(30, 30),
        png_header(0, 5),
    ],
    ids=["empty", "text", "magic", "cut-png", "cut-jpeg", "gif", "tiff", "no-rows", "no-width"],
)
def test_what_is_no_whole_png_or_jpeg_is_refused(body: bytes) -> None:
    with pytest.raises(ImageError):
        decode(body, (16, 24))


@pytest.mark.parametrize("side", [5000, 30_000, 2**31 - 1])
def test_a_bomb_is_known_by_its_header(side: int) -> None:
    with pytest.raises(ImageTooBig, match="pixels"):
        decode(png_header(side, side), (16, 24))


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(ImageTooBig, match="bytes"):
        decode(b"\0" * (ENDPOINT_BODY_BYTES + 1))


@settings(max_examples=150, deadline=None)
@given(st.integers(8, 900), st.integers(0, 255), st.sampled_from(["PNG", "JPEG"]))
def test_a_damaged_byte_gives_an_image_or_an_image_error(place: int, value: int, kind: str) -> None:
    body = bytearray(encoded(Image.fromarray(PIXELS), kind))
    body[place % len(body)] = value
    with contextlib.suppress(ImageError):
        assert decode(bytes(body), (16, 24)).shape == (16, 24, 3)


TURNED = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
"""An entry of a TIFF directory: orientation 6, a quarter turn."""


def tiff(*entries: bytes, extra: bytes = b"") -> bytes:
    """Return a little-endian TIFF header with one directory, then the bytes behind it."""
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + extra


BEHIND = 8 + 2 + 2 * 12 + 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (tiff(TURNED), True),
        (
            tiff(TURNED, struct.pack("<HHII", 0x011A, 10, 1, BEHIND), extra=b"\xff" * 4 + bytes(4)),
            1,
        ),
        (tiff(TURNED, struct.pack("<HHII", 0x011A, 5, 2, BEHIND), extra=bytes(16)), True),
        (tiff(TURNED, struct.pack("<HHII", 0x8825, 2, 4, 0x00636261)), True),
        (tiff(TURNED, struct.pack("<HHII", 0x0100, 9, 1, 0xFFFFFFFF)), True),
        (tiff(struct.pack("<HHI4s", 0x0112, 2, 2, b"6\0\0\0")), False),
        (tiff(struct.pack("<HHIHH", 0x0112, 3, 2, 6, 6)), True),
        (tiff(TURNED)[:14], False),
        (b"II*\0" + struct.pack("<IH", 8, 60_000), False),
        (b"hello there", False),
    ],
)
def test_damaged_exif_costs_the_turn_at_most(kind: str, exif: bytes, turned: bool | int) -> None:
    image = Image.fromarray(PIXELS)
    if kind == "PNG":
        plain = encoded(image)
        at = plain.index(b"IDAT") - 4
        chunk = b"eXIf" + exif
        crc = struct.pack(">I", zlib.crc32(chunk))
        body = plain[:at] + struct.pack(">I", len(exif)) + chunk + crc + plain[at:]
    else:
        plain = encoded(image, "JPEG")
        content = b"Exif\0\0" + exif
        body = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + plain[2:]
    assert decode(body).shape == ((24, 16, 3) if turned else (16, 24, 3))


def test_a_png_of_many_chunks_is_refused_before_it_costs_anything() -> None:
    whole = encoded(Image.new("L", (16, 16)), "PNG")
    before, after = whole[:33], whole[33:]  # behind the header's chunk
    empty = struct.pack(">I4sI", 0, b"IDAT", zlib.crc32(b"IDAT"))
    assert decode(before + empty * 1_000 + after).shape == (16, 16, 3)
    with pytest.raises(ImageError, match="more than 20,000 chunks"):
        decode(before + empty * 300_000 + after)


def with_scans(count: int, side: int = 16) -> bytes:
    """Return a grey progressive JPEG whose last scan is repeated: a refinement of few bytes."""
    plain = encoded(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    start = plain.rindex(b"\xff\xda")
    return plain[:start] + plain[start:-2] * count + plain[-2:]


def test_a_jpeg_of_many_scans_is_refused_before_it_costs_anything() -> None:
    before = time.thread_time()
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode(with_scans(400, side=2000), (32, 32))
    assert time.thread_time() - before < 1


def test_a_progressive_jpeg_is_decoded() -> None:
    body = encoded(Image.fromarray(PIXELS), "JPEG", progressive=True, quality=95)
    assert decode(body).shape == (16, 24, 3)


def test_a_tiff_that_holds_a_jpeg_of_many_scans_is_refused() -> None:
    plain = encoded(Image.new("L", (16, 16)), "TIFF", compression="jpeg")
    assert decode(plain, limits=PHOTOS).shape == (16, 16, 3)
    with pytest.raises(ImageError, match="JPEG scans"):
        decode(plain + b"\xff\xda\0\2" * 500, limits=PHOTOS)


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def striped(strips: int, *, big: bool = False) -> bytes:
    """Return an 8x8 grey TIFF, or BigTIFF, whose one row of pixels is so many strips."""
    start = struct.pack("<4sHHQ", b"II+\0", 8, 0, 16) if big else b"II*\0" + struct.pack("<I", 8)
    pairs = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (277, 1), (278, 1)]
    head = len(start) + (8 + 9 * 20 + 8 if big else 2 + 9 * 12 + 4)
    layout = "<HHQQ" if big else "<HHII"
    entries = [
        *(struct.pack(layout, tag, 4, 1, value) for tag, value in pairs),
        struct.pack(layout, 273, 4, strips, head),
        struct.pack(layout, 279, 4, strips, head),
    ]
    entries.sort(key=lambda packed: packed[:2][::-1])
    count = struct.pack("<Q" if big else "<H", len(entries))
    offsets = struct.pack("<I", 8) * strips
    return start + count + b"".join(entries) + bytes(8 if big else 4) + offsets


@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_of_more_strips_than_an_image_has_rows_is_refused(big: bool) -> None:
    assert decode(striped(8, big=big), limits=PHOTOS).shape == (8, 8, 3)
    before = time.thread_time()
    with pytest.raises(ImageError, match="1,000,000 values in its tag 273"):
        decode(striped(1_000_000, big=big), limits=PHOTOS)
    assert time.thread_time() - before < 1


def test_a_tiff_of_tiles_far_larger_than_its_image_is_refused() -> None:
    tags = [(256, 16), (257, 16), (258, 8), (259, 1), (262, 1), (277, 1)]
    side = 20_000
    tiles = [(322, side), (323, side), (324, 8), (325, 8)]
    body = tiff(*(entry(tag, 4, 1, value) for tag, value in [*tags, *tiles]))
    with pytest.raises(ImageTooBig, match="tiles of 400,000,000 pixels"):
        decode(body, limits=PHOTOS)


def test_strips_of_a_tiff_that_decode_the_same_jpeg_again_are_refused() -> None:
    plain = encoded(Image.new("L", (16, 16)), "TIFF", compression="jpeg")
    size = struct.pack("<HHI", 279, 4, 1)
    at = plain.index(size) + len(size)
    with pytest.raises(ImageError, match="share their bytes"):
        decode(plain[:at] + struct.pack("<I", len(plain) + 1) + plain[at + 4 :], limits=PHOTOS)


def gif(blocks: bytes) -> bytes:
    """Return a GIF of 16x16 pixels with these bytes before its picture."""
    plain = encoded(Image.new("P", (16, 16)), "GIF")
    start = plain.index(b",\0\0\0\0")
    return plain[:start] + blocks + plain[start:]


def bmp_in_runs(width: int, height: int, runs: bytes) -> bytes:
    """Return a BMP of 8 bits a pixel whose pixels are these runs (RLE8)."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(head) + 1024
    return struct.pack("<2sIII", b"BM", start + len(runs), 0, start) + head + bytes(1024) + runs


@pytest.mark.parametrize(
    "body",
    [
        gif(b"!\xfe" + b"\x01a" * 2_000_000 + b"\0"),
        gif(b"!\xfe\x01a\0" * 1_000_000),
        gif(b"\x01" * 4_000_000),
        bmp_in_runs(2_000, 2_000, b"\0\2\0\0" * 1_000_000),
        bmp_in_runs(2_000, 2_000, b"\1\1" * 2_000_000),
    ],
    ids=itertools.count(),
)
def test_an_image_of_a_million_parts_is_refused_before_it_costs_anything(body: bytes) -> None:
    before = time.thread_time()
    with pytest.raises(ImageError, match="more than 1,000,000 parts"):
        decode(body, (32, 32), limits=PHOTOS)
    assert time.thread_time() - before < 2


def test_a_bmp_in_runs_has_so_many_pixels_as_are_unpacked_in_a_second() -> None:
    empty_rows = b"\1\1\0\0"
    assert decode(bmp_in_runs(8, 8, empty_rows * 8 + b"\0\1"), limits=PHOTOS).shape == (8, 8, 3)
    with pytest.raises(ImageTooBig, match="8000x8000 pixels; at most 4,000,000"):
        decode(bmp_in_runs(8000, 8000, empty_rows * 8000 + b"\0\1"), (32, 32), limits=PHOTOS)


@pytest.mark.parametrize("size", [(70_000, 1), (1, 70_000)])
def test_an_image_of_one_endless_row_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooBig, match="65,535 a side"):
        decode(encoded(Image.new("L", size)), (32, 32))


def test_exif_that_is_no_cameras_is_not_read() -> None:
    numbers = b"\1\2\3\4" * 300_000
    plain = encoded(Image.fromarray(PIXELS))
    for padding, turned in ((b"", True), (numbers, False)):
        content = tiff(TURNED, extra=padding)
        chunk = b"eXIf" + content
        crc = struct.pack(">I", zlib.crc32(chunk))
        body = plain[:33] + struct.pack(">I", len(content)) + chunk + crc + plain[33:]
        assert decode(body).shape == ((24, 16, 3) if turned else (16, 24, 3))
