"""Contact sheets: many images of a class on one page, for a look at what is in a dataset."""

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_IMAGES = 100
_COLUMNS = 10
_CELL = 64
_GAP = 2
_PAPER = (255, 255, 255)


def evenly(count: int, most: int = MAX_IMAGES) -> list[int]:
    """Return at most `most` indices below `count`, spread over all of them."""
    return [index * count // most for index in range(most)] if count > most else [*range(count)]


def contact_sheet(images: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return a PNG with these images, uint8 (H, W, 3), in rows of ten cells of 64 pixels."""
    columns = min(_COLUMNS, len(images))
    rows = math.ceil(len(images) / _COLUMNS)
    step = _CELL + _GAP
    page = Image.new("RGB", (columns * step + _GAP, rows * step + _GAP), _PAPER)
    for number, image in enumerate(images):
        row, column = divmod(number, _COLUMNS)
        page.paste(_cell(image), (_GAP + column * step, _GAP + row * step))
    buffer = io.BytesIO()
    page.save(buffer, format="PNG")
    return buffer.getvalue()


def _cell(image: NDArray[np.uint8]) -> Image.Image:
    """Return an image scaled into a cell; pixels of a small one stay visible as squares."""
    picture = Image.fromarray(image)
    scale = _CELL / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BICUBIC
    return picture.resize(size, how)
