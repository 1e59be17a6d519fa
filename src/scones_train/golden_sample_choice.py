"""The golden samples of a model: one test image of each class, with the model's own answer."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scones_core.golden_samples import GoldenSample
from scones_train.channels import ImageSet

# They are sent through the endpoint after every apply, so they are few and small.
MAX_SAMPLES = 8
MAX_BODY_BYTES = 1_000_000


def choose_golden_samples(images: ImageSet, answers: NDArray[np.float32]) -> list[GoldenSample]:
    """Return the first image of each class as PNG, at most eight, with its answer.

    `answers` are float32 (N, classes). An image of over a million encoded bytes is left out.
    """
    _, first = np.unique(images.labels, return_index=True)
    chosen = [(_png(images.pixels[row]), answers[row]) for row in first[:MAX_SAMPLES]]
    return [
        GoldenSample(body, "image/png", tuple(float(value) for value in answer))
        for body, answer in chosen
        if len(body) <= MAX_BODY_BYTES
    ]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
