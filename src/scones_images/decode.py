"""Encoded images from outside, as hostile as they may be, to RGB pixels.

Whatever decides how long decoding takes is checked before it begins: bytes, declared pixels and
sides, the number of scans of a JPEG, each of which is a pass over all pixels, the strips and
tiles of a TIFF, and the pixels of a BMP in runs. The parts that a file is read in are counted.
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
from scones_core.limits import (
    ENDPOINT_BODY_BYTES,
    MAX_IMAGE_PIXELS,
    MAX_IMAGE_SIDE,
    MAX_JPEG_SCANS,
)
from scones_images.png_chunks import without_metadata
from scones_images.tiff_directory import require_few_values
from scones_images.upright_rgb import note_depth, to_rgb, upright

_TIFF_STRIPS, _TIFF_STRIP_BYTES = 273, 279
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH, _TIFF_TILES, _TIFF_TILE_BYTES = 322, 323, 324, 325
# Whole tiles are decoded, also where the image is smaller; writers use 128 to 1,024 pixels a side.
_TIFF_TILE_PIXELS = 4_000_000
# A strip or tile is baseline, or has one scan of each channel.
_TIFF_PART_SCANS = 4
# Pillow reads a file's parts one by one, some a byte at a time: blocks of a GIF, runs of a BMP.
# A TIFF with a strip for each of its rows, which is the most that a writer makes, takes half.
_MAX_READS = 1_000_000
# Pillow unpacks these in Python, an empty row pixel by pixel.
_BMP_RLE, _BMP_RLE_PIXELS = "bmp_rle", 4_000_000


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
        require_few_values(body)
        body = without_metadata(body)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(_CountedReads(body), formats=limits.formats) as image:
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


class _CountedReads(io.BytesIO):
    """The bytes of an image, for a reader that comes to its end in so many steps."""

    _left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ImageError(f"the image has more than {_MAX_READS:,} parts")
        return super().read(size)


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
    if max(width, height) > MAX_IMAGE_SIDE:
        raise ImageTooBig(
            f"the image has {width}x{height} pixels; at most {MAX_IMAGE_SIDE:,} a side are accepted"
        )
    if image.format == "TIFF":
        _require_tiff_limits(image, body)
    tiles = getattr(image, "tile", ())
    if tiles and tiles[0][0] == _BMP_RLE and width * height > _BMP_RLE_PIXELS:
        raise ImageTooBig(
            f"the run-length encoded BMP has {width}x{height} pixels; at most "
            f"{_BMP_RLE_PIXELS:,} are accepted; save it as PNG"
        )


def _require_tiff_limits(image: Image.Image, body: bytes) -> None:
    tags = getattr(image, "tag_v2", {})
    width, length = tags.get(_TIFF_TILE_WIDTH), tags.get(_TIFF_TILE_LENGTH)
    tile_pixels = width * length if isinstance(width, int) and isinstance(length, int) else 0
    if tile_pixels > max(_TIFF_TILE_PIXELS, image.width * image.height):
        raise ImageTooBig(
            f"the TIFF has tiles of {tile_pixels:,} pixels; at most {_TIFF_TILE_PIXELS:,} are "
            "accepted"
        )
    if "jpeg" in str(image.info.get("compression")):
        # Each strip or tile may be a JPEG of its own; all of them together are one image.
        sizes = tags.get(_TIFF_STRIP_BYTES) or tags.get(_TIFF_TILE_BYTES) or ()
        sizes = sizes if isinstance(sizes, tuple) else (sizes,)
        scans = body.count(b"\xff\xda")
        if scans > MAX_JPEG_SCANS + _TIFF_PART_SCANS * len(sizes):
            raise ImageError(f"the TIFF has {scans:,} JPEG scans in {len(sizes)} parts")
        if sum(sizes) > len(body):
            raise ImageError("the TIFF has strips that share their bytes")
