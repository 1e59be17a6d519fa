import base64
from typing import Any

import pytest

from local_aws.dashboard.captures import capture_row, class_names

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def record(data: str, encoding: str = "BASE64", output: str = "[0.2, 0.8]") -> dict[str, Any]:
    return {
        "captureData": {
            "endpointInput": {"data": data, "encoding": encoding},
            "endpointOutput": {"data": output, "encoding": "JSON"},
        },
        "eventMetadata": {"inferenceTime": "2026-01-01T00:00:00Z", "inferenceId": "i"},
    }


def encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()


def test_a_picture_is_shown_with_its_class_and_probability() -> None:
    found = capture_row(record(encoded(PNG)), "e", ["bicycle", "motorcycle"])
    assert found["image"] == f"data:image/png;base64,{encoded(PNG)}"
    assert (found["label"], found["confidence"], found["id"]) == ("motorcycle", 0.8, "i")


def test_without_labels_the_class_has_its_number() -> None:
    assert capture_row(record(encoded(PNG)), "e", [])["label"] == "class 1"


@pytest.mark.parametrize(
    "data",
    [
        encoded(b"<svg onload=alert(1)>"),
        encoded(b"<html>"),
        "not base64",
        "",
        encoded(PNG + bytes(200_000)),
    ],
)
def test_what_is_no_small_picture_is_not_shown(data: str) -> None:
    assert capture_row(record(data), "e", [])["image"] == ""


@pytest.mark.parametrize(
    "output",
    ["", "text", "{}", "[]", '["<b>"]', "null", "5", "[NaN]", "[1e999]", "[" * 100_000],
)
def test_an_answer_that_is_no_list_of_numbers_has_no_label(output: str) -> None:
    found = capture_row(record(encoded(PNG), output=output), "e", [])
    assert found["label"] == "" and found["confidence"] is None


@pytest.mark.parametrize("part", ["captureData", "eventMetadata"])
def test_a_record_of_another_form_is_shown_as_nothing(part: str) -> None:
    assert capture_row({part: "text"}, "e", [])["label"] == ""


def test_an_empty_record_is_shown_as_nothing() -> None:
    assert capture_row({}, "e", [])["image"] == ""


@pytest.mark.parametrize("text", ["", "text", "{}", "5", "null", "[" * 4000])
def test_a_variable_of_another_form_names_no_classes(text: str) -> None:
    assert class_names(text) == []
    assert class_names('["bicycle", 5]') == ["bicycle", "5"]
