"""The one rule that turns an image of any mode and orientation into upright 8-bit RGB."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BACKGROUND = (255, 255, 255)
"""Transparent parts lie on white."""

_ORIENTATION = 0x0112
# https://www.media.mit.edu/pia/Research/deepview/exif.html, tag 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF orientation says.

    EXIF that cannot be read leaves it as it is: nothing in the pixels depends on it. Raises
    what Pillow raises for damaged pixels.
    """
    image.load()
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    # Whatever a damaged tag makes Pillow's reader stumble over: there is no closed list.
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any of Pillow's modes as 8-bit RGB, transparent parts on white.

    Grey of more than 8 bits is scaled down, not cut off: 16 bits keep their upper byte; 32-bit
    and floating-point grey is taken as the smallest of 1 (float only), 8, 16 and 32 bits that
    holds its brightest pixel.
    """
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image)
        transparent = image.info.get("transparency")
        rgb = Image.fromarray(_eight_bits(grey, image.mode)).convert("RGB")
        if isinstance(transparent, int):
            clear = Image.fromarray(np.where(grey == transparent, np.uint8(255), np.uint8(0)))
            rgb.paste(BACKGROUND, mask=clear)
        return rgb
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(grey: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    """Return grey pixels, (H, W) of 16 or 32 bits or floats, as uint8 (H, W)."""
    if mode == "F":
        values = np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        brightest = values.max(initial=0.0)
        scale = next((255 / top for top in (1, 255, 65535) if brightest <= top), 255 / brightest)
        return np.rint(values * scale).clip(0, 255).astype(np.uint8)
    integers = grey.astype(np.int64).clip(0, None)
    bits = 16
    if mode == "I":
        bits = next(b for b in (8, 16, 32, 63) if int(integers.max(initial=0)) < 1 << b)
    return (integers >> (bits - 8)).astype(np.uint8)
