"""Captured image bytes, decoded as hostile input: header and size first, then pixels."""

import base64
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageStat

MAX_IMAGE_BYTES = 6_291_456
MAX_IMAGE_PIXELS = 16_000_000
THUMBNAIL_PIXELS = 128
_MAGIC = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
# What Pillow's decoders are known to raise on altered files.
_UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    MemoryError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@dataclass(frozen=True)
class InputImage:
    """A decoded image of 8-bit RGB, at most 16 million pixels."""

    pixels: Image.Image

    @property
    def width(self) -> int:
        """Return the width in pixels."""
        return self.pixels.width

    @property
    def height(self) -> int:
        """Return the height in pixels."""
        return self.pixels.height

    @cached_property
    def brightness(self) -> float:
        """Return the mean luma (ITU-R 601), 0 black to 255 white."""
        return float(ImageStat.Stat(self.pixels.convert("L")).mean[0])

    def data_uri(self) -> str:
        """Return a PNG data URI of the pixels alone, at most 128 pixels wide and high."""
        small = self.pixels.copy()
        small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        out = io.BytesIO()
        small.save(out, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def decode_image(body: bytes) -> InputImage | None:
    """Return the PNG or JPEG of these bytes; None for anything that is not a small, sound one."""
    kind = next((name for magic, name in _MAGIC.items() if body.startswith(magic)), None)
    if kind is None or len(body) > MAX_IMAGE_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(body), formats=(kind,)) as image:
                if image.width * image.height > MAX_IMAGE_PIXELS:
                    return None
                return InputImage(image.convert("RGB"))
    except _UNDECODABLE:
        return None
