import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_aws.server.http_server import MAX_HEAD_BYTES, WebServer
from local_aws.server.request_bodies import read_bodies


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """A server that answers a request's body, and `ok` without reading it at `/unread`."""

    def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body) + 2))])
        return [body, b"ok"]

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] != "/unread":
            return read_bodies(echo)(environ, start_response)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = WebServer(listener, application)
        server.start()
        yield listener.getsockname()
        server.stop()


def answer(address: tuple[str, int], request: bytes) -> bytes:
    """Return what the server answers to bytes until it ends the connection."""
    with socket.create_connection(address, timeout=20) as connection:
        found = b""
        try:
            connection.sendall(request)
            while piece := connection.recv(65_536):
                found += piece
        except ConnectionError:  # it was ended while the request was still sent
            pass
    return found


def test_a_request_is_answered(address: tuple[str, int]) -> None:
    ended = b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert answer(address, b"GET / HTTP/1.1\r\n" + ended).endswith(b"ok")


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: "])
def test_a_head_without_end_is_read_no_further_than_its_limit(
    address: tuple[str, int], start: bytes
) -> None:
    found = answer(address, start + b"a" * (MAX_HEAD_BYTES + 65_536))
    assert not found or found.startswith((b"HTTP/1.1 413", b"HTTP/1.1 414"))


@pytest.mark.parametrize("length", [b"-5", b"+5", b"1_0", b"five", b"", b"2\r\nContent-Length: 3"])
def test_a_length_that_is_none_is_refused(address: tuple[str, int], length: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + length + b"\r\n\r\n"
    assert answer(address, head).startswith(b"HTTP/1.1 400")


NEXT = b"GET /next HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
"""A request that follows; read as part of the body before it, or not at all, it has no answer."""


def post(path: bytes, headers: bytes, body: bytes) -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("path", [b"/", b"/unread"])
@pytest.mark.parametrize(
    "body",
    [
        b"2\r\nab\r\n0\r\n\r\n",
        b"00002\r\nab\r\n00\r\n\r\n",
        b"1;name=value\r\na\r\n1 ; x\r\nb\r\n0\r\n\r\n",
        b"2\r\nab\r\n0\r\nGET /trailer HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_a_body_in_chunks_is_read_to_its_end_with_its_trailer(
    address: tuple[str, int], path: bytes, body: bytes
) -> None:
    found = answer(address, post(path, CHUNKED, body) + NEXT)
    assert found.count(b"HTTP/1.1 200") == 2
    assert (b"\r\n\r\nabok" in found) == (path == b"/")


@pytest.mark.parametrize("path", [b"/", b"/unread"])
@pytest.mark.parametrize(
    "size",
    [
        *(b"-1", b"-0", b"+2", b"0x2", b"0_2", b" 2", b"\t2", b"", b"zz", b"2,2", b"\xb2"),
        *(b"f" * 17, b"f" * 16, b"2;" + b"x" * 9000, b"2;\0"),
    ],
)
def test_a_chunk_without_a_valid_size_is_refused_and_nothing_read_after_it(
    address: tuple[str, int], path: bytes, size: bytes
) -> None:
    body = b"1\r\na\r\n" + size + b"\r\nab\r\n0\r\n\r\n"
    found = answer(address, post(path, CHUNKED, body) + NEXT)
    assert found.count(b"HTTP/1.1") == 1
    assert found.startswith(b"HTTP/1.1 400" if path == b"/" else b"HTTP/1.1 200")
    assert b"\r\nConnection: close\r\n" in found


@pytest.mark.parametrize(
    "body",
    [
        b"2\nab\r\n0\r\n\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"2\r\nabX\n0\r\n\r\n",
        b"0\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"0\r\nx: y\n\r\n",
    ],
)
def test_chunks_that_are_not_as_http_has_them_are_refused(
    address: tuple[str, int], body: bytes
) -> None:
    found = answer(address, post(b"/", CHUNKED, body) + NEXT)
    assert found.startswith(b"HTTP/1.1 400")
    assert found.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: 10\r\n", b"abc"),
        (CHUNKED, b"3\r\nabc\r\n"),
        (CHUNKED, b"a\r\nabc"),
        (CHUNKED, b"3\r\nabc\r\n0\r\n"),
        (CHUNKED, b"3"),
    ],
)
def test_a_body_that_ends_early_is_refused(
    address: tuple[str, int], headers: bytes, body: bytes
) -> None:
    """The client is gone in the middle of its request."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(65_536)
        connection.sendall(post(b"/", headers, body))
        connection.shutdown(socket.SHUT_WR)
        found = connection.recv(65_536)
    assert found.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "headers",
    [
        CHUNKED + b"Content-Length: 1\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding:\r\n",
    ],
)
def test_a_body_whose_end_can_be_read_in_two_ways_is_refused(
    address: tuple[str, int], headers: bytes
) -> None:
    found = answer(address, post(b"/", headers, b"2\r\nab\r\n0\r\n\r\n") + NEXT)
    assert found.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert found.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\rx: y\r\n\r\n",
        b"GET //[x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_a_malformed_head_is_refused(address: tuple[str, int], head: bytes) -> None:
    found = answer(address, head + NEXT)
    assert found.startswith(b"HTTP/1.1 400")
    assert found.count(b"HTTP/1.1") == 1
