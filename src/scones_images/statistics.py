"""Statistics of an image's pixels that show a changed camera, light, lens or compression."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

STATISTICS = ("brightness", "contrast", "sharpness", "saturation", "size")

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def image_statistics(pixels: NDArray[np.uint8]) -> Mapping[str, float]:
    """Return the statistics of one image, uint8 (H, W, 3) of RGB, by the names of STATISTICS.

    - brightness: mean luma (ITU-R 601), from 0, black, to 1, white;
    - contrast: standard deviation of the luma, 0 to 0.5;
    - sharpness: variance of the luma's 4-neighbour Laplacian, 0 or more; noise raises it, blur
      lowers it (Pech-Pacheco et al. 2000); it depends on the resolution;
    - saturation: mean of (max - min) / max of the channels, as in HSV, 0 to 1;
    - size: pixels, the width times the height.

    Raises ValueError for an array of another shape or dtype, or without pixels.
    """
    if pixels.ndim != 3:
        raise ValueError(f"an image of shape (H, W, 3) is expected, not {pixels.shape}")
    return {name: float(values[0]) for name, values in batch_statistics(pixels[None]).items()}


def batch_statistics(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Return `image_statistics` of each of the images, uint8 (n, H, W, 3), as float64 (n,)."""
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ValueError(f"uint8 of (n, H, W, 3) is expected, not {images.dtype} {images.shape}")
    if 0 in images.shape[1:]:
        raise ValueError("an image without pixels has no statistics")
    luma = images @ _LUMA / np.float32(255)
    highest = images.max(axis=3).astype(np.float32)
    spread = highest - images.min(axis=3)
    saturation = np.divide(spread, highest, out=np.zeros_like(spread), where=highest > 0)
    # The border is repeated outwards, so that it adds no edge of its own.
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    laplacian = (
        padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    ) - 4 * luma
    pixels = np.full(len(images), images.shape[1] * images.shape[2], dtype=np.float64)
    return {
        "brightness": luma.mean(axis=(1, 2), dtype=np.float64),
        "contrast": luma.std(axis=(1, 2), dtype=np.float64),
        "sharpness": laplacian.var(axis=(1, 2), dtype=np.float64),
        "saturation": saturation.mean(axis=(1, 2), dtype=np.float64),
        "size": pixels,
    }
