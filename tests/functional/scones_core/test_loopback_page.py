"""The page's server: it answers its own page, and nobody else."""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest

from scones_core.errors import DatasetError, SettingsError
from scones_core.loopback_page import (
    MAX_CONNECTIONS,
    LoopbackPage,
    Refused,
    Request,
    Response,
)


def application(request: Request) -> Response:
    if request.path == "/fails":
        raise DatasetError("The image is empty.")
    if request.path == "/breaks":
        raise RuntimeError("a bug")
    if request.path != "/":
        raise Refused(404, "There is no such page.")
    return Response.json({"method": request.method, "bytes": len(request.body)})


@pytest.fixture
def page() -> Iterator[LoopbackPage]:
    with LoopbackPage(application, max_body_bytes=1000) as found:
        found.start()
        yield found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes


def ask(
    page: LoopbackPage,
    method: str = "GET",
    path: str = "/",
    body: Any = None,
    *,
    signed_in: bool = True,
    **headers: str | None,
) -> Answer:
    """Return the answer to one request, as the page's own script would send it."""
    own: dict[str, str | None] = {"Host": f"127.0.0.1:{page.port}"}
    if signed_in:
        own["Cookie"] = f"{page.cookie}={page.token}"
    if method == "POST":
        own["Origin"] = f"http://127.0.0.1:{page.port}"
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=5)
    connection.request(method, path, body, {k: v for k, v in own.items() if v is not None})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return Answer(answer.status, answer.headers, body)


def error(answer: Answer) -> Any:
    return json.loads(answer.body)["error"]


def test_the_address_signs_in_and_the_token_leaves_the_address_bar(page: LoopbackPage) -> None:
    path = page.url.partition(f":{page.port}")[2]
    answer = ask(page, path=path, signed_in=False)
    assert answer.status == 303
    assert answer.headers["Location"] == "/"
    cookie = answer.headers["Set-Cookie"]
    assert cookie == f"{page.cookie}={page.token}; Path=/; HttpOnly; SameSite=Strict"
    kept = cookie.partition(";")[0]
    assert ask(page, signed_in=False, Cookie=kept).status == 200


@pytest.mark.parametrize("cookie", [None, "", "scones=x", 'scones-{port}=""', "scones-{port}=\xe9"])
def test_without_the_token_nothing_is_answered(page: LoopbackPage, cookie: str | None) -> None:
    given = {} if cookie is None else {"Cookie": cookie.format(port=page.port)}
    answer = ask(page, signed_in=False, **given)
    assert answer.status == 403
    assert "address that the task printed" in error(answer)


def test_an_address_for_a_command_line_signs_in_once(page: LoopbackPage) -> None:
    path = page.url_once.partition(f":{page.port}")[2]
    assert page.token not in path
    assert ask(page, path=path, signed_in=False).status == 303
    assert ask(page, path=path, signed_in=False).status == 403
    assert ask(page, path="/?token=", signed_in=False).status == 403


def test_another_token_does_not_sign_in(page: LoopbackPage) -> None:
    answer = ask(page, path="/?token=x", signed_in=False)
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


def test_a_name_that_was_made_to_point_to_the_loopback_is_refused(page: LoopbackPage) -> None:
    answer = ask(page, Host=f"evil.example:{page.port}")
    assert answer.status == 403
    assert error(answer) == f"This page answers at 127.0.0.1:{page.port} only."
    assert ask(page, Host=f"localhost:{page.port}").status == 200
    assert ask(page, Host="127.0.0.1").status == 403


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1"])
def test_a_form_of_another_site_is_refused(page: LoopbackPage, origin: str | None) -> None:
    assert ask(page, "POST", body=b"x", Origin=origin).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_image_or_script_is_refused_and_its_link_is_not(
    page: LoopbackPage, site: str
) -> None:
    asked: dict[str, Any] = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "no-cors"}
    assert ask(page, **asked).status == 403
    assert ask(page, **asked | {"Sec_Fetch_Mode": "navigate"}).status == 200
    assert ask(page, path="/other", **asked | {"Sec_Fetch_Mode": "navigate"}).status == 403


def test_the_browser_may_load_and_send_nothing_elsewhere(page: LoopbackPage) -> None:
    for answer in (ask(page), ask(page, path="/none"), ask(page, signed_in=False)):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_body_is_taken_up_to_the_limit(page: LoopbackPage) -> None:
    assert json.loads(ask(page, "POST", body=bytes(1000)).body) == {"method": "POST", "bytes": 1000}
    answer = ask(page, "POST", body=bytes(1001))
    assert answer.status == 413
    assert error(answer) == "The file has 1,001 bytes; at most 1,000 are taken."


@pytest.mark.parametrize("length", ["-1", "x", "1" * 20, "\xb2"])
def test_a_length_that_is_no_number_is_refused(page: LoopbackPage, length: str) -> None:
    assert ask(page, "POST", Content_Length=length).status == 400


def test_a_body_without_a_length_is_refused(page: LoopbackPage) -> None:
    answer = ask(page, "POST", Transfer_Encoding="chunked")
    assert answer.status == 411


def test_errors_are_one_sentence_each(
    page: LoopbackPage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(page, path="/fails").status == 400
    assert error(ask(page, path="/fails")) == "The image is empty."
    assert error(ask(page, path="/none")) == "There is no such page."
    answer = ask(page, path="/breaks")
    assert (answer.status, error(answer)) == (500, "The page failed; its terminal says how.")
    assert "RuntimeError('a bug')" in capsys.readouterr().err


def test_a_caller_that_leaves_in_the_middle_of_its_body_disturbs_nobody(
    page: LoopbackPage, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=5) as connection:
        head = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nOrigin: http://127.0.0.1:"
            f"{page.port}\r\nCookie: {page.cookie}={page.token}\r\nContent-Length: 9\r\n\r\nabc"
        )
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert ask(page).status == 200
    assert capsys.readouterr().err == ""


def test_a_port_that_is_taken_is_named(page: LoopbackPage) -> None:
    with pytest.raises(SettingsError, match=f"Port {page.port} of 127.0.0.1 cannot be listened on"):
        LoopbackPage(application, port=page.port, max_body_bytes=1)


def opened(page: LoopbackPage, text: bytes) -> socket.socket:
    """Return a connection over which this much of a request was sent."""
    connection = socket.create_connection(("127.0.0.1", page.port), timeout=5)
    connection.sendall(text)
    return connection


def test_connections_that_never_show_the_token_do_not_keep_the_page_from_its_browser(
    page: LoopbackPage,
) -> None:
    slow = [opened(page, b"GET / HTTP/1.1\r\n") for _ in range(MAX_CONNECTIONS)]
    assert [ask(page).status for _ in range(3)] == [200, 200, 200]
    assert slow[0].recv(1) == b""
    for connection in slow:
        connection.close()


def test_connections_that_have_shown_the_token_are_kept(page: LoopbackPage) -> None:
    host, cookie = f"127.0.0.1:{page.port}", f"{page.cookie}={page.token}"
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode()
    known = [opened(page, request) for _ in range(MAX_CONNECTIONS)]
    assert {connection.recv(12) for connection in known} == {b"HTTP/1.1 200"}
    with opened(page, b"") as refused:
        assert refused.recv(1) == b""
    for connection in known:
        connection.close()
