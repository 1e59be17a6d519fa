"""Captured image bytes as the model saw them, for the report: measured and shown small."""

import base64
import io
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageStat

from scones_images import ImageError, open_image, to_rgb, upright

THUMBNAIL_PIXELS = 128


@dataclass(frozen=True)
class InputImage:
    """A decoded image of 8-bit RGB, upright, at most 16 million pixels."""

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
    """Return the PNG or JPEG of these bytes; None for anything that the endpoint refuses."""
    try:
        with open_image(body) as image:
            return InputImage(to_rgb(upright(image)))
    except (ImageError, MemoryError):
        return None
