import datetime
import json
from typing import Any

import pytest

from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.endpoints.async_inference import AsyncRequest, notification, parse_request
from local_aws.sagemaker.endpoints.async_settings import AsyncSettings
from local_aws.sagemaker.endpoints.instances import Reply

NOW = datetime.datetime(2026, 1, 25, 22, 46, 0, 455_000, tzinfo=datetime.UTC)
PREFIX = "X-Amzn-SageMaker-"


def request(body: bytes = b"", **headers: str) -> AsyncRequest:
    return parse_request(
        "e", {PREFIX + k.replace("_", "-"): v for k, v in headers.items()}, body, NOW
    )


def settings(**more: Any) -> AsyncSettings:
    return AsyncSettings(S3Uri("b", "out"), failure=S3Uri("b", "bad"), **more)


def test_a_request_has_the_documented_defaults() -> None:
    found = request(InputLocation="s3://b/in.png")
    assert (found.timeout_seconds, found.ttl_seconds) == (900, 21_600)
    assert found.source == S3Uri("b", "in.png")
    assert str(found.output(settings())) == f"s3://b/out/{found.id}.out"
    assert str(found.failure(settings())) == f"s3://b/bad/{found.id}-error.out"


def test_an_answer_may_be_given_a_name() -> None:
    found = request(b"x", S3OutputPathExtension="a/b", Filename="c.json")
    assert str(found.output(settings())) == "s3://b/out/a/b/c.json"


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"", {}, "Exactly one"),
        (b"x", {"InputLocation": "s3://b/k"}, "Exactly one"),
        (b"x" * 128_001, {}, "at most 128000 bytes"),
        (b"x", {"InvocationTimeoutSeconds": "3601"}, "between 1 and 3600"),
        (b"x", {"RequestTTLSeconds": "soon"}, "between 60 and 21600"),
        (b"", {"InputLocation": "https://b/k"}, "not an S3 location"),
    ],
)
def test_a_request_that_is_none_is_refused(
    body: bytes, headers: dict[str, str], words: str
) -> None:
    with pytest.raises(LocalAwsError, match=words):
        request(body, **headers)


def test_a_message_names_an_answer_and_includes_it_where_that_is_asked_for() -> None:
    reply = Reply(200, {"Content-Type": "application/json"}, b"[0.9, 0.1]")
    asked = settings(response_topics=frozenset({"SUCCESS_NOTIFICATION_TOPIC"}))
    found = request(InputLocation="s3://b/in.png", Inference_Id="id-1")
    message = json.loads(notification(found, asked, "us-east-1", NOW, reply=reply))
    assert message["eventTime"] == "2026-01-25T22:46:00.455Z"
    assert message["invocationStatus"] == "Completed"
    assert message["responseParameters"] == {
        "contentType": "application/json",
        "outputLocation": f"s3://b/out/{found.id}.out",
        "responseBody": {"content": "WzAuOSwgMC4xXQ==", "encoding": "BASE64"},
    }
    assert message["inferenceId"] == "id-1"


def test_a_message_of_a_failure_has_its_reason_and_no_answer() -> None:
    message = json.loads(notification(request(b"x"), settings(), "us-east-1", NOW, reason="no"))
    assert (message["invocationStatus"], message["failureReason"]) == ("Failed", "no")
    assert "responseParameters" not in message


def test_custom_attributes_have_at_most_1024_characters() -> None:
    assert request(b"x", Custom_Attributes="a" * 1024).custom_attributes == "a" * 1024
    with pytest.raises(LocalAwsError, match="less than or equal to 1024"):
        request(b"x", Custom_Attributes="a" * 1025)
