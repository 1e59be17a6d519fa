"""Captured image bytes as the model saw them, for the report: measured and shown small."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from scones_images import ImageError, open_image, to_rgb, upright

THUMBNAIL_PIXELS = 128
MAX_PNG_BYTES = 8_000


@dataclass(frozen=True)
class InputImage:
    """A decoded image of 8-bit RGB, upright, at most 16 million pixels."""

    pixels: Image.Image

    def data_uri(self) -> str:
        """Return a data URI of the pixels alone, at most 128 pixels wide and high.

        PNG for a small one, JPEG where that would weigh more than MAX_PNG_BYTES.
        """
        small = self.pixels.copy()
        small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        kind, out = "png", io.BytesIO()
        small.save(out, "PNG", optimize=True)
        if out.tell() > MAX_PNG_BYTES:
            kind, out = "jpeg", io.BytesIO()
            small.save(out, "JPEG", quality=80, optimize=True)
        return f"data:image/{kind};base64," + base64.b64encode(out.getvalue()).decode()


def decode_image(body: bytes) -> InputImage | None:
    """Return the PNG or JPEG of these bytes; None for anything that the endpoint refuses."""
    try:
        with open_image(body) as image:
            return InputImage(to_rgb(upright(image)))
    except (ImageError, MemoryError):
        return None
