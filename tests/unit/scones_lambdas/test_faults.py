import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
)

from scones_core.errors import (
    EndpointThrottled,
    EndpointUnavailable,
    ImageNotFound,
    InvalidRequest,
    UnsupportedImage,
)
from scones_core.events import ImageRef
from scones_lambdas.faults import endpoint_fault, storage_fault

IMAGE: ImageRef = {"bucket": "data", "key": "{in}/one.png"}
URL = "https://s3.us-east-1.amazonaws.com"


def answer(code: str, status: int) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "message"},
            "ResponseMetadata": {
                "RequestId": "request",
                "HostId": "host",
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "GetObject",
    )


NETWORK = [
    ReadTimeoutError(endpoint_url=URL),
    ConnectTimeoutError(endpoint_url=URL),
    EndpointConnectionError(endpoint_url=URL),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
]


@pytest.mark.parametrize("error", NETWORK)
def test_a_broken_connection_is_worth_another_try(error: Exception) -> None:
    assert type(storage_fault(error, IMAGE)) is EndpointUnavailable
    assert type(endpoint_fault(error, "one", IMAGE)) is EndpointUnavailable


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("NoSuchKey", 404, ImageNotFound),
        ("NoSuchBucket", 404, ImageNotFound),
        ("AccessDenied", 403, ImageNotFound),
        ("InvalidObjectState", 403, ImageNotFound),
        ("PreconditionFailed", 412, ImageNotFound),
        ("InvalidRange", 416, UnsupportedImage),
        ("KeyTooLongError", 400, InvalidRequest),
        ("SlowDown", 503, EndpointThrottled),
        ("TooManyRequests", 429, EndpointThrottled),
        ("InternalError", 500, EndpointUnavailable),
        ("ServiceUnavailable", 503, EndpointUnavailable),
    ],
)
def test_each_code_of_s3_has_its_meaning(code: str, status: int, expected: type[Exception]) -> None:
    fault = storage_fault(answer(code, status), IMAGE)
    assert type(fault) is expected
    assert "data" in str(fault)
    assert str(fault).endswith((".", "message"))


def test_a_refusal_says_that_s3_hides_what_is_absent() -> None:
    fault = storage_fault(answer("AccessDenied", 403), IMAGE)
    assert "s3://data/{in}/one.png is absent or not readable" in str(fault)


def test_a_wrong_name_is_the_caller_s_fault() -> None:
    fault = storage_fault(ParamValidationError(report="Invalid bucket name"), IMAGE)
    assert type(fault) is InvalidRequest


@pytest.mark.parametrize(("code", "status"), [("ExpiredToken", 400), ("InvalidAccessKeyId", 403)])
def test_what_is_no_fault_of_the_image_stays_what_it_is(code: str, status: int) -> None:
    error = answer(code, status)
    assert storage_fault(error, IMAGE) is error
    assert endpoint_fault(error, "one", IMAGE) is error
