import base64
import io
import struct
import zlib

import pytest
from PIL import Image

from scones_monitor.captured_images import decode_image


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (32, 32)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "white").save(out, kind)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that declares a size and holds no pixels of it."""
    chunks = b""
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ):
        crc = struct.pack(">I", zlib.crc32(name + data))
        chunks += struct.pack(">I", len(data)) + name + data + crc
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "L")])
def test_a_sound_image_is_decoded_as_rgb(kind: str, mode: str) -> None:
    found = decode_image(encoded(kind, mode))

    assert found is not None
    assert (found.pixels.size, found.pixels.getpixel((5, 5))) == ((32, 32), (255, 255, 255))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<svg onload='alert(1)'/>",
        encoded("GIF"),
        encoded("PNG")[:60],
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"\xff\xd8\xff" + b"\0" * 40,
        png_header(20_000, 20_000),
        png_header(5_000, 5_000),
        encoded("PNG") + b"\0" * 6_291_456,
    ],
    ids=["empty", "svg", "gif", "cut", "png", "jpeg", "bomb", "many pixels", "long"],
)
def test_anything_else_is_no_image(body: bytes) -> None:
    assert decode_image(body) is None


def test_a_thumbnail_is_encoded_again_and_small() -> None:
    body = encoded("JPEG", size=(600, 300)) + b"<script>trailing</script>"

    found = decode_image(body)

    assert found is not None
    head, _, data = found.data_uri().partition(",")
    thumbnail = base64.b64decode(data)
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(thumbnail)).size == (128, 64)
    assert b"script" not in thumbnail


def test_a_photograph_that_would_weigh_much_is_a_jpeg() -> None:
    out = io.BytesIO()
    Image.effect_noise((400, 400), 90).convert("RGB").save(out, "PNG")

    found = decode_image(out.getvalue())

    assert found is not None
    assert found.data_uri().startswith("data:image/jpeg;base64,")
