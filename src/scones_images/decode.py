"""Encoded images from outside, as hostile as they may be, to RGB pixels.

Whatever decides how long decoding takes is checked before it begins: bytes, declared pixels, and
the number of scans of a JPEG, each of which is a pass over all pixels.
"""

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scones_core.errors import SconesError, UnsupportedImage
from scones_core.file_kinds import kind_of
from scones_core.image_header import require_few_chunks, require_few_scans
from scones_core.limits import ENDPOINT_BODY_BYTES, MAX_IMAGE_PIXELS, MAX_JPEG_SCANS
from scones_images.upright_rgb import note_depth, to_rgb, upright

_TIFF_STRIPS, _TIFF_TILES = 273, 324


class ImageError(SconesError):
    """The bytes are not an image that can be decoded; the message is a clause about it."""


class ImageTooBig(ImageError):
    """The image has more bytes or pixels than are accepted."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Which formats (Pillow's names) are decoded, of how many bytes and declared pixels."""

    formats: tuple[str, ...]
    max_bytes: int
    max_pixels: int


ENDPOINT = DecodeLimits(("PNG", "JPEG"), ENDPOINT_BODY_BYTES, MAX_IMAGE_PIXELS)
"""What the endpoint, and whoever shows what it was sent, decodes."""

PHOTOS = DecodeLimits(("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"), 64 << 20, 64_000_000)
"""What the ETL and the training channels decode."""


def decode(
    body: bytes,
    size: tuple[int, int] | None = None,
    *,
    grey: bool = False,
    limits: DecodeLimits = ENDPOINT,
) -> NDArray[np.uint8]:
    """Return the pixels of an image's first frame: uint8 (H, W, 3), RGB, turned upright.

    `size` is (height, width) to resize to; `grey` makes all three channels the luminance
    (ITU-R 601). Raises ImageTooBig and ImageError.
    """
    with open_image(body, limits) as image:
        return fit(image, size, grey=grey)


@contextlib.contextmanager
def open_image(body: bytes, limits: DecodeLimits = ENDPOINT) -> Iterator[Image.Image]:
    """Yield an image whose declared size is within the limits, not yet decoded.

    What goes wrong within the block, while it is decoded, becomes an ImageError too.
    """
    if not body:
        raise ImageError("the image is empty")
    if len(body) > limits.max_bytes:
        raise ImageTooBig(
            f"the image has {len(body):,} bytes; at most {limits.max_bytes:,} are accepted"
        )
    try:
        require_few_scans(body)
        require_few_chunks(body)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body), formats=limits.formats) as image:
                _require_limits(image, body, limits)
                note_depth(image)
                yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(body, limits.formats)) from error
    except Image.DecompressionBombError as error:
        raise ImageTooBig(
            f"the image has too many pixels; at most {limits.max_pixels:,} are accepted"
        ) from error
    except UnsupportedImage as error:
        raise ImageError(str(error)) from error
    # What Pillow's decoders are known to raise for damaged files, whichever chunk is at fault.
    except (
        OSError,
        ValueError,
        SyntaxError,
        TypeError,
        EOFError,
        OverflowError,
        LookupError,
        AttributeError,
        NotImplementedError,
        RuntimeError,
        struct.error,
        zlib.error,
    ) as error:
        raise ImageError(f"the image is damaged: {error or type(error).__name__}") from error


def fit(
    image: Image.Image, size: tuple[int, int] | None = None, *, grey: bool = False
) -> NDArray[np.uint8]:
    """Return an opened image as uint8 (H, W, 3), whole, scaled to (height, width) if given.

    Nothing is cropped. A reduction by a whole number is the mean of boxes, any other bicubic.
    """
    if size is not None and image.format == "JPEG":
        # Decoding at a reduced scale costs a fraction; twice the size leaves the resize a choice.
        image.draft(None, (2 * max(size), 2 * max(size)))
    rgb = to_rgb(upright(image))
    if grey:
        rgb = rgb.convert("L").convert("RGB")
    if size is not None and rgb.size != (size[1], size[0]):
        whole = rgb.width % size[1] == 0 and rgb.height % size[0] == 0
        how = Image.Resampling.BOX if whole else Image.Resampling.BICUBIC
        rgb = rgb.resize((size[1], size[0]), how)
    return np.array(rgb, dtype=np.uint8)


def _unidentified(body: bytes, formats: tuple[str, ...]) -> str:
    """Return why bytes are not an image of these formats, naming what they are where it shows."""
    kind = kind_of(body)
    if kind is None:
        return f"the bytes are not a {' or '.join(formats)} image"
    if kind.format in formats:
        return f"the {kind.name} is damaged, or of a rare kind that is not read; save it as PNG"
    advice = kind.advice or "convert it to PNG or JPEG"
    return f"the bytes are not a {' or '.join(formats)} image but {kind.name}; {advice}"


def _require_limits(image: Image.Image, body: bytes, limits: DecodeLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageTooBig(
            f"the image has {width}x{height} pixels; at most {limits.max_pixels:,} are accepted"
        )
    if image.format == "TIFF":
        # Each strip or tile may be a JPEG of its own; all of them together are one image.
        tags = getattr(image, "tag_v2", {})
        parts = tags.get(_TIFF_STRIPS) or tags.get(_TIFF_TILES) or ()
        count = len(parts) if isinstance(parts, tuple) else 1
        if "jpeg" in str(image.info.get("compression")):
            scans = body.count(b"\xff\xda")
            if scans > MAX_JPEG_SCANS * max(1, count):
                raise ImageError(f"the TIFF has {scans:,} JPEG scans in {count} parts")
