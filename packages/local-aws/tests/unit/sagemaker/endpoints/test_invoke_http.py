"""Which requests are InvokeEndpoint's, and what the invoker gets of them."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.client_environment import ADMINISTRATOR_KEY
from local_aws.sagemaker.endpoints.invocations import MAX_BODY_BYTES, Answer, Invocation
from local_aws.sagemaker.endpoints.invoke_http import with_invocations

SCOPE = "20261129/us-east-1/{}/aws4_request"


def request(body: bytes = b"image", service: str = "sagemaker", **more: str) -> dict[str, Any]:
    signed = f"AWS4-HMAC-SHA256 Credential={ADMINISTRATOR_KEY}/{SCOPE.format(service)}, Signature=x"
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/endpoints/shop/invocations",
        "HTTP_AUTHORIZATION": signed,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **more,
    }


Ask = Callable[[dict[str, Any]], tuple[str, dict[str, str], bytes, list[Invocation]]]


@pytest.fixture
def ask() -> Ask:
    """Return what asks the front: the status, the headers, and what reached the invoker."""

    def answer(environ: dict[str, Any]) -> tuple[str, dict[str, str], bytes, list[Invocation]]:
        got: list[Invocation] = []
        head: list[Any] = []

        def invoke(invocation: Invocation) -> Answer:
            got.append(invocation)
            return Answer(200, {"Content-Type": "application/json"}, b"[1.0]")

        def below(_: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
            start("404 Not Found", [])
            return [b"below"]

        front = with_invocations(below, invoke)
        body = b"".join(front(environ, lambda *given: head.extend(given)))
        return head[0], dict(head[1]), body, got

    return answer


def test_an_invocation_reaches_the_invoker_with_its_headers(
    ask: Ask,
) -> None:
    status, headers, body, got = ask(
        request(
            CONTENT_TYPE="image/png",
            HTTP_ACCEPT="application/json",
            HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID="one",
            HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT="blue",
            HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES="a=1",
        )
    )
    assert (status, body) == ("200 OK", b"[1.0]")
    assert headers["Content-Length"] == "5"
    assert headers["x-amzn-RequestId"]
    (invocation,) = got
    assert (invocation.endpoint, invocation.body) == ("shop", b"image")
    assert (invocation.content_type, invocation.accept) == ("image/png", "application/json")
    assert (invocation.inference_id, invocation.target_variant) == ("one", "blue")
    assert invocation.custom_attributes == "a=1"


@pytest.mark.parametrize(
    "changed",
    [
        {"REQUEST_METHOD": "GET"},
        {"PATH_INFO": "/endpoints/shop/async-invocations"},
        {"PATH_INFO": "/endpoints/shop"},
        {"HTTP_AUTHORIZATION": ""},
        request(service="s3"),
    ],
)
def test_everything_else_goes_on_to_moto(
    ask: Ask,
    changed: dict[str, Any],
) -> None:
    status, _, body, got = ask({**request(), **changed})
    assert (status, body, got) == ("404 Not Found", b"below", [])


def test_of_a_body_that_is_too_long_no_more_is_read_than_shows_it(
    ask: Ask,
) -> None:
    *_, got = ask(request(b"x" * (MAX_BODY_BYTES + 100)))
    assert len(got[0].body) == MAX_BODY_BYTES + 1


def test_a_key_that_is_nobodys_is_refused_as_the_service_does(
    ask: Ask,
) -> None:
    environ = request()
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"].replace(
        ADMINISTRATOR_KEY, "AKIA1"
    )
    status, headers, body, got = ask(environ)
    assert (status, headers["x-amzn-errortype"]) == (
        "403 Forbidden",
        "UnrecognizedClientException",
    )
    assert b"security token" in body
    assert got == []
