"""Peer check: connections of other users of the host are not answered.

Linux lists in `/proc/net/tcp` which user a socket belongs to
(https://docs.kernel.org/networking/proc_net_tcp.html). Where the system does not list it, as on
macOS, every user of the host is answered.
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
# Only an established connection has its user; one that its client has closed shows as root's.
_ESTABLISHED = "01"


def is_own(connection: socket.socket, tables: tuple[Path, ...] = _TABLES) -> bool:
    """Return whether a loopback connection's other end is a socket of this user, or of root."""
    try:
        peer, here = connection.getpeername(), connection.getsockname()
    except OSError:  # it is closed by now
        return False
    theirs, ours = _address(*peer[:2]), _address(*here[:2])
    known = False
    for local, remote, state, uid, inode in _rows(tables):
        if (local[-13:], remote[-13:]) == (theirs, ours):
            return state == _ESTABLISHED and inode != "0" and int(uid) in (0, os.getuid())
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
