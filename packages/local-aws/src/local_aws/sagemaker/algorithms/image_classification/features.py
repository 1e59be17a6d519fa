"""An image as numbers: how its edges run in each cell, and its colours.

Histograms of oriented gradients (N. Dalal and B. Triggs, 2005) on 32 x 32 pixels, in cells of
four by four with nine directions, and the mean colours of the same cells.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from local_aws.core.untrusted_images import open_image

SIDE, _CELL, _DIRECTIONS = 32, 4, 9
Pixels = NDArray[np.float32]


def decode(data: bytes) -> Pixels:
    """Return an image as 32 x 32 x 3 floats in [0, 1]; raises UndecodableImage."""
    with open_image(data) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def features(pixels: Pixels) -> NDArray[np.float32]:
    """Return the 768 features of each of N x 32 x 32 x 3 images."""
    grey = pixels.mean(axis=3)
    down, across = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, across)
    direction = (np.arctan2(down, across) % np.pi) * (_DIRECTIONS / np.pi)
    bins = np.minimum(direction.astype(np.int64), _DIRECTIONS - 1)
    planes = strength[..., None] * (bins[..., None] == np.arange(_DIRECTIONS))
    cells = _by_cell(planes)
    cells /= np.linalg.norm(cells, axis=3, keepdims=True) + 0.1
    colours = _by_cell(pixels) - pixels.mean(axis=(1, 2), keepdims=True)
    count = len(pixels)
    found = np.concatenate([cells.reshape(count, -1), colours.reshape(count, -1)], axis=1)
    return found.astype(np.float32)


def _by_cell(planes: NDArray[np.floating]) -> NDArray[np.floating]:
    count, cells = len(planes), SIDE // _CELL
    shape = (count, cells, _CELL, cells, _CELL, planes.shape[3])
    averaged: NDArray[np.floating] = planes.reshape(shape).mean(axis=(2, 4))
    return averaged
