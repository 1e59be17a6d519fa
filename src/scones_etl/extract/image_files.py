"""Image files, whatever is in them, to pixels or to a reason why not."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import ChecksumMismatch, DatasetError
from scones_etl.image_format import ImageFormat
from scones_images import PHOTOS, ImageError, open_image

NOT_HASHED = ""
"""The hash of a file that is too large to be read at all."""

NOT_READ = "-"
"""The hash of a file that could not be opened."""


@dataclass(frozen=True, slots=True)
class Photo:
    """`pixels` is uint8 (H, W, 3) in the asked form; `size` the file's own (width, height)."""

    pixels: NDArray[np.uint8]
    size: tuple[int, int]


class PixelBudget:
    """Bounds the declared pixels that threads decode at once; one larger image goes alone.

    A pixel takes some 20 bytes while transparent parts are laid on white.
    """

    def __init__(self, pixels: int) -> None:
        self._pixels, self._used, self._freed = pixels, 0, threading.Condition()

    @contextlib.contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Wait until the pixels fit next to those that are being decoded, and hold them."""
        with self._freed:
            self._freed.wait_for(lambda: not self._used or self._used + pixels <= self._pixels)
            self._used += pixels
        try:
            yield
        finally:
            with self._freed:
                self._used -= pixels
                self._freed.notify_all()


_DECODING = PixelBudget(PHOTOS.max_pixels)


def digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of each file, in hex.

    A file larger than any that is decoded is NOT_HASHED, one that cannot be opened NOT_READ:
    `read_photos` gives the reason.
    """

    def digest(name: str) -> str:
        path = folder / name
        try:
            if path.stat().st_size > PHOTOS.max_bytes:
                return NOT_HASHED
            return hashlib.sha256(_content(path)).hexdigest()
        except OSError:
            return NOT_READ

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(zip(names, pool.map(digest, names), strict=True))


def read_photos(
    folder: Path, names: Sequence[str], sha256: Mapping[str, str], image: ImageFormat
) -> tuple[dict[str, Photo], dict[str, str]]:
    """Return the photographs of a folder's files by name, and why each other file is none.

    Raises ChecksumMismatch when a file is not the hashed one any more.
    """

    def read(name: str) -> Photo | ImageError:
        try:
            return read_photo(folder / name, sha256[name], image)
        except ImageError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(zip(names, pool.map(read, names), strict=True))
    photos = {name: found for name, found in results if isinstance(found, Photo)}
    faults = {name: str(found) for name, found in results if isinstance(found, ImageError)}
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


def read_photo(path: Path, sha256: str, image: ImageFormat) -> Photo:
    """Return the first frame of an image file.

    Raises ImageError with the reason, ChecksumMismatch when the file is not the hashed one.
    """
    too_large = f"the image has more than {PHOTOS.max_bytes:,} bytes"
    if sha256 == NOT_HASHED:
        raise ImageError(too_large)
    try:
        data = _content(path)
    except OSError as error:
        raise ImageError(f"the image cannot be read: {error.strerror}") from error
    if len(data) > PHOTOS.max_bytes:
        raise ImageError(too_large)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ChecksumMismatch(f"{path} changed while it was read; try again.")
    return decode(data, image)


def _content(path: Path) -> bytes:
    """Return a file's bytes, at most one more than are decoded; raises OSError.

    One that says that it has none is not opened: some of /proc never give what is waited for.
    """
    if not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return file.read(PHOTOS.max_bytes + 1)


def decode(data: bytes, image: ImageFormat) -> Photo:
    """Return the pixels of encoded bytes; raises ImageError with the reason."""
    with open_image(data, PHOTOS) as found:
        size = found.size
        with _DECODING.take(size[0] * size[1]):
            return Photo(image.fit(found), size)
