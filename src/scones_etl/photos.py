"""One image file, whatever is in it, to pixels or to a reason why not."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scones_core.errors import ChecksumMismatch, DatasetError
from scones_etl.formats import ImageFormat

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MAX_BYTES = 64 << 20
# Three bytes a pixel are held by each thread that decodes.
MAX_PIXELS = 64_000_000


class UnreadableImage(DatasetError):
    """A file is no image that can be decoded."""


@dataclass(frozen=True, slots=True)
class Photo:
    """`pixels` is uint8 (H, W, 3) in the asked form; `size` the file's own (width, height)."""

    pixels: NDArray[np.uint8]
    size: tuple[int, int]


def read_photo(path: Path, sha256: str, image: ImageFormat) -> Photo:
    """Return the first frame of an image file.

    The size that the header declares is checked before anything is decoded. Raises
    UnreadableImage with the reason, ChecksumMismatch when the file is not the hashed one.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableImage(f"it has more than {MAX_BYTES:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"it cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ChecksumMismatch(f"{path} changed while it was read; try again.")
    return decode(data, image)


def decode(data: bytes, image: ImageFormat) -> Photo:
    """Return the pixels of encoded bytes; raises UnreadableImage with the reason."""
    if not data:
        raise UnreadableImage("it is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as found:
            size = found.size
            if size[0] * size[1] > MAX_PIXELS:
                raise UnreadableImage(f"it has more than {MAX_PIXELS:,} pixels")
            return Photo(image.fit(found), size)
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"it is none of {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"it has more than {MAX_PIXELS:,} pixels") from error
    except UnreadableImage:
        raise
    # A decoder raises whatever a damaged file makes it stumble over: there is no closed list.
    except Exception as error:
        raise UnreadableImage(f"it is damaged: {error or type(error).__name__}") from error
