import json

import pytest

from scones_core.errors import SettingsError
from scones_core.reviews import (
    Answer,
    InvalidAnswer,
    answer_line,
    parse_answer,
    parse_lines,
    require_reviewer,
)

SHA = "a" * 64
ANSWER = Answer(
    session="20260101T000000Z-abcd",
    sequence=1,
    reviewer="ana",
    action="label",
    sha256=SHA,
    file=f"{SHA}.png",
    at="2026-01-01T00:00:00+00:00",
    label="bicycle",
    seconds=1.5,
    image={"bucket": "b", "key": "ä+ .png"},
    guess="motorcycle",
    confidence=0.6,
    inference_id="one",
)


def changed(**values: object) -> bytes:
    return json.dumps({**json.loads(answer_line(ANSWER)), **values}).encode()


def test_an_answer_is_read_as_it_was_written() -> None:
    line = answer_line(ANSWER)

    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert parse_answer(line) == ANSWER


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"seconds": 1' + b"0" * 400 + b"}", "not JSON"),
        (b'{"label": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "longer"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (changed(schema_version="2"), "schema_version"),
        (changed(reviewer="../../x"), "not a name"),
        (changed(reviewer="images"), "not a name"),
        (changed(session="a/b"), "not a name"),
        (changed(sequence=True), "no sequence"),
        (changed(sequence=0), "no sequence"),
        (changed(file=f"{'b' * 64}.png"), "not named by its SHA-256"),
        (changed(file=f"../{SHA}.png"), "not named by its SHA-256"),
        (changed(action="delete"), "none of label"),
        (changed(label=""), "label does not fit"),
        (changed(action="skip"), "label does not fit"),
        (changed(action="undo", label=""), "what it undoes"),
        (changed(undoes="x/1"), "what it undoes"),
        (changed(label="x" * 300), "not a short text"),
        (changed(seconds=-1), "seconds is not"),
        (changed(confidence="high"), "confidence is not"),
        (changed(at="yesterday"), "time is not"),
        (changed(at="2026-01-01T00:00:00"), "time is not"),
        (changed(at="0001-01-01T00:00:00+23:59"), "time is not"),
        (changed(at="9999-12-31T23:59:59-23:59"), "time is not"),
        (changed(image={"bucket": 1}), "not a location"),
        (changed(image=None), "not a location"),
    ],
)
def test_a_line_that_is_no_answer_is_refused_with_its_reason(line: bytes, reason: str) -> None:
    with pytest.raises(InvalidAnswer, match=reason):
        parse_answer(line)


def test_lines_that_are_no_answers_are_counted_by_reason() -> None:
    good = answer_line(ANSWER)

    answers, faults = parse_lines([good, b"{", b"", good, b"torn", b"[]"])

    assert answers == [ANSWER, ANSWER]
    assert faults.counts == {"the line is not JSON": 2, "the line is not a JSON object": 1}


@pytest.mark.parametrize("name", ["", "Ana", "a/b", "..", "images", "x" * 65, "ana silva"])
def test_a_name_that_cannot_be_part_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="--reviewer"):
        require_reviewer(name)
