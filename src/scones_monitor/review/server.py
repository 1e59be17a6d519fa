"""What the review page's requests are answered by; each change is on disk before its answer."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from scones_core.json_text import parse_json
from scones_core.loopback_page import LoopbackPage, Refused, Request, Response
from scones_core.reviews import Agreement, Answer
from scones_monitor.review.session import NotCurrent, ReviewSession

MAX_BODY_BYTES = 4096
FIRST_IMAGE_SECONDS = 2.0
"""How long a request waits for the first image to be loaded."""

MAX_DISAGREEMENTS = 200
"""Disagreements that the page lists, of each other reviewer."""

PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
}


class ReviewApplication:
    """Answers the requests of the review page.

    `upload` gives what the page shows of the uploads: how many answers wait, and what is wrong.
    `others` gives the answers of other reviewers as they are now.
    """

    def __init__(
        self,
        session: ReviewSession,
        *,
        upload: Callable[[], tuple[int, str]] = lambda: (0, ""),
        others: Callable[[], tuple[Answer, ...]] = tuple,
    ) -> None:
        self._session, self._upload, self._others = session, upload, others
        self._pages = {
            path: Response((files(__package__) / "page" / name).read_bytes(), kind)
            for path, (name, kind) in PAGES.items()
        }

    def __call__(self, request: Request) -> Response:
        """Return the answer; raises Refused, and SconesError for what could not be done."""
        try:
            if request.method == "POST":
                return self._post(request.path, _body(request))
            return self._pages.get(request.path) or self._get(request.path)
        except NotCurrent as error:
            raise Refused(409, str(error)) from error

    def _get(self, path: str) -> Response:
        if path == "/api/state":
            self._session.look_again()
            return self._state(self._session.state(FIRST_IMAGE_SECONDS))
        if path == "/api/agreement":
            found = self._session.agreements(self._others())
            return Response.json({"pairs": [_pair(one) for one in found]})
        if path.startswith("/api/image/"):
            return Response(self._session.picture(path.removeprefix("/api/image/")), "image/png")
        raise Refused(404, "There is nothing at this address.")

    def _post(self, path: str, body: Mapping[str, Any]) -> Response:
        if path == "/api/answer":
            item, label, seconds = _text(body, "item"), _text(body, "label"), _seconds(body)
            return self._state(self._session.answer(item, label, seconds))
        if path == "/api/skip":
            return self._state(self._session.skip(_text(body, "item"), _seconds(body)))
        if path == "/api/undo":
            return self._state(self._session.undo())
        if path == "/api/close":
            return self._state(self._session.close_unusable())
        if path == "/api/resume":
            return self._state(self._session.resume_skipped())
        raise Refused(404, "There is nothing at this address.")

    def _state(self, state: dict[str, Any]) -> Response:
        pending, trouble = self._upload()
        state["progress"]["not_uploaded"] = pending
        state["trouble"] = " ".join(text for text in (state["trouble"], trouble) if text)
        return Response.json(state)


def review_page(application: ReviewApplication, port: int = 0) -> LoopbackPage:
    """Return the page's server, not started yet; raises SettingsError for a port in use."""
    return LoopbackPage(application, port=port, max_body_bytes=MAX_BODY_BYTES)


def _pair(one: Agreement) -> dict[str, Any]:
    return {
        "other": one.second,
        "n": one.n,
        "agreed": one.agreed,
        "kappa": one.kappa,
        "disagreements": [
            {"id": sha256, "own": own, "other": other}
            for sha256, own, other in one.disagreements[:MAX_DISAGREEMENTS]
        ],
    }


def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = parse_json(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "The request is not a JSON object; reload the page.")
    return body


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"The request has no {name}; reload the page.")
    return value


def _seconds(body: Mapping[str, Any]) -> float:
    value = body.get("seconds", 0)
    # A comparison is false for NaN.
    return float(value) if type(value) in (int, float) and 0 <= value < 1e9 else 0.0
