import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_aws.server.http_server import MAX_HEAD_BYTES, WebServer


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
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


@pytest.mark.parametrize("length", [b"-5", b"+5", b"1_0", b"five"])
def test_a_length_that_is_none_is_refused(address: tuple[str, int], length: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + length + b"\r\n\r\n"
    assert answer(address, head).startswith(b"HTTP/1.1 400")
