import socket
import threading
from collections.abc import Iterator

import pytest

from local_aws.server.connection_streams import Reader, Writer


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def test_lines_come_with_their_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest")
    theirs.shutdown(socket.SHUT_WR)
    reader = Reader(ours)
    lines = [reader.readline() for _ in range(5)]
    assert lines == [b"GET / HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"rest", b""]


def test_a_line_is_cut_where_it_is_too_long(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"abcdef\nnext\n")
    reader = Reader(ours)
    assert [reader.readline(4), reader.readline(4), reader.readline()] == [
        b"abcd",
        b"ef\n",
        b"next\n",
    ]
    assert reader.readline(0) == b""


def test_a_line_may_come_in_pieces(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair

    def send() -> None:
        for piece in (b"ab", b"c\n"):
            theirs.sendall(piece)

    sender = threading.Thread(target=send)
    sender.start()
    assert Reader(ours).readline() == b"abc\n"
    sender.join()


def test_a_body_is_read_to_its_size_and_the_rest_stays(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.sendall(b"head\nbodynext")
    theirs.shutdown(socket.SHUT_WR)
    reader = Reader(ours)
    reader.readline()
    assert reader.has_data()
    assert reader.read(4) == b"body"
    assert reader.read(100) == b"next" and reader.bytes_read == 8
    assert reader.read(1) == b"" and not reader.has_data()


def test_all_is_read_without_a_size(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    body = bytes(range(256)) * 1000

    def send() -> None:
        theirs.sendall(body)
        theirs.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert Reader(ours).read() == body
    sender.join()


def test_a_corked_head_goes_with_the_first_of_the_body(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    writer = Writer(ours)
    writer.corked = True
    assert writer.write(b"head ") == 5
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(100)
    writer.corked = False
    writer.write(b"body")
    assert theirs.recv(100) == b"head body"
    writer.write(b"more")
    assert theirs.recv(100) == b"more"


def test_what_is_kept_goes_before_a_large_piece_and_at_a_flush(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    writer, large = Writer(ours), b"x" * 200_000
    writer.corked = True
    writer.write(b"head")
    writer.corked = False
    found = []
    receiver = threading.Thread(target=lambda: found.append(_all(theirs, 200_004)))
    receiver.start()
    writer.write(large)
    receiver.join()
    assert found == [b"head" + large]
    writer.corked = True
    writer.write(b"alone")
    writer.flush()
    assert theirs.recv(100) == b"alone"


def _all(sock: socket.socket, size: int) -> bytes:
    pieces = b""
    while len(pieces) < size:
        pieces += sock.recv(size)
    return pieces
