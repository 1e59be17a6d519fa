"""Image files, whatever is in them, to pixels or to a reason why not."""

import hashlib
import io
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of each file, in hex; OSError passes through."""

    def digest(name: str) -> str:
        with (folder / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(_workers()) as pool:
        return dict(zip(names, pool.map(digest, names), strict=True))


def read_photos(
    folder: Path, names: Sequence[str], sha256: Mapping[str, str], image: ImageFormat
) -> tuple[dict[str, Photo], dict[str, str]]:
    """Return the photographs of a folder's files by name, and why each other file is none.

    Raises ChecksumMismatch when a file is not the hashed one any more.
    """

    def read(name: str) -> Photo | UnreadableImage:
        try:
            return read_photo(folder / name, sha256[name], image)
        except UnreadableImage as error:
            return error

    with ThreadPoolExecutor(_workers()) as pool:
        results = list(zip(names, pool.map(read, names), strict=True))
    photos = {name: found for name, found in results if isinstance(found, Photo)}
    faults = {name: str(found) for name, found in results if isinstance(found, UnreadableImage)}
    return photos, faults


def stacked(photos: Collection[Photo], image: ImageFormat, where: str) -> NDArray[np.uint8]:
    """Return the pixels of photographs, uint8 (N, H, W, 3); raises DatasetError for two sizes."""
    shapes = {photo.pixels.shape for photo in photos}
    if len(shapes) > 1:
        raise DatasetError(
            f"{where} has images of {len(shapes)} sizes; set dataset.image_side to the "
            "side that all of them are to have, such as 224."
        )
    if not photos:
        return np.empty((0, image.side, image.side, 3), dtype=np.uint8)
    return np.stack([photo.pixels for photo in photos])


def _workers() -> int:
    """Return as many threads as there are cores: each holds one decoded photograph."""
    return os.cpu_count() or 1


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
