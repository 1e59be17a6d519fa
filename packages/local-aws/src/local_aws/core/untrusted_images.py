"""Images that anybody sent: opened where decoding them is bounded, in pixels and in passes."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

# A photograph has some ten million pixels; more is a bomb.
MAX_PIXELS = 50_000_000
# To scale a longer row down takes gigabytes.
_MAX_SIDE = 65_535
# Each scan of a JPEG is a pass over all pixels, and has as few as 14 bytes; encoders write ten.
# Pillow copies all Exif for each of its segments; cameras write one. Pixels hold neither mark.
_MAX_MARKS = 200
_MARKS = (b"\xff\xda", b"Exif\0\0")


class UndecodableImage(ValueError):
    """Bytes that are no JPEG or PNG image, or one that is too costly; the text says which."""


class TooCostlyImage(UndecodableImage):
    """An image that is not decoded, whatever it shows."""


@contextmanager
def open_image(data: bytes) -> Iterator[Image.Image]:
    """Yield the JPEG or PNG image of these bytes, not decoded yet.

    Raises UndecodableImage, also for what decoding it within the body raises.
    """
    if data.startswith(b"\xff\xd8") and max(map(data.count, _MARKS)) > _MAX_MARKS:
        raise TooCostlyImage("The image has too many scans, or segments of Exif.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
                if image.width * image.height > MAX_PIXELS or max(image.size) > _MAX_SIDE:
                    raise TooCostlyImage("The image has too many pixels.")
                yield image
    except UndecodableImage:
        raise
    except Exception as error:  # Pillow's plugins raise whatever a broken file makes them
        raise UndecodableImage("The payload is no JPEG or PNG image.") from error
