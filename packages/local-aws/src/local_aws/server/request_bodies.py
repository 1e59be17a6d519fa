"""The body of a request on its connection, with a length or in chunks of HTTP.

A body that ends early, or whose chunks are malformed, is no body: an object of half its bytes would
take the place of a whole one. Nothing that follows it on the connection can be read either.
https://www.rfc-editor.org/rfc/rfc9112#section-7.1, https://www.rfc-editor.org/rfc/rfc9112#section-8
"""

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from local_aws.core.admin_api import Wsgi
from local_aws.core.refusals import refuse
from local_aws.errors import LocalAwsError

MAX_BYTES = 5 << 30
"""Of the largest request that AWS takes: one PutObject of S3."""
# A size in hexadecimal digits, and an extension, which nothing here reads.
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\0\r\n]*)?\r\n")
_MAX_LINE_BYTES = 8192
_MAX_TRAILER_LINES = 100
_PIECE_BYTES = 65_536


class IncompleteBody(LocalAwsError):
    """A body that ends early, or that is not in chunks as HTTP has them."""


class Stream(Protocol):
    """What a connection receives."""

    def read(self, size: int) -> bytes:
        """Return so many bytes, less at the end."""

    def readline(self, limit: int) -> bytes:
        """Return a line with its end, no more than so many bytes of it."""


class RequestBody:
    """Reads one body; without a length it is in chunks."""

    def __init__(self, stream: Stream, length: int | None) -> None:
        self._whole = False
        self._pieces = self._read(_chunked(stream) if length is None else _sized(stream, length))

    def read(self) -> bytes:
        """Return what is left of the body. Raises IncompleteBody."""
        return b"".join(self._pieces)

    def skip(self) -> bool:
        """Read what nobody has read; return whether another request can follow."""
        with contextlib.suppress(IncompleteBody):
            for _ in self._pieces:
                pass
        return self._whole

    def _read(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield from pieces
        self._whole = True


def read_bodies(application: Wsgi) -> Wsgi:
    """Return the application, which gets whole bodies; an incomplete one is refused with 400."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
        except IncompleteBody as error:
            return refuse(environ, start_response, "IncompleteBody", str(error))
        return application(environ, start_response)

    return answer


def _sized(stream: Stream, length: int) -> Iterator[bytes]:
    left = length
    while left:
        piece = stream.read(min(left, _PIECE_BYTES))
        if not piece:
            raise IncompleteBody(f"The body of the request ends {left:,} bytes early.")
        left -= len(piece)
        yield piece


def _chunked(stream: Stream) -> Iterator[bytes]:
    total = 0
    while size := _chunk_size(stream.readline(_MAX_LINE_BYTES)):
        total += size
        if total > MAX_BYTES:
            raise IncompleteBody(f"The body of the request has over {MAX_BYTES:,} bytes.")
        yield from _sized(stream, size)
        if stream.read(2) != b"\r\n":
            raise IncompleteBody("A chunk of the request's body does not end where it says.")
    for _ in range(_MAX_TRAILER_LINES):
        line = stream.readline(_MAX_LINE_BYTES)
        if line == b"\r\n":
            return
        if not line.endswith(b"\r\n"):
            break
    raise IncompleteBody("The trailer of the request's body is malformed.")


def _chunk_size(line: bytes) -> int:
    found = _CHUNK.fullmatch(line)
    if found is None:
        raise IncompleteBody("A chunk of the request's body has no valid size.")
    return int(found[1], 16)
