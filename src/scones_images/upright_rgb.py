"""The one rule that turns an image of any mode and orientation into upright 8-bit RGB."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BACKGROUND = (255, 255, 255)
"""Transparent parts lie on white."""

_ORIENTATION = 0x0112
# A camera writes at most 64 KiB; each number in it becomes an object.
_MAX_EXIF_BYTES = 1 << 20
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

_GREY = "scones_grey"
# What Pillow multiplies PNG grey of so few bits by, but not the value that is transparent.
_PNG_SCALES = {"L;2": 85, "L;4": 17}
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT = 258, 262, 339
_UNSIGNED = 1


@dataclass(frozen=True, slots=True)
class _Grey:
    """What the values of a TIFF's grey of more than 8 bits mean."""

    bits: int
    unsigned: bool
    zero_is_white: bool


def note_depth(image: Image.Image) -> None:
    """Complete the `info` of an opened image, not yet loaded, by what `to_rgb` needs of its file.

    A PNG's transparent value gets the scale of the pixels, which Pillow gives to them only; of a
    TIFF's grey the number of bits is kept, and whether 0 is white. Raises what Pillow raises for
    damaged tags.
    """
    if image.format == "PNG":
        _scale_transparent_value(image)
    elif image.format == "TIFF" and (image.mode.startswith("I") or image.mode == "F"):
        tags = getattr(image, "tag_v2", {})
        bits, kinds = tags.get(_TIFF_BITS) or (1,), tags.get(_TIFF_SAMPLE_FORMAT) or (1,)
        unsigned = kinds[0] == _UNSIGNED
        image.info[_GREY] = _Grey(int(bits[0]), unsigned, tags.get(_TIFF_PHOTOMETRIC) == 0)


def _scale_transparent_value(image: Image.Image) -> None:
    value = image.info.get("transparency")
    tiles = getattr(image, "tile", ())
    rawmode = tiles[0].args if tiles else ""
    if isinstance(value, int) and rawmode in _PNG_SCALES:
        image.info["transparency"] = value * _PNG_SCALES[rawmode]
    elif isinstance(value, tuple) and rawmode == "RGB;16B":
        # Pillow keeps the upper byte of each channel.
        image.info["transparency"] = tuple(channel >> 8 for channel in value)


def upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF orientation says.

    EXIF that cannot be read, or has over 1 MiB, leaves it as it is: nothing in the pixels
    depends on it. Raises what Pillow raises for damaged pixels.
    """
    image.load()
    if len(image.info.get("exif", b"")) > _MAX_EXIF_BYTES:
        return image
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    # Whatever a damaged tag makes Pillow's reader stumble over: there is no closed list.
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any of Pillow's modes as 8-bit RGB, transparent parts on white.

    Grey of more than 8 bits is scaled down, not cut off: up to 16 bits keep their upper 8; 32-bit
    and floating-point grey is taken as the smallest of 1 (float only), 8, 16 and 32 bits that
    holds its brightest pixel. `note_depth` finds a file's own depth. A BMP whose every pixel
    is transparent has no alpha: its writer left that byte empty.
    """
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image)
        transparent = image.info.get("transparency")
        rgb = Image.fromarray(_eight_bits(grey, image.mode, image.info.get(_GREY))).convert("RGB")
        if isinstance(transparent, int):
            clear = Image.fromarray(np.where(grey == transparent, np.uint8(255), np.uint8(0)))
            rgb.paste(BACKGROUND, mask=clear)
        return rgb
    if image.format == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        return image.convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(grey: NDArray[np.generic], mode: str, declared: _Grey | None) -> NDArray[np.uint8]:
    """Return grey pixels, (H, W) of 16 or 32 bits or floats, as uint8 (H, W)."""
    if mode == "F":
        values = np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        brightest = values.max(initial=0.0)
        scale = next((255 / top for top in (1, 255, 65535) if brightest <= top), 255 / brightest)
        found = np.rint(values * scale).clip(0, 255).astype(np.uint8)
    else:
        found = _upper_bits(grey.astype(np.int64), mode, declared)
    return 255 - found if declared and declared.zero_is_white else found


def _upper_bits(
    integers: NDArray[np.int64], mode: str, declared: _Grey | None
) -> NDArray[np.uint8]:
    if mode != "I":
        bits = declared.bits if declared and 8 < declared.bits < 16 else 16
    else:
        if declared and declared.bits == 32 and declared.unsigned:
            # Pillow reads them as signed.
            integers = integers & 0xFFFFFFFF
        bits = next(b for b in (8, 16, 32, 63) if int(integers.max(initial=0)) < 1 << b)
    return (integers.clip(0, None) >> (bits - 8)).astype(np.uint8)
