"""Images of a review: hostile bytes to a PNG for the page, and the folder that keeps them."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from scones_core.files import write_atomically
from scones_images import PHOTOS, ImageError, open_image, to_rgb, upright

MAX_SIDE = 1600
"""Pixels of the page's image: a photograph is shown no larger."""

SUFFIXES = {
    "PNG": "png",
    "JPEG": "jpg",
    "WEBP": "webp",
    "BMP": "bmp",
    "GIF": "gif",
    "TIFF": "tif",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as the page shows it: `png` bytes of the first frame, upright, on white.

    `width` and `height` are those of the PNG, in pixels; `file` is `<sha256>.<suffix>`, of the
    bytes as they came.
    """

    sha256: str
    file: str
    png: bytes
    width: int
    height: int


def render(body: bytes) -> Picture:
    """Return what the page shows of an encoded image; raises ImageError with the reason."""
    with open_image(body, PHOTOS) as image:
        suffix = SUFFIXES[image.format or ""]
        shown = to_rgb(upright(image))
        shown.thumbnail((MAX_SIDE, MAX_SIDE))
        out = io.BytesIO()
        shown.save(out, "PNG", compress_level=1)
        size = shown.size
    sha256 = hashlib.sha256(body).hexdigest()
    return Picture(sha256, f"{sha256}.{suffix}", out.getvalue(), *size)


class ImageFolder:
    """The answered images by name, each written before an answer names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, picture: Picture, body: bytes) -> None:
        """Write an image's bytes where they are not there yet; OSError passes through."""
        path = self.path / picture.file
        if not path.is_file() or path.stat().st_size != len(body):
            write_atomically(path, body)

    def read(self, file: str) -> bytes:
        """Return an image's bytes; raises ImageError where it is gone or too large."""
        try:
            with (self.path / file).open("rb") as opened:
                body = opened.read(PHOTOS.max_bytes + 1)
        except OSError as error:
            raise ImageError(f"the image is no longer in {self.path}: {error.strerror}") from error
        if len(body) > PHOTOS.max_bytes:
            raise ImageError(f"the image has more than {PHOTOS.max_bytes:,} bytes")
        return body
