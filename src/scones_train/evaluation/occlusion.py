"""Occlusion: which part of an image decided, by the answers with each part covered in turn.

After Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014, section 4.2.
It needs nothing of the model but its answers.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Answers = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From uint8 images (N, H, W, 3) to float32 probabilities (N, classes)."""

# Covers a side: 64 answers of the model. Each is twice as wide as the step to the next one.
COVERS = 8
# Below the smallest float32 that a softmax gives; only keeps the logarithm finite.
TINY = 1e-38
# Pixels a side of a drawn picture, at least; and the gap between the two.
DRAWN_SIDE, GAP = 384, 16
SUPPORTS, OPPOSES = (255, 140, 0), (0, 110, 255)
# How much of a picture's own colours is left in the drawing, and how much the marks cover.
FADED, MARKED = 0.35, 0.75


def occlusion(
    answers: Answers, pixels: NDArray[np.uint8], label: int | None = None
) -> NDArray[np.float32]:
    """Return how much each part of an image speaks for a class: float32 (H, W).

    The value of a pixel is by how much the log-odds of the class fall, at the mean, where a
    square around the pixel is covered with the image's mean colour: above 0 the part speaks for
    the class, below 0 against it. `pixels` is uint8 (H, W, 3); `label` is the index of the
    class, without it the likeliest.
    """
    boxes = _boxes(*pixels.shape[:2])
    covered = np.repeat(pixels[None], len(boxes) + 1, axis=0)
    colour = pixels.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    for image, (rows, columns) in zip(covered[1:], boxes, strict=True):
        image[rows, columns] = colour
    found = answers(covered).astype(np.float64)
    index = int(found[0].argmax()) if label is None else label
    odds = _log_odds(found, index)
    total, count = np.zeros(pixels.shape[:2]), np.zeros(pixels.shape[:2])
    for (rows, columns), value in zip(boxes, odds[0] - odds[1:], strict=True):
        total[rows, columns] += value
        count[rows, columns] += 1
    return (total / count).astype(np.float32)


def draw_occlusion(pixels: NDArray[np.uint8], parts: NDArray[np.float32]) -> Image.Image:
    """Return an image as the model sees it, enlarged, and next to it which parts decided.

    `pixels` is uint8 (H, W, 3) and `parts`, (H, W), what `occlusion` returned. On the right,
    orange parts speak for the answer and blue ones against it, the stronger the more.
    """
    height, width = parts.shape
    scale = max(1, -(-DRAWN_SIDE // max(height, width)))
    size = (width * scale, height * scale)
    plain = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    canvas = Image.new("RGB", (2 * size[0] + GAP, size[1]), "white")
    canvas.paste(plain, (0, 0))
    canvas.paste(mark_parts(plain, parts), (size[0] + GAP, 0))
    return canvas


def mark_parts(picture: Image.Image, parts: NDArray[np.float32]) -> Image.Image:
    """Return an RGB picture in grey, with the parts (H, W) that decided in colour."""
    strongest = float(np.abs(parts).max()) or 1.0
    # By way of a few pixels, as the covers have edges that mean nothing.
    coarse = Image.fromarray(parts / np.float32(strongest)).resize(
        (2 * COVERS, 2 * COVERS), Image.Resampling.BOX
    )
    relative = coarse.resize(picture.size, Image.Resampling.BICUBIC)
    strength = np.asarray(relative, dtype=np.float32).clip(-1, 1)[..., None]
    grey = np.asarray(picture.convert("L").convert("RGB"), dtype=np.float32)
    grey = 255 - (255 - grey) * (1 - FADED)
    colour = np.where(strength > 0, *np.array((SUPPORTS, OPPOSES), dtype=np.float32))
    weight = MARKED * np.abs(strength)
    return Image.fromarray((grey * (1 - weight) + colour * weight).round().astype(np.uint8))


def _boxes(height: int, width: int) -> list[tuple[slice, slice]]:
    """Return the covers of an image, which overlap by half and together lie on every pixel."""
    return [(rows, columns) for rows in _spans(height) for columns in _spans(width)]


def _spans(length: int) -> list[slice]:
    count = min(COVERS, length)
    edges = np.linspace(0, length, count + 1).round().astype(int)
    half = max(1, length // (2 * count))
    return [
        slice(max(0, int(low) - half), min(length, int(high) + half))
        for low, high in pairwise(edges)
    ]


def _log_odds(probabilities: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Return the log-odds (N,) of a class; the others are added up, as 1 - p loses digits."""
    others = np.delete(probabilities, index, axis=1).sum(axis=1)
    own = probabilities[:, index]
    odds: NDArray[np.float64] = np.log(np.maximum(own, TINY)) - np.log(np.maximum(others, TINY))
    return odds
