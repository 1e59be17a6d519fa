import os
import threading
import urllib.error
from dataclasses import replace
from pathlib import Path

import pytest

from scones_core.errors import MonitorError
from scones_core.reviews import parse_lines
from scones_monitor.review.journal import AnswerJournal
from tests.functional.scones_monitor.review.conftest import Page, Serve, close


def answer_all(page: Page, label: str = "bicycle") -> None:
    while page.state()["item"]:
        page.label(label)


def test_skipped_images_come_again_at_the_end_when_asked_for(serve: Serve) -> None:
    page = serve()
    skipped = page.state()["item"]["id"]
    page.post("skip", item=skipped, seconds=1)
    answer_all(page)

    done = page.state()
    assert (done["progress"]["answered"], done["progress"]["skipped"]) == (3, 1)
    assert page.post("resume")["item"]["id"] == skipped
    answer_all(page)
    assert page.state()["progress"]["answered"] == 4


def test_a_skip_of_an_earlier_session_comes_last(serve: Serve, tmp_path: Path) -> None:
    page = serve()
    skipped = page.state()["item"]["id"]
    page.post("skip", item=skipped, seconds=1)
    close(*serve.opened.pop())

    page = serve()
    assert page.state()["item"]["id"] != skipped
    answer_all(page)
    assert page.state()["progress"]["skipped"] == 1
    assert page.post("resume")["loading"] is True
    assert page.state()["item"]["id"] == skipped


def test_undo_takes_back_a_skip_too(serve: Serve) -> None:
    page = serve()
    item = page.state()["item"]["id"]
    page.post("skip", item=item, seconds=1)

    undone = page.post("undo")

    assert undone["item"]["id"] == item
    assert undone["progress"]["skipped"] == 0


def test_nothing_to_undo_is_a_sentence(serve: Serve) -> None:
    code, sentence = serve().refusal("/api/undo", {})

    assert code == 400
    assert "no answer to undo" in sentence


def test_an_answer_whose_image_is_gone_cannot_be_undone_and_still_holds(
    serve: Serve, tmp_path: Path
) -> None:
    page = serve()
    item = page.state()["item"]["id"]
    page.label("bicycle")
    (tmp_path / "review" / "images" / f"{item}.png").unlink()

    _, sentence = page.refusal("/api/undo", {})

    assert "no longer in" in sentence
    assert page.state()["progress"]["answered"] == 1


def test_images_that_cannot_be_shown_are_counted_with_their_reason(
    serve: Serve, images: Path
) -> None:
    (images / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (images / "1.png").write_bytes(b"")
    page = serve()
    answer_all(page)

    state = page.state()
    assert state["progress"]["answered"] == 2
    assert state["progress"]["unusable"] == 2
    assert any(
        "the image is empty: 1, the first s3://data/1.png" in one for one in state["left_out"]
    )


def test_equal_images_are_decided_once(serve: Serve, images: Path) -> None:
    (images / "3.png").write_bytes((images / "0.png").read_bytes())
    page = serve()
    answer_all(page)

    state = page.state()
    assert state["progress"]["answered"] == 3


def test_a_second_reviewer_sees_every_image_and_no_answer_of_the_first(serve: Serve) -> None:
    first = serve("ana")
    answer_all(first)
    others = serve.opened[0][1]._journal.answers

    second = serve("ben", others=others)
    state = second.state()
    assert state["progress"]["answered_before"] == 0
    assert second.get("agreement") == {"pairs": []}
    second.label("motorcycle")
    second.label("bicycle")

    (pair,) = second.get("agreement")["pairs"]
    assert (pair["other"], pair["n"], pair["agreed"]) == ("ana", 2, 1)
    assert pair["kappa"] == 0.0
    assert pair["disagreements"] == [
        {"id": state["item"]["id"], "own": "motorcycle", "other": "bicycle"}
    ]


def test_one_reviewer_has_one_page_open(serve: Serve, tmp_path: Path) -> None:
    serve("ana")

    with pytest.raises(MonitorError, match="ana is reviewing already"):
        AnswerJournal.open(tmp_path / "review" / "answers", "ana")


def test_answers_of_the_same_reviewer_on_another_host_need_no_second_answer(serve: Serve) -> None:
    answer_all(serve("ana"))
    elsewhere = [replace(one, reviewer="ben") for one in serve.opened[0][1]._journal.answers]

    page = serve("ben", elsewhere=elsewhere)
    state = page.state()

    assert state["item"] is None
    assert state["progress"]["answered_before"] == 4
    assert state["can_undo"] is False


def test_a_line_that_a_kill_tore_is_counted_and_the_rest_goes_on(
    serve: Serve, tmp_path: Path
) -> None:
    page = serve()
    page.label("bicycle")
    close(*serve.opened.pop())
    path = tmp_path / "review" / "answers" / "ana.jsonl"
    path.write_bytes(path.read_bytes() + b'{"schema_version":"1","acti')

    page = serve()
    assert any("not JSON: 1" in reason for reason in page.state()["left_out"])
    page.label("motorcycle")

    answers, faults = parse_lines(path.read_bytes().splitlines())
    assert [answer.label for answer in answers] == ["bicycle", "motorcycle"]
    assert faults.total == 1


def test_an_answer_that_cannot_be_written_leaves_the_image_to_decide(
    serve: Serve, tmp_path: Path
) -> None:
    page = serve()
    item = page.state()["item"]["id"]
    journal = serve.opened[0][1]._journal
    kept, journal._handle = journal._handle, os.open("/dev/full", os.O_RDWR)
    try:
        code, sentence = page.refusal("/api/answer", {"item": item, "label": "bicycle"})
    finally:
        os.close(journal._handle)
        journal._handle = kept

    assert code == 400
    assert "was not saved" in sentence
    assert page.state()["item"]["id"] == item
    assert page.label("bicycle")["progress"]["answered"] == 1


def test_answers_of_two_threads_are_two_answers(serve: Serve) -> None:
    page = serve()
    item = page.state()["item"]["id"]
    codes = []

    def answer(label: str) -> None:
        try:
            page.post("answer", item=item, label=label, seconds=1)
            codes.append(200)
        except urllib.error.HTTPError as error:
            codes.append(error.code)
            error.close()

    threads = [
        threading.Thread(target=answer, args=(label,)) for label in ("bicycle", "motorcycle")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [200, 409]
