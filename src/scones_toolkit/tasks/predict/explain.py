"""Explanation of an answer: which part of a picture decided, drawn as a PNG."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scones_toolkit.tasks.predict.models import LoadedModel
from scones_train.evaluation.occlusion import draw_occlusion, mark_parts, occlusion


def explain(model: LoadedModel, body: bytes) -> bytes:
    """Return a PNG of an encoded image as the model sees it, and next to it what decided.

    Raises ImageError.
    """
    pixels = model.seen(body)
    return png(draw_occlusion(pixels, _parts(model, pixels)))


def marked(model: LoadedModel, pixels: NDArray[np.uint8], side: int) -> bytes:
    """Return a PNG of the parts of (H, W, 3) pixels that decided, its longer side at least so."""
    height, width = pixels.shape[:2]
    scale = max(1, -(-side // max(height, width)))
    picture = Image.fromarray(pixels).resize(
        (width * scale, height * scale), Image.Resampling.NEAREST
    )
    return png(mark_parts(picture, _parts(model, pixels)))


def png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _parts(model: LoadedModel, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return occlusion(lambda images: model.predictor.probabilities(images, all_cores=True), pixels)
