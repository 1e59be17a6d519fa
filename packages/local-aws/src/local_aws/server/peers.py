"""Peer check: connections of other users of the host are not answered.

Linux says which user a socket belongs to: of one socket by sock_diag
(https://man7.org/linux/man-pages/man7/sock_diag.7.html), of all in `/proc/net/tcp`
(https://docs.kernel.org/networking/proc_net_tcp.html), which takes 20 milliseconds where there are
2,000. Where the system says neither, as on macOS, every user of the host is answered.
"""

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
# Only an established connection has its user; one that its client has closed shows as root's.
_ESTABLISHED = 1
_NETLINK, _SOCK_DIAG, _BY_FAMILY, _REQUEST = 16, 4, 20, 1
_HEAD, _ASKED, _ANY = struct.Struct("=IHHII"), struct.Struct("=BBBxI"), 0xFFFFFFFF
# What is said of a socket begins with its family and state, then has its addresses.
_SAID, _OWNER, _OWNER_AT = struct.Struct("=BB"), struct.Struct("=II"), 64
Address = tuple[str, int]


class Found(NamedTuple):
    """What the kernel says of a socket: the state of its connection, its user and its inode."""

    state: int
    uid: int
    inode: int

    @property
    def is_own(self) -> bool:
        """Return whether it is a socket of this user, or of root, whose client is there."""
        mine = self.uid in (0, os.getuid())
        return self.state == _ESTABLISHED and self.inode != 0 and mine


def ask_kernel(local: Address, remote: Address) -> Found | None:
    """Return what sock_diag says of the IPv4 socket of these ends; None where it says nothing."""
    ends = struct.pack("!HH", local[1], remote[1])
    for host, _ in (local, remote):
        ends += socket.inet_aton(host).ljust(16, b"\0")
    ends += struct.pack("=III", 0, _ANY, _ANY)
    body = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY) + ends
    with contextlib.suppress(OSError):
        with socket.socket(_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as diagnoses:
            diagnoses.settimeout(1)
            diagnoses.send(_HEAD.pack(_HEAD.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body)
            answer = diagnoses.recv(4096)
        if _HEAD.unpack_from(answer)[1] == _BY_FAMILY:
            said = answer[_HEAD.size :]
            # A listener is what it finds where there is no such connection.
            if said[4:8] == ends[:4]:
                return Found(_SAID.unpack_from(said)[1], *_OWNER.unpack_from(said, _OWNER_AT))
    return None


def is_own(
    connection: socket.socket,
    tables: tuple[Path, ...] = _TABLES,
    ask: Callable[[Address, Address], Found | None] = ask_kernel,
) -> bool:
    """Return whether a loopback connection's other end is a socket of this user, or of root."""
    try:
        peer, here = connection.getpeername()[:2], connection.getsockname()[:2]
    except OSError:  # it is closed by now
        return False
    if (found := ask(peer, here)) is not None:
        return found.is_own
    theirs, ours = _address(*peer), _address(*here)
    known = False
    for local, remote, state, uid, inode in _rows(tables):
        if (local[-13:], remote[-13:]) == (theirs, ours):
            return Found(int(state, 16), int(uid), int(inode)).is_own
        known = known or (local[-13:], remote[-13:]) == (ours, theirs)
    # Where not even our own end is listed, the system lists no owners.
    return not known


def _rows(tables: tuple[Path, ...]) -> Iterator[tuple[str, str, str, str, str]]:
    for table in tables:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            yield fields[1], fields[2], fields[3], fields[7], fields[9]


def _address(host: str, port: int) -> str:
    """Return an IPv4 address as the kernel prints it: `0100007F:13BF`."""
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return f"{number:08X}:{port:04X}"
