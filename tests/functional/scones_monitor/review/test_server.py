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

from scones_core.reviews import current_answers, parse_lines
from tests.functional.scones_monitor.review.conftest import LABELS, Page, Serve, close

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
    assert process.stdout is not None
    return process, Page(process.stdout.readline().strip())


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_no_confirmed_answer_is_lost_by_a_kill_and_undo_goes_on_after_it(
    tmp_path: Path, images: Path
) -> None:
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
    assert current_answers(answers).votes() == {}


def test_a_page_left_open_over_a_restart_is_told_where_the_new_one_is(
    serve: Serve, tmp_path: Path
) -> None:
    left_open = serve()
    item = left_open.state()["item"]["id"]
    port = serve.opened[0][0].port
    close(*serve.opened.pop())
    serve(port=port)

    for path, body in (("/api/answer", {"item": item, "label": "bicycle"}), ("/api/state", None)):
        code, sentence = left_open.refusal(path, body)
        assert code == 403
        assert "Open the address that the task printed" in sentence

    assert not (tmp_path / "review" / "answers" / "ana.jsonl").read_bytes()


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_requests_of_other_pages_are_refused(serve: Serve, headers: dict[str, str]) -> None:
    page = serve()
    item = page.state()["item"]["id"]

    code, _ = page.refusal("/api/answer", {"item": item, "label": "bicycle"}, **headers)

    assert code == 403
    assert page.state()["item"]["id"] == item


def test_without_the_token_nothing_is_shown_and_nothing_changes(serve: Serve) -> None:
    page = serve()
    item, kept = page.state()["item"]["id"], page.headers
    page.headers = {"Cookie": f"{kept['Cookie'].partition('=')[0]}=wrong"}

    for path in ("/", "/api/state", "/api/agreement", f"/api/image/{item}"):
        assert page.refusal(path)[0] == 403
    for path, body in [
        ("answer", {"item": item, "label": "bicycle"}),
        ("skip", {"item": item}),
        ("undo", {}),
    ]:
        assert page.refusal(f"/api/{path}", body)[0] == 403

    page.headers = kept
    assert page.state()["progress"]["answered"] == 0


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b"[" * 4000, b" " * 5000, b"{}", b'{"item": 1}', b'{"item": "x"}', b"\xff"],
)
def test_a_body_that_is_no_answer_is_refused(serve: Serve, body: bytes) -> None:
    page = serve()
    connection = http.client.HTTPConnection("127.0.0.1", serve.opened[0][0].port, timeout=30)
    try:
        headers = {"Origin": page.root, **page.headers}
        connection.request("POST", "/api/answer", body=body, headers=headers)
        answer = connection.getresponse()
        assert answer.status in (400, 413)
        assert json.load(answer)["error"]
    finally:
        connection.close()


def test_the_page_loads_nothing_from_elsewhere(serve: Serve) -> None:
    page = serve()
    for path in ("/", "/review.js", "/review.css"):
        with page.send(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            text = answer.read().decode()
        assert "default-src 'none'" in policy
        assert "http://" not in text
        assert "https://" not in text


def test_an_image_is_a_png_of_the_same_pixels_whatever_was_sent(serve: Serve, images: Path) -> None:
    Image.open(images / "0.png").save(images / "0.bmp")
    (images / "0.png").unlink()
    page = serve()

    with page.send(f"/api/image/{page.get('state')['item']['id']}") as answer:
        assert answer.headers["Content-Type"] == "image/png"
        shown = Image.open(io.BytesIO(answer.read()))

    assert shown.tobytes() == Image.open(images / "0.bmp").convert("RGB").tobytes()


def test_two_pages_of_one_reviewer_cannot_decide_an_image_twice(serve: Serve) -> None:
    page = serve()
    item = page.state()["item"]["id"]
    page.post("answer", item=item, label="bicycle", seconds=1)

    code, sentence = page.refusal("/api/answer", {"item": item, "label": "motorcycle"})

    assert code == 409
    assert "answered on another page" in sentence


def test_a_label_of_no_class_is_refused(serve: Serve) -> None:
    page = serve()
    item = page.state()["item"]["id"]

    code, sentence = page.refusal("/api/answer", {"item": item, "label": "bus"})

    assert code == 400
    assert "'bus' is none of the classes" in sentence


def test_the_guess_does_not_reach_the_browser_before_the_answer(serve: Serve) -> None:
    page = serve()
    before = page.state()
    assert "guess" not in json.dumps(before["item"])

    after = page.post("answer", item=before["item"]["id"], label="bicycle", seconds=1)

    assert after["history"][0]["guess"] == "bicycle"


def test_the_guess_is_shown_where_that_is_asked_for(serve: Serve) -> None:
    assert serve(show_guess=True).state()["item"]["guess"] == "bicycle"
