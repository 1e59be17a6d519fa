"""One uploaded image, as hostile as it may be, to RGB pixels."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scones_core.errors import SconesError

FORMATS = ("PNG", "JPEG")
MAX_BYTES = 6 * 1024 * 1024
MAX_PIXELS = 16_000_000
BACKGROUND = (255, 255, 255)


class ImageError(SconesError):
    """The bytes are no image that can be decoded."""


class ImageTooBig(ImageError):
    """The image has more bytes or pixels than are taken."""


def decode(
    body: bytes, size: tuple[int, int] | None = None, *, grey: bool = False
) -> NDArray[np.uint8]:
    """Return the pixels of a PNG or JPEG: uint8 (H, W, 3), sRGB order, turned upright.

    `size` is (height, width) to resize to; `grey` makes all three channels its luminance
    (ITU-R 601), as the ETL does for `image_mode = "grey"`. Transparent parts lie on white. The
    size that the header declares is checked before anything is decoded. Raises ImageTooBig and
    ImageError.
    """
    if len(body) > MAX_BYTES:
        raise ImageTooBig(f"The image has {len(body)} bytes; at most {MAX_BYTES} are taken.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body), formats=FORMATS) as image:
                return _pixels(image, size, grey=grey)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("The bytes are no PNG or JPEG image.") from error
    except Image.DecompressionBombError as error:
        raise ImageTooBig(
            f"The image has too many pixels; at most {MAX_PIXELS} are taken."
        ) from error
    # Pillow's decoders raise these for damaged files, whichever chunk is at fault.
    except (OSError, ValueError, SyntaxError, TypeError, EOFError, OverflowError) as error:
        raise ImageError(f"The image is damaged: {error}.") from error


def _pixels(image: Image.Image, size: tuple[int, int] | None, *, grey: bool) -> NDArray[np.uint8]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageTooBig(f"The image has {width}x{height} pixels; at most {MAX_PIXELS} are taken.")
    if size is not None and image.format == "JPEG":
        # Decoding at a reduced scale costs a fraction; twice the size leaves the resize a choice.
        image.draft(None, (2 * max(size), 2 * max(size)))
    upright = ImageOps.exif_transpose(image)
    rgb = _rgb(upright)
    if grey:
        rgb = rgb.convert("L").convert("RGB")
    if size is not None and rgb.size != (size[1], size[0]):
        rgb = rgb.resize(
            (size[1], size[0]),
            Image.Resampling.BOX if _whole(rgb, size) else Image.Resampling.BICUBIC,
        )
    return np.array(rgb, dtype=np.uint8)


def _whole(image: Image.Image, size: tuple[int, int]) -> bool:
    """Say whether the image is an exact multiple of the size, so that a mean of boxes is exact."""
    return image.size[0] % size[1] == 0 and image.size[1] % size[0] == 0


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 where it converts; scale it instead.
        grey = np.asarray(image, dtype=np.int64).clip(0, 65535) >> 8
        image = Image.fromarray(grey.astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, rgba).convert("RGB")
    return image.convert("RGB")
