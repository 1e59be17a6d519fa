import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.core.admin_api import MAX_BODY_BYTES, Page, Routes, Wsgi, serve_own_paths
from local_aws.errors import LocalAwsError


@pytest.fixture
def routes() -> Routes:
    table = Routes()

    @table.route("GET", "/_local_aws/echo")
    def read(query: dict[str, str]) -> dict[str, str]:
        return query

    @table.route("POST", "/_local_aws/echo")
    def write(body: dict[str, int]) -> dict[str, int]:
        if "fault" in body:
            raise LocalAwsError("That is no good.")
        return body

    @table.route("GET", "/_local_aws/page")
    def page(query: dict[str, Any]) -> Page:
        return Page(b"<p>hello</p>")

    return table


def ask(
    application: Wsgi,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: str = "",
) -> tuple[int, bytes, str]:
    seen: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        seen.update(headers, status=int(status.split(maxsplit=1)[0]))

    content = b"".join(
        application(
            {
                "REQUEST_METHOD": method,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "wsgi.input": io.BytesIO(body),
            },
            start_response,
        )
    )
    assert int(seen["Content-Length"]) == len(content)
    return seen["status"], content, seen["Content-Type"]


def test_a_query_and_a_body_reach_their_handlers(routes: Routes) -> None:
    status, content, kind = ask(routes, "GET", "/_local_aws/echo", query="a=1&b=x%20y")
    assert (status, json.loads(content)) == (200, {"a": "1", "b": "x y"})
    assert kind == "application/json"
    assert json.loads(ask(routes, "POST", "/_local_aws/echo", b'{"n": 2}')[1]) == {"n": 2}
    assert json.loads(ask(routes, "POST", "/_local_aws/echo")[1]) == {}


def test_a_page_is_sent_as_it_is(routes: Routes) -> None:
    status, content, kind = ask(routes, "GET", "/_local_aws/page")
    assert (status, content, kind) == (200, b"<p>hello</p>", "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (("GET", "/_local_aws/none", b""), 404, "There is no /_local_aws/none."),
        (("PUT", "/_local_aws/echo", b""), 405, "takes GET and POST, not PUT"),
        (("POST", "/_local_aws/echo", b"{"), 400, "not JSON"),
        (("POST", "/_local_aws/echo", b"[]"), 400, "not a JSON object"),
        (("POST", "/_local_aws/echo", b'{"fault": 1}'), 400, "That is no good."),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(
    routes: Routes, asked: tuple[str, str, bytes], status: int, said: str
) -> None:
    answered, content, _ = ask(routes, *asked)
    assert answered == status
    assert said in json.loads(content)["message"]


def test_a_body_that_is_too_long_is_refused(routes: Routes) -> None:
    status, content, _ = ask(routes, "POST", "/_local_aws/echo", b" " * (MAX_BODY_BYTES + 1))
    assert status == 400
    assert str(MAX_BODY_BYTES) in json.loads(content)["message"]


def test_only_own_paths_are_taken_from_the_application(routes: Routes) -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
        return [b"aws"]

    both = serve_own_paths(application, routes)
    assert ask(both, "GET", "/bucket/key")[1] == b"aws"
    assert ask(both, "GET", "/_local_aws/none")[0] == 404


def test_a_path_that_could_be_a_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="not below"):
        Routes().route("GET", "/clock")
