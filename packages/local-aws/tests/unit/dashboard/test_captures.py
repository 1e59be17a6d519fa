import base64
import io
from typing import Any

import pytest
from PIL import Image

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


def noise(kind: str, mode: str = "RGB") -> bytes:
    """Return an encoded image of some 300 to 500 kB, wider than high."""
    picture = Image.effect_noise((1000, 500), 200).convert(mode)
    out = io.BytesIO()
    picture.save(out, kind, quality=95)
    return out.getvalue()


def wide() -> bytes:
    """Return a small file of 56 million pixels."""
    out = io.BytesIO()
    Image.new("1", (8_000, 7_000)).save(out, "PNG")
    return out.getvalue()


def shown(data: str) -> Image.Image:
    head, _, text = str(capture_row(record(data), "e", [])["image"]).partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_picture_is_shown_smaller(kind: str) -> None:
    assert len(noise(kind)) > 250_000
    assert shown(encoded(noise(kind))).size == (256, 128)


def test_a_large_picture_keeps_its_transparency() -> None:
    assert shown(encoded(noise("PNG", "RGBA"))).mode == "RGBA"


def test_a_photograph_is_shown_upright() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    out = io.BytesIO()
    Image.effect_noise((1000, 500), 200).save(out, "JPEG", quality=95, exif=turned)
    assert shown(encoded(out.getvalue())).size == (128, 256)


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (encoded(b"<svg onload=alert(1)>"), "BASE64", "The request is not a PNG or JPEG image."),
        (encoded(b"<html>"), "BASE64", "The request is not a PNG or JPEG image."),
        ("not base64", "BASE64", "The captured request is not Base64."),
        ("", "BASE64", "The request was not captured."),
        ("1,2", "CSV", "The request is text, not an image."),
        (encoded(PNG + bytes(200_000)), "BASE64", "The image cannot be decoded."),
        (encoded(noise("PNG")[:200_000]), "BASE64", "The image cannot be decoded."),
        (
            encoded(noise("JPEG") + b"\xff\xda" * 201),
            "BASE64",
            "The image has too many scans, or segments of Exif.",
        ),
        (encoded(wide() + bytes(40_000)), "BASE64", "The image has too many pixels."),
    ],
)
def test_of_what_is_no_picture_the_reason_is_shown(data: str, encoding: str, reason: str) -> None:
    found = capture_row(record(data, encoding), "e", [])
    assert (found["image"], found["reason"]) == ("", reason)


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
