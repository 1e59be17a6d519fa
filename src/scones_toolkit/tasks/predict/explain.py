"""Explanation of an answer: which part of a picture decided, drawn as a PNG."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scones_monitor.captured_images import THUMBNAIL_PIXELS
from scones_monitor.period_summary import Place
from scones_toolkit.project import Project
from scones_toolkit.tasks.predict.models import LoadedModel, load_model
from scones_train.evaluation.occlusion import draw_occlusion, mark_parts, occlusion


def explain(model: LoadedModel, body: bytes) -> bytes:
    """Return a PNG of an encoded image as the model sees it, and next to it what decided.

    Raises ImageError.
    """
    pixels = model.seen(body)
    return png(draw_occlusion(pixels, _parts(model, pixels)))


def marked(
    model: LoadedModel, pixels: NDArray[np.uint8], side: int, label: str | None = None
) -> Image.Image:
    """Return the parts of (H, W, 3) pixels that decided, its longer side at least so.

    They speak for or against `label`, without it the likeliest class.
    """
    height, width = pixels.shape[:2]
    scale = max(1, -(-side // max(height, width)))
    picture = Image.fromarray(pixels).resize(
        (width * scale, height * scale), Image.Resampling.NEAREST
    )
    return mark_parts(picture, _parts(model, pixels, label))


class Explanations:
    """Explains a report's answers by the active release's model, loaded with the first of them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._model: LoadedModel | None = None

    def __call__(self, place: Place, body: bytes) -> Image.Image | None:
        """Return an encoded image with what decided marked; None for a class it does not know.

        Raises ImageError, and SconesError where there is no model.
        """
        self._model = model = self._model or load_model(self._project)
        if place.label not in model.labels:
            return None
        return marked(model, model.seen(body), THUMBNAIL_PIXELS, place.label)


def png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _parts(
    model: LoadedModel, pixels: NDArray[np.uint8], label: str | None = None
) -> NDArray[np.float32]:
    index = None if label is None else list(model.labels).index(label)
    return occlusion(
        lambda images: model.predictor.probabilities(images, all_cores=True), pixels, index
    )
