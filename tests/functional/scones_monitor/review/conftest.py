import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest
from PIL import Image

from scones_core.loopback_page import LoopbackPage
from scones_monitor.review.server import ReviewApplication, review_page
from scones_monitor.review.session import ReviewSession
from tests.support.review_page import session_over

LABELS = ["bicycle", "motorcycle"]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Page:
    """What the page's script does, without a browser."""

    def __init__(self, address: str) -> None:
        self.root = address.partition("/?")[0]
        opener = urllib.request.build_opener(_NoRedirect)
        with pytest.raises(HTTPError) as redirected:
            opener.open(address, timeout=30)
        with redirected.value as answer:
            self.headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}

    def send(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self.root}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Origin": self.root, **self.headers, **headers},
        )
        return urllib.request.urlopen(request, timeout=30)  # noqa: S310

    def get(self, name: str) -> Any:
        with self.send(f"/api/{name}") as answer:
            return json.load(answer)

    def state(self) -> Any:
        """The state once the next image is loaded, or none is left; the server does the waiting."""
        while (state := self.get("state"))["loading"]:
            pass
        return state

    def post(self, name: str, **body: Any) -> Any:
        with self.send(f"/api/{name}", body) as answer:
            return json.load(answer)

    def refusal(
        self, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, str]:
        with pytest.raises(HTTPError) as caught:
            self.send(path, body, **headers)
        with caught.value as error:
            return error.code, json.load(error)["error"]

    def label(self, label: str) -> Any:
        return self.post("answer", item=self.state()["item"]["id"], label=label, seconds=1.2)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@dataclass
class Serve:
    """Serves reviewers' pages over the images; `opened` has what is to be closed at the end."""

    root: Path
    images: Path
    opened: list[tuple[LoopbackPage, ReviewSession]] = field(default_factory=list)

    def __call__(
        self,
        reviewer: str = "ana",
        labels: list[str] | None = None,
        *,
        port: int = 0,
        **options: Any,
    ) -> Page:
        session = session_over(self.root, self.images, reviewer, labels or LABELS, **options)
        page = review_page(ReviewApplication(session), port)
        self.opened.append((page, session))
        session.start()
        page.start()
        return Page(page.url)


@pytest.fixture
def serve(tmp_path: Path, images: Path) -> Iterator[Serve]:
    made = Serve(tmp_path / "review", images)
    yield made
    for page, session in made.opened:
        close(page, session)


def close(page: LoopbackPage, session: ReviewSession) -> None:
    with page:
        pass
    session.close()
    session._journal.close()
