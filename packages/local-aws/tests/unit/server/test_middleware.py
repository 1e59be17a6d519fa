from collections.abc import Callable, Iterable
from typing import Any

import pytest

from local_aws.core.admin_api import Wsgi
from local_aws.server.middleware import TOO_DEEP, refuse_failures, sandbox_content, stack


class Answer:
    """What a client gets of a request."""

    def __init__(self, application: Wsgi, **environ: str) -> None:
        request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/bucket/key", **environ}
        self.status = ""
        self.headers: dict[str, str] = {}
        self.body = b"".join(application(request, self.start))

    def start(self, status: str, headers: list[tuple[str, str]], *_: object) -> None:
        self.status, self.headers = status, dict(headers)


def serving(content_type: str) -> Wsgi:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", content_type)])
        return [b"body"]

    return application


def failing(error: Exception) -> Wsgi:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise error

    return application


def test_the_first_layer_is_the_outermost() -> None:
    passed: list[str] = []

    def layer(name: str) -> Callable[[Wsgi], Wsgi]:
        def around(application: Wsgi) -> Wsgi:
            def answer(
                environ: dict[str, Any], start_response: Callable[..., Any]
            ) -> Iterable[bytes]:
                passed.append(name)
                return application(environ, start_response)

            return answer

        return around

    Answer(stack(serving("text/plain"), [layer("first"), layer("second")]))
    assert passed == ["first", "second"]


@pytest.mark.parametrize(
    "kind", ["text/html", "TEXT/HTML; charset=utf-8", "image/svg+xml", "application/xml", ""]
)
def test_a_page_from_a_bucket_has_no_right_to_this_origin(kind: str) -> None:
    headers = Answer(sandbox_content(serving(kind))).headers
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_data_and_the_servers_own_pages_are_left_alone() -> None:
    assert "Content-Security-Policy" not in Answer(sandbox_content(serving("image/png"))).headers
    own = Answer(sandbox_content(serving("text/html")), PATH_INFO="/_local_aws/page/x")
    assert "Content-Security-Policy" not in own.headers


@pytest.mark.parametrize(
    ("error", "expected"), [(RecursionError(), TOO_DEEP), (KeyError("DEFAULT"), "DEFAULT")]
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_what_nobody_expected_is_a_sentence_and_no_500(
    error: Exception, expected: str, kind: str
) -> None:
    answer = Answer(refuse_failures(failing(error)), CONTENT_TYPE=kind)
    assert answer.status == "400 Bad Request" and expected in answer.body.decode()
