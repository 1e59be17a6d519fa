import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scones_monitor.captured_records import Unreadable, bounded_lines, parse_file, parse_record

Line = Callable[..., bytes]


def test_a_json_output_gives_the_whole_record(line: Line) -> None:
    found = parse_record(line(inferenceId="abc"), "AllTraffic")

    assert found.event_id == "695344c2-3858-45e5-a14d-33deaf4310c7"
    assert found.inference_id == "abc"
    assert found.time == datetime(2026, 11, 20, 14, 32, 5, tzinfo=UTC)
    assert found.content_type == "image/png"
    assert found.image == b"image bytes"
    assert found.probabilities == (0.9388836622238159, 0.061116307973861694)
    assert found.variant == "AllTraffic"


@pytest.mark.parametrize(
    "output",
    [
        {"encoding": "CSV", "observedContentType": "text/csv", "data": "0.25,0.75\n"},
        {"encoding": "JSON", "data": "[0.25, 0.75]"},
        {"encoding": "BASE64", "data": base64.b64encode(b"[0.25, 0.75]").decode()},
        {
            "encoding": "BASE64",
            "observedContentType": "text/csv; charset=utf-8",
            "data": base64.b64encode(b"0.25,0.75").decode(),
        },
    ],
)
def test_every_encoding_of_the_output_is_read(line: Line, output: dict[str, Any]) -> None:
    assert parse_record(line(output), "v").probabilities == (0.25, 0.75)


@pytest.mark.parametrize(
    "copied",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text + b"\r",
        lambda text: text.replace(b'"application/json"', b"null"),
    ],
    ids=["byte order mark", "carriage return", "no content type"],
)
def test_a_line_that_an_editor_or_another_tool_wrote_again_is_a_record(
    line: Line, copied: Callable[[bytes], bytes]
) -> None:
    (found,) = parse_file([copied(line()) + b"\n"], "v", "s3://b/k").records
    assert found.probabilities == (0.9388836622238159, 0.061116307973861694)


def test_a_caller_that_sent_no_inference_id_leaves_none(line: Line) -> None:
    assert parse_record(line(), "v").inference_id is None


def test_a_time_with_an_offset_and_milliseconds_is_turned_into_utc(line: Line) -> None:
    found = parse_record(line(inferenceTime="2026-11-20T15:32:05.250+01:00"), "v")

    assert found.time == datetime(2026, 11, 20, 14, 32, 5, 250_000, tzinfo=UTC)
    assert found.time.tzinfo is UTC


def test_a_capture_of_outputs_alone_has_no_image(body: Callable[..., dict[str, Any]]) -> None:
    captured = body()
    del captured["captureData"]["endpointInput"]

    assert parse_record(json.dumps(captured).encode(), "v").image == b""


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ({"data": "[0.5, 0.4]"}, "that add up to 1"),
        ({"data": "[1.5, -0.5]"}, "that add up to 1"),
        ({"data": "[NaN, 1.0]"}, "not JSON"),
        ({"data": '[{"label": "\\ud800", "probability": 1}]'}, "not JSON"),
        ({"data": "[1.0]"}, "that add up to 1"),
        ({"data": "[true, false]"}, "that add up to 1"),
        ({"data": '{"label": 1}'}, "that add up to 1"),
        ({"data": "[0.5, "}, "not JSON"),
        ({"data": "9" * 5000}, "not JSON"),
        ({"data": None}, "no data"),
        ({"encoding": "CSV", "data": "a,b"}, "CSV"),
        ({"encoding": "CSV", "data": "0.5,0.5\n0.5,0.5"}, "CSV"),
        ({"encoding": "BASE64", "data": "!"}, "BASE64"),
        ({"encoding": "BASE64", "data": base64.b64encode(b"\xff").decode()}, "not text"),
    ],
)
def test_an_output_that_is_no_distribution_says_why(
    line: Line, output: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse_record(line(output), "v")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"not json", "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"eventMetadata": {"inferenceId": "\\ud800"}}', "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "captureData"),
        (b'{"captureData": {}}', "eventMetadata"),
        (b'{"captureData": {}, "eventMetadata": {}}', "endpointOutput"),
        (b'{"captureData": {"endpointOutput": {}}, "eventMetadata": {}}', "eventId"),
    ],
)
def test_a_line_that_is_no_record_says_why(text: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse_record(text, "v")


@pytest.mark.parametrize("time", ["yesterday", None, 5, "0001-01-01T00:00:00+23:00"])
def test_a_time_that_is_none_is_refused(line: Line, time: Any) -> None:
    with pytest.raises(Unreadable, match="inferenceTime"):
        parse_record(line(inferenceTime=time), "v")


def test_a_file_keeps_its_sound_lines_and_places_the_others(line: Line) -> None:
    content = b"\n".join([line(), b"broken", b"", line(eventId="second")]) + b"\n"

    found = parse_file([content], "v", "s3://b/k")

    assert [r.event_id[:6] for r in found.records] == ["695344", "second"]
    assert found.faults == (("the line is not JSON", "s3://b/k:2"),)


def lines(chunks: list[bytes], limit: int) -> list[bytes | None]:
    return [line.content for line in bounded_lines(chunks, limit)]


def test_a_line_over_the_limit_is_left_out_and_the_next_is_read() -> None:
    chunks = [b"abc\n" + b"x" * 8, b"x" * 8 + b"\nde", b"f\n"]

    assert lines(chunks, 10) == [b"abc", None, b"def"]


def test_an_endless_last_line_is_left_out() -> None:
    assert lines([b"x" * 6] * 3, 10) == [None]


@given(st.binary(max_size=200), st.integers(1, 20))
def test_lines_do_not_depend_on_how_the_stream_is_cut(content: bytes, size: int) -> None:
    chunks = [content[i : i + size] for i in range(0, len(content), size)]

    ended = content.removesuffix(b"\n")
    assert lines(chunks, 1000) == (ended.split(b"\n") if content else [])
    for found in bounded_lines(chunks):
        assert content[found.start : found.start + found.length] == found.content


# A host that is busy elsewhere draws slowly, which says nothing about the reader.
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(
                    ["captureData", "eventMetadata", "endpointInput", "endpointOutput", "data"]
                ),
                s,
            )
        ),
    )
)
def test_whatever_the_line_holds_it_is_refused_and_never_worse(value: Any) -> None:
    with pytest.raises(Unreadable):
        parse_record(json.dumps(value).encode(), "v")


@pytest.mark.parametrize("encoding", ["JSON", "BASE64"])
def test_a_top_k_answer_gives_the_likeliest_labels_first(line: Line, encoding: str) -> None:
    answer = [{"label": "bus", "probability": 0.2}, {"label": "van", "probability": 0.7}]
    text = json.dumps(answer)
    data = base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text

    found = parse_record(line({"data": data, "encoding": encoding}), "AllTraffic")

    assert (found.probabilities, found.named) == ((0.7, 0.2), ("van", "bus"))


@pytest.mark.parametrize(
    "answer",
    [
        [{"label": "bus", "probability": 0.7}, {"label": "bus", "probability": 0.2}],
        [{"label": "bus", "probability": 0.7}, {"label": "van", "probability": 0.7}],
        [{"label": "bus", "probability": 1.7}],
        [{"label": 3, "probability": 0.7}],
        [{"probability": 0.7}],
        [{"label": "bus", "probability": 0.7}, 0.3],
    ],
)
def test_a_damaged_top_k_answer_is_no_record(line: Line, answer: list[object]) -> None:
    with pytest.raises(Unreadable, match="labels with their probabilities"):
        parse_record(line({"data": json.dumps(answer)}), "AllTraffic")


def test_a_half_written_last_line_is_told_from_a_damaged_one(line: Line) -> None:
    whole, half = line(), line()[:70]

    cut = parse_file([whole + b"\n" + half], "AllTraffic", "f")
    damaged = parse_file([half + b"\n" + whole], "AllTraffic", "f")

    assert cut.faults == (("the file's last line is half-written", "f:2"),)
    assert damaged.faults == (("the line is not JSON", "f:1"),)
    assert len(cut.records) == len(damaged.records) == 1
