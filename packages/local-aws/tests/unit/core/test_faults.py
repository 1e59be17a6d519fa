import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.core.admin_api import ROUTES
from local_aws.core.faults import FAULTS_PATH, Fault, answer_faults, remove_faults
from local_aws.errors import LocalAwsError

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, Signature=x"


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    yield
    remove_faults({})


def ask(method: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Return the status and the JSON of the server's own path."""
    seen: dict[str, int] = {}
    content = json.dumps(body or {}).encode()
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": FAULTS_PATH,
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
    }
    answer = ROUTES(environ, lambda status, _: seen.update(status=int(status.split()[0])))
    return seen["status"], json.loads(b"".join(answer))


def request(operation: str = "PutItem", path: str = "/", signed: str = SIGNED) -> str:
    """Return the answer to one request through the layer; "below" comes from the service."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "HTTP_AUTHORIZATION": signed,
        "HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}",
    }
    application = answer_faults(lambda environ, start: [b"below"])
    return b"".join(application(environ, lambda *_: None)).decode()


def test_a_fault_meets_its_operation_as_often_as_was_asked_and_counts() -> None:
    ask("POST", {"service": "dynamodb", "operation": "PutItem", "code": "Throttled", "times": 2})
    assert request("GetItem") == "below"
    assert json.loads(request())["__type"] == "Throttled"
    assert json.loads(request())["__type"] == "Throttled"
    assert request() == "below"
    assert [(fault["met"], fault["times"]) for fault in ask("GET")[1]] == [(2, 0)]


def test_a_fault_of_another_service_or_path_does_not_meet() -> None:
    ask("POST", {"service": "sqs", "operation": "PutItem", "code": "Throttled"})
    ask("POST", {"service": "dynamodb", "path": "/endpoints/*", "code": "Throttled"})
    assert request() == "below"
    assert "Throttled" in request(path="/endpoints/e/invocations")


def test_a_share_is_drawn_from_the_seed() -> None:
    given = {"service": "dynamodb", "operation": "PutItem", "code": "T", "times": 1000}
    ask("POST", {**given, "share": 0.25, "seed": 3})
    first = ["T" in request() for _ in range(200)]
    ask("DELETE")
    ask("POST", {**given, "share": 0.25, "seed": 3})
    assert ["T" in request() for _ in range(200)] == first
    assert 20 < sum(first) < 80


def test_a_fault_without_a_code_only_delays() -> None:
    ask("POST", {"service": "dynamodb", "operation": "PutItem", "delay_seconds": 0.001})
    assert request() == "below"
    assert ask("DELETE")[1][0]["met"] == 1
    assert ask("GET")[1] == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"service": "dynamodb", "code": "T"},
        {"service": "dynamodb", "operation": "PutItem"},
        {"service": "dynamodb", "operation": "PutItem", "code": "T", "status": 200},
        {"service": "dynamodb", "operation": "PutItem", "code": "T", "times": True},
        {"service": "dynamodb", "operation": "PutItem", "code": "T", "share": 0},
        {"service": "dynamodb", "operation": "PutItem", "code": "T", "odd": 1},
        {"service": "dynamodb", "operation": "PutItem", "delay_seconds": 1e9},
    ],
)
def test_a_fault_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(LocalAwsError, match="A fault"):
        Fault.of(given)
    assert ask("POST", given)[0] == 400
