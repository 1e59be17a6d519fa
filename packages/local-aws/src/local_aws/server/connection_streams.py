"""A connection's two ends as cheroot asks for them: read in few steps, written in one.

cheroot's own are built on the pure Python of `_pyio`, and send an answer's head and its body one
after the other. Each sending lets go of the interpreter and has to get it back.
"""

import socket
from typing import Any

_PIECE_BYTES = 65_536


class Reader:
    """Reads lines and bytes of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer, self._at = b"", 0
        self.bytes_read = 0

    def readline(self, limit: int | None = -1) -> bytes:
        """Return the next line with its end, or `limit` bytes of it; less at the end."""
        while True:
            end = self._buffer.find(b"\n", self._at) + 1 or len(self._buffer) + 1
            if limit is not None and 0 <= limit < end - self._at:
                end = self._at + limit
            if end <= len(self._buffer):
                return self._take(end)
            if not self._fill():
                return self._take(len(self._buffer))

    def read(self, size: int | None = -1) -> bytes:
        """Return so many bytes, all without a size; less at the end."""
        pieces, left = [], size if size is not None and size >= 0 else None
        while left is None or left > 0:
            end = len(self._buffer) if left is None else min(len(self._buffer), self._at + left)
            piece = self._take(end)
            if not piece and not self._fill():
                break
            pieces.append(piece)
            left = None if left is None else left - len(piece)
        found = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.bytes_read += len(found)
        return found

    def has_data(self) -> bool:
        """Return whether something was received that nobody has read."""
        return self._at < len(self._buffer)

    def close(self) -> None:
        """Leave the socket to the connection."""

    def _take(self, end: int) -> bytes:
        taken = self._buffer[self._at : end]
        self._at = end
        return taken

    def _fill(self) -> bool:
        piece = self._socket.recv(_PIECE_BYTES)
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)


class Writer:
    """Writes to a socket at once, or when it is uncorked."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._held = b""
        self.corked = False

    def write(self, data: bytes) -> int:
        """Send bytes, or keep them for what follows."""
        held = self._held
        if self.corked:
            self._held = held + data
        elif len(data) <= _PIECE_BYTES:
            self._held = b""
            self._socket.sendall(held + data)
        else:
            self.flush()
            self._socket.sendall(data)
        return len(data)

    def flush(self) -> None:
        """Send what was kept."""
        held, self._held = self._held, b""
        if held:
            self._socket.sendall(held)


def streams(sock: socket.socket, mode: str, _: int) -> Any:
    """Return a connection's reader or writer, by the mode that a file has."""
    return Reader(sock) if "r" in mode else Writer(sock)
