import http.client
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from scones_core.errors import MonitorError
from scones_core.reviews import parse_lines, standing
from scones_monitor.review.server import ReviewServer
from tests.functional.scones_monitor.review.conftest import LABELS, Page

CHECKOUT = Path(__file__).parents[4]


def started(root: Path, images: Path) -> tuple[subprocess.Popen[str], Page]:
    """A page in a process of its own, as `inv review` has it."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.support.review_page"),
            *(str(root), str(images), "ana", ",".join(LABELS)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    return process, Page(process.stdout.readline().strip())


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_no_confirmed_answer_is_lost_by_a_kill_and_undo_goes_on_after_it(tmp_path, images) -> None:
    root = tmp_path / "review"
    process, page = started(root, images)
    try:
        page.label("bicycle")
        page.label("motorcycle")
        first = page.state()
    finally:
        killed(process)

    answers, faults = parse_lines((root / "answers" / "ana.jsonl").read_bytes().splitlines())
    assert [answer.label for answer in answers] == ["bicycle", "motorcycle"]
    assert faults.total == 0

    process, page = started(root, images)
    try:
        again = page.state()
        assert again["item"]["id"] == first["item"]["id"]
        undone = page.post("undo")
        assert undone["item"]["id"] == answers[1].sha256
        assert [one["label"] for one in undone["history"]] == ["bicycle"]
        assert page.post("undo")["item"]["id"] == answers[0].sha256
    finally:
        killed(process)

    answers, _ = parse_lines((root / "answers" / "ana.jsonl").read_bytes().splitlines())
    assert [answer.action for answer in answers] == ["label", "label", "undo", "undo"]
    assert standing(answers).votes() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ],
)
def test_requests_of_other_pages_are_refused(serve, headers: dict[str, str]) -> None:
    page = serve()
    item = page.state()["item"]["id"]

    code, _ = page.refusal("/api/answer", {"item": item, "label": "bicycle"}, **headers)

    assert code == 403
    assert page.state()["item"]["id"] == item


def test_the_page_itself_is_not_shown_under_another_name(serve) -> None:
    assert serve().refusal("/", Host="review.evil.example")[0] == 403


@pytest.mark.parametrize("path", ["/api/state", "/api/agreement", f"/api/image/{'a' * 64}"])
@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", "Bearer ä"])
def test_without_the_token_nothing_is_shown(serve, path: str, token: str) -> None:
    page = serve()
    page.headers = {"Authorization": token.encode().decode("latin-1")}

    code, sentence = page.refusal(path)

    assert code == 401
    assert "earlier start of inv review" in sentence


def test_without_the_token_nothing_changes(serve) -> None:
    page = serve()
    item, kept = page.state()["item"]["id"], page.headers
    page.headers = {"Authorization": "Bearer wrong"}

    for path, body in [
        ("answer", {"item": item, "label": "bicycle"}),
        ("skip", {"item": item}),
        ("undo", {}),
        ("session", {"code": "wrong"}),
    ]:
        assert page.refusal(f"/api/{path}", body)[0] == 401

    page.headers = kept
    assert page.state()["progress"]["answered"] == 0


def test_the_address_for_the_browsers_command_line_works_once(serve) -> None:
    page = serve()
    (server, _) = serve.opened[0]
    address = server.address_once

    assert Page(address).state()["reviewer"] == "ana"
    assert page.refusal("/api/session", {"code": address.partition("#")[2]})[0] == 401


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {"Content-Type": "text/plain"}),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"[]", {}),
        (b"{", {}),
        (b"[" * 4000, {}),
        (b" " * 5000, {}),
        (b"{}", {"Content-Length": "-1"}),
    ],
)
def test_a_body_that_is_no_small_json_object_is_refused(serve, body: bytes, headers) -> None:
    page = serve()
    connection = http.client.HTTPConnection("127.0.0.1", serve.opened[0][0].port, timeout=10)
    try:
        connection.request(
            "POST",
            "/api/answer",
            body=body,
            headers={"Content-Type": "application/json", **page.headers, **headers},
        )
        assert connection.getresponse().status == 400
    finally:
        connection.close()


def test_the_page_loads_nothing_from_elsewhere(serve) -> None:
    page = serve()
    for path in ("/", "/review.js", "/review.css"):
        with page.send(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            text = answer.read().decode()
        assert "default-src 'none'" in policy
        assert "http://" not in text
        assert "https://" not in text


def test_an_image_is_a_png_of_the_same_pixels_whatever_was_sent(serve, images) -> None:
    Image.open(images / "0.png").save(images / "0.bmp")
    (images / "0.png").unlink()
    page = serve()

    with page.send(f"/api/image/{page.get('state')['item']['id']}") as answer:
        assert answer.headers["Content-Type"] == "image/png"
        shown = Image.open(io.BytesIO(answer.read()))

    assert shown.tobytes() == Image.open(images / "0.bmp").convert("RGB").tobytes()


def test_two_pages_of_one_reviewer_cannot_decide_an_image_twice(serve) -> None:
    page = serve()
    item = page.state()["item"]["id"]
    page.post("answer", item=item, label="bicycle", seconds=1)

    code, sentence = page.refusal("/api/answer", {"item": item, "label": "motorcycle"})

    assert code == 409
    assert "answered on another page" in sentence


def test_a_label_of_no_class_is_refused(serve) -> None:
    page = serve()
    item = page.state()["item"]["id"]

    code, sentence = page.refusal("/api/answer", {"item": item, "label": "bus"})

    assert code == 503
    assert "'bus' is none of the classes" in sentence


def test_the_guess_does_not_reach_the_browser_before_the_answer(serve) -> None:
    page = serve()
    before = page.state()
    assert "guess" not in json.dumps(before["item"])

    after = page.post("answer", item=before["item"]["id"], label="bicycle", seconds=1)

    assert after["history"][0]["guess"] == "bicycle"


def test_the_guess_is_shown_where_that_is_asked_for(serve) -> None:
    assert serve(show_guess=True).state()["item"]["guess"] == "bicycle"


def test_a_port_that_is_taken_is_a_sentence(serve) -> None:
    serve()
    server, session = serve.opened[0]

    with pytest.raises(MonitorError, match="another --port"):
        ReviewServer(session, server.port)
