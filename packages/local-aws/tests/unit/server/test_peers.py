import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.server.peers import Found, ask_kernel, is_own

HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode"
)
OTHER = 54321


def say_nothing(*_: object) -> None:
    """Be a kernel that is asked in vain, and has its tables only."""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection of this process to itself: the server's end, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
        with client, served:
            yield served, client


def entry(
    local: tuple[str, int],
    remote: tuple[str, int],
    state: str = "01",
    uid: int | None = None,
    inode: str = "77",
) -> str:
    def hexed(address: tuple[str, int]) -> str:
        return f"0100007F:{address[1]:04X}"

    uid = os.getuid() if uid is None else uid
    return f" 0: {hexed(local)} {hexed(remote)} {state} 0:0 00:0 00000000 {uid} 0 {inode} 1 0"


@pytest.fixture
def table(
    tmp_path: Path, pair: tuple[socket.socket, socket.socket]
) -> Callable[..., tuple[Path, ...]]:
    """Return a table of the kernel's with the server's end, and these for the client's."""
    served, client = pair
    here, there = served.getsockname(), client.getsockname()

    def made(**more: Any) -> tuple[Path, ...]:
        rows = [HEAD, entry(here, there)]
        if more:
            rows.append(entry(there, here, **more))
        path = tmp_path / "tcp"
        path.write_text("\n".join(rows) + "\n")
        return (path,)

    return made


def test_ones_own_connection_is_answered(pair: tuple[socket.socket, socket.socket]) -> None:
    assert is_own(pair[0])


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"uid": os.getuid()}, True),
        ({"uid": 0}, True),
        ({"uid": OTHER}, False),
        # Closed by its client before it was looked at: the kernel shows it as root's.
        ({"uid": 0, "state": "05", "inode": "0"}, False),
        ({"uid": 0, "inode": "0"}, False),
        ({}, False),  # the system lists ours, and no other end
    ],
)
def test_a_connection_is_whose_the_kernel_says(
    pair: tuple[socket.socket, socket.socket],
    table: Callable[..., tuple[Path, ...]],
    more: dict[str, Any],
    expected: bool,
) -> None:
    assert is_own(pair[0], table(**more), say_nothing) is expected


def test_a_client_on_both_address_families_is_found(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    served, client = pair
    mapped = entry(client.getsockname(), served.getsockname(), uid=OTHER)
    mapped = mapped.replace(" 0100007F:", " 0000000000000000FFFF00000100007F:")
    path = tmp_path / "tcp6"
    path.write_text(f"{HEAD}\n{mapped}\n")
    assert not is_own(served, (path,), say_nothing)


def test_where_the_owner_is_unknown_everybody_is_answered(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    assert is_own(pair[0], (tmp_path / "missing",), say_nothing)
    empty = tmp_path / "tcp"
    empty.write_text(HEAD + "\n")
    assert is_own(pair[0], (empty,), say_nothing)


def test_a_closed_connection_is_nobodys(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert not is_own(pair[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has sock_diag")
def test_the_kernel_says_whose_a_connection_is_without_its_tables(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    served, client = pair
    found = ask_kernel(client.getsockname(), served.getsockname())
    assert found is not None and (found.uid, found.is_own) == (os.getuid(), True)
    assert ask_kernel(("127.0.0.1", 1), served.getsockname()) is None
    assert is_own(served, (tmp_path / "missing",))
    client.close()
    assert not is_own(served, (tmp_path / "missing",))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Found(1, os.getuid(), 7), True),
        (Found(1, OTHER, 7), False),
        (Found(4, 0, 0), False),
        (Found(1, 0, 0), False),
    ],
)
def test_a_connection_is_whose_sock_diag_says(
    pair: tuple[socket.socket, socket.socket], found: Found, expected: bool
) -> None:
    assert is_own(pair[0], (), lambda *_: found) is expected
