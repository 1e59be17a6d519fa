"""The page of `inv predict --page`: a picture in, the model's answer next to what it saw."""

import base64
from functools import cache
from importlib import resources
from threading import Lock

from PIL import Image

from scones_core.loopback_page import Refused, Request, Response
from scones_images import PHOTOS, ImageError, ImageTooBig
from scones_toolkit.tasks.predict.answers import (
    Assignments,
    assigned,
    assignment_text,
    decide,
    rank,
)
from scones_toolkit.tasks.predict.explain import marked, png
from scones_toolkit.tasks.predict.models import LoadedModel

FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
DRAWN_SIDE = 384


class PredictPage:
    """Answers the page's requests with one model, one picture at a time.

    GET /model describes the model. POST /predict takes an encoded image and answers what the
    model sees and says, POST /explain the same image with the parts that decided marked. No
    picture is kept.
    """

    def __init__(self, model: LoadedModel, assignments: Assignments) -> None:
        self._model, self._assignments = model, assignments
        # One decoded photograph of 64 million pixels takes 192 MB.
        self._turn = Lock()

    def answer(self, request: Request) -> Response:
        """Return the answer to a request; raises Refused."""
        match request.method, request.path:
            case "GET", path if path in FILES:
                name, kind = FILES[path]
                return Response(_file(name), kind)
            case "GET", "/model":
                return self._describe()
            case "POST", "/predict" | "/explain":
                return self._on_picture(request)
        raise Refused(404, "There is no such page.")

    def _describe(self) -> Response:
        model = self._model
        height, width = model.predictor.card.size
        return Response.json(
            {
                "name": model.name,
                "threshold": model.threshold,
                "labels": list(model.labels),
                "height": height,
                "width": width,
                "grey": model.predictor.card.grey,
                "max_bytes": PHOTOS.max_bytes,
            }
        )

    def _on_picture(self, request: Request) -> Response:
        model = self._model
        with self._turn:
            try:
                pixels = model.seen(request.body)
                if request.path == "/explain":
                    return Response.json(
                        {"marked": _data_uri(png(marked(model, pixels, DRAWN_SIDE)))}
                    )
                likeliest = rank(model, model.probabilities(pixels))
            except ImageError as error:
                sentence = str(error)
                status = 413 if isinstance(error, ImageTooBig) else 400
                raise Refused(status, f"{sentence[:1].upper()}{sentence[1:]}.") from error
            except MemoryError as error:
                raise Refused(503, "There is no memory left for this picture.") from error
        leads_to = assigned(model, likeliest, self._assignments)
        return Response.json(
            {
                "assignment": assignment_text(leads_to) if leads_to else "",
                "seen": _data_uri(png(Image.fromarray(pixels))),
                "decision": decide(model, likeliest),
                "likeliest": [{"label": name, "probability": value} for name, value in likeliest],
            }
        )


def _data_uri(body: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(body).decode()


@cache
def _file(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()
