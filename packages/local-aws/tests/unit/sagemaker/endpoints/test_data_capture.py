import base64
import json
import re
from datetime import UTC, datetime

import pytest

from local_aws.sagemaker.endpoints.data_capture import (
    CaptureSettings,
    CaptureStream,
    Exchange,
    capture_line,
)

CONFIG = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://captures/data",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {
        "CsvContentTypes": ["text/csv"],
        "JsonContentTypes": ["application/json"],
    },
}
AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)


def settings(**changes: object) -> CaptureSettings:
    parsed = CaptureSettings.parse({**CONFIG, **changes})
    assert parsed is not None
    return parsed


def exchange(**changes: object) -> Exchange:
    fields = {
        "request": b"\x89PNG\xff",
        "request_type": "image/png",
        "response": b"[0.93, 0.07]",
        "response_type": "application/json",
        "at": AT,
    }
    return Exchange(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_line_has_the_keys_order_and_separators_of_real_records() -> None:
    line = capture_line(exchange(), settings())

    event = json.loads(line)["eventMetadata"]["eventId"]
    assert line == (
        '{"captureData":{"endpointInput":{"observedContentType":"image/png","mode":"INPUT",'
        f'"data":"{base64.b64encode(exchange().request).decode()}","encoding":"BASE64"}},'
        '"endpointOutput":{"observedContentType":"application/json","mode":"OUTPUT",'
        '"data":"[0.93, 0.07]","encoding":"JSON"}},'
        f'"eventMetadata":{{"eventId":"{event}","inferenceTime":"2026-03-04T05:06:07Z"}},'
        '"eventVersion":"0"}'
    )


def test_the_inference_id_is_there_only_when_the_caller_sent_one() -> None:
    without = json.loads(capture_line(exchange(), settings()))["eventMetadata"]
    sent = json.loads(capture_line(exchange(inference_id="abc"), settings()))["eventMetadata"]

    assert "inferenceId" not in without
    assert sent["inferenceId"] == "abc"


@pytest.mark.parametrize(
    ("content_type", "data", "expected"),
    [
        ("application/json; charset=utf-8", b"[1]", ("[1]", "JSON")),
        ("Text/CSV", b"1,2", ("1,2", "CSV")),
        ("application/jsonlines", b"[1]", ("WzFd", "BASE64")),
        ("application/json", b"\xff", ("/w==", "BASE64")),
        ("", b"", ("", "BASE64")),
    ],
)
def test_only_listed_content_types_that_are_text_are_kept_as_text(
    content_type: str, data: bytes, expected: tuple[str, str]
) -> None:
    assert settings().encode(content_type, data) == expected


def test_without_content_type_headers_everything_is_base64() -> None:
    plain = settings(CaptureContentTypeHeader=None)

    assert plain.encode("application/json", b"[1]") == ("WzFd", "BASE64")


@pytest.mark.parametrize(
    ("modes", "sides"),
    [
        (["Input"], {"endpointInput"}),
        (["Output"], {"endpointOutput"}),
        (["InputAndOutput"], {"endpointInput", "endpointOutput"}),
    ],
)
def test_only_the_asked_sides_are_captured(modes: list[str], sides: set[str]) -> None:
    chosen = settings(CaptureOptions=[{"CaptureMode": mode} for mode in modes])

    assert set(json.loads(capture_line(exchange(), chosen))["captureData"]) == sides


@pytest.mark.parametrize("config", [None, {}, {**CONFIG, "EnableCapture": False}])
def test_capture_that_is_not_enabled_captures_nothing(config: dict[str, object] | None) -> None:
    assert CaptureSettings.parse(config) is None


def test_a_percentage_of_zero_samples_none_and_of_hundred_all() -> None:
    none, every = settings(InitialSamplingPercentage=0), settings()

    assert not any(none.samples() for _ in range(200))
    assert all(every.samples() for _ in range(200))


@pytest.mark.parametrize(
    ("destination", "prefix"),
    [
        ("s3://captures/data", "data/"),
        ("s3://captures/data/", "data//"),
        ("s3://captures", ""),
    ],
)
def test_a_key_names_endpoint_variant_hour_and_first_record(destination: str, prefix: str) -> None:
    stream = CaptureStream("shop", "AllTraffic", settings(DestinationS3Uri=destination))

    key = stream.object_key(AT)

    folder = f"{prefix}shop/AllTraffic/2026/03/04/05/"
    assert key.startswith(folder)
    assert re.fullmatch(
        r"06-07-089-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl", key[len(folder) :]
    )
