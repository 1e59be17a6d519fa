"""The page's answers, without its server: what it shows of a picture, and what it refuses."""

import base64
import io
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scones_core.assignments import Assignment
from scones_core.loopback_page import Refused, Request
from scones_toolkit.project import Project
from scones_toolkit.tasks.predict.models import load_model
from scones_toolkit.tasks.predict.page import FILES, PredictPage
from tests.support.colour_model import SIDE, encoded, plain, write_colour_model
from tests.support.html_page import Page

HEADER = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
# A PNG that declares 400 million pixels, and has none.
HUGE = (
    b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + HEADER + struct.pack(">I", zlib.crc32(HEADER))
) + struct.pack(">I4sI", 0, b"IDAT", zlib.crc32(b"IDAT"))


@pytest.fixture
def page(tmp_path: Path) -> PredictPage:
    write_colour_model(tmp_path / "model")
    bays = {"red": Assignment("red", "A", "near", 3)}
    return PredictPage(load_model(Project(tmp_path), str(tmp_path / "model")), bays)


def post(page: PredictPage, path: str, body: bytes) -> dict[str, object]:
    found = json.loads(page.answer(Request("POST", path, body=body)).body)
    assert isinstance(found, dict)
    return found


def opened(uri: object) -> Image.Image:
    head, _, content = str(uri).partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_picture_is_shown_as_the_model_sees_it_with_its_answer(page: PredictPage) -> None:
    found = post(page, "/predict", encoded(plain(200, 0, side=500), "JPEG"))
    assert opened(found["seen"]).size == (SIDE, SIDE)
    assert found["decision"] == "accepted"
    assert found["assignment"] == "bay A, near orders to 3 km"
    assert found["likeliest"][0]["label"] == "red"  # type: ignore[index]


def test_a_picture_to_review_leads_to_no_assignment(page: PredictPage) -> None:
    found = post(page, "/predict", encoded(plain(110, 100)))
    assert (found["decision"], found["assignment"]) == ("review", "")


def test_what_decided_is_marked_in_the_same_picture(page: PredictPage) -> None:
    pixels = plain(0, 120)
    pixels[: SIDE // 2] = (120, 0, 0)
    pixels[: SIDE // 4] = (255, 0, 0)
    marked = np.asarray(opened(post(page, "/explain", encoded(pixels))["marked"])).astype(int)
    assert marked.shape == (384, 384, 3)
    assert marked[40, 200, 0] - marked[40, 200, 2] > 50
    assert marked[340, 200, 2] - marked[340, 200, 0] > 50


@pytest.mark.parametrize("path", ["/predict", "/explain"])
@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "The image is empty."),
        (b"GIF89a", 400, "The GIF is damaged"),
        (b"words", 400, "The bytes are not a PNG"),
        (encoded(plain(1, 1))[:60], 400, "The image is damaged"),
        (HUGE, 413, "The image has too many pixels"),
    ],
)
def test_hostile_uploads_are_refused_in_one_sentence(
    page: PredictPage, path: str, body: bytes, status: int, sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence) as caught:
        page.answer(Request("POST", path, body=body))
    assert caught.value.status == status


def test_the_page_loads_only_what_it_serves(page: PredictPage) -> None:
    html = page.answer(Request("GET", "/")).body.decode()
    for tag, attributes in Page(html).elements:
        for name in ("src", "href"):
            assert attributes.get(name, "/").partition(":")[0] in {"data", *FILES}, tag
        assert not {"style", "onclick", "onload"} & set(attributes), tag
    script = page.answer(Request("GET", "/page.js")).body.decode()
    styles = page.answer(Request("GET", "/page.css")).body.decode()
    assert "//" not in re.sub(r"^\s*//.*$", "", script + styles, flags=re.MULTILINE)
    assert "innerHTML" not in script


def test_the_camera_of_a_phone_is_offered(page: PredictPage) -> None:
    html = Page(page.answer(Request("GET", "/")).body.decode())
    inputs = [attributes for tag, attributes in html.elements if tag == "input"]
    assert [each.get("capture") for each in inputs] == [None, "environment"]
    assert all(each["accept"] == "image/*" for each in inputs)


def test_the_model_is_described(page: PredictPage, tmp_path: Path) -> None:
    found = json.loads(page.answer(Request("GET", "/model")).body)
    assert found["name"] == f"the model in {tmp_path / 'model'}"
    assert (found["height"], found["width"], found["grey"]) == (SIDE, SIDE, False)


@pytest.mark.parametrize(("method", "path"), [("GET", "/predict"), ("POST", "/"), ("GET", "/x")])
def test_what_there_is_not_is_not_found(page: PredictPage, method: str, path: str) -> None:
    with pytest.raises(Refused) as caught:
        page.answer(Request(method, path))
    assert caught.value.status == 404
