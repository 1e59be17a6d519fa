"""How an input of a batch transform becomes requests, and their answers one output.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
"""

import zlib
from collections.abc import Iterable, Iterator

from local_aws.errors import LocalAwsError

_CHUNK = 1 << 16


class TooMuchData(LocalAwsError):
    """A record is larger than a request may be; the message is that of AWS's data log."""

    def __init__(self) -> None:
        super().__init__("Too much data for max payload size")


class BadGzip(LocalAwsError):
    """An input that is said to be compressed cannot be read."""


def payloads(
    chunks: Iterable[bytes], *, by_line: bool, several: bool, max_bytes: int
) -> Iterator[bytes]:
    """Yield the bodies of the requests for one input, in its order.

    `by_line` splits it at line ends; `several` then puts as many lines into a request as
    `max_bytes` hold, otherwise each line is one. Raises TooMuchData.
    """
    if not by_line:
        yield _whole(chunks, max_bytes)
        return
    batch: list[bytes] = []
    size = 0
    for line in _lines(chunks, max_bytes):
        if batch and (not several or size + len(line) + 1 > max_bytes):
            yield b"\n".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line) + (1 if size else 0)
    if batch:
        yield b"\n".join(batch)


def assembled(answers: Iterable[bytes], *, by_line: bool) -> bytes:
    """Return one output: the answers one after the other, with `by_line` each on its line."""
    if not by_line:
        return b"".join(answers)
    return b"".join(answer.removesuffix(b"\n") + b"\n" for answer in answers)


def unzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what a gzip file holds, a bounded piece at a time; raises BadGzip."""
    reader = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            data = chunk
            while data and not reader.eof:
                yield reader.decompress(data, _CHUNK)
                data = reader.unconsumed_tail
    except zlib.error as error:
        raise BadGzip(f"The input is no gzip file: {error}") from error
    if not reader.eof:
        raise BadGzip("The input is a gzip file that ends early")


def _whole(chunks: Iterable[bytes], max_bytes: int) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > max_bytes:
            raise TooMuchData
    return bytes(content)


def _lines(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """Yield the lines that are not empty, without their ends; raises TooMuchData."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in (*lines, rest):
            if len(line) > max_bytes:
                raise TooMuchData
        yield from (line.removesuffix(b"\r") for line in lines if line.strip())
    if rest.strip():
        yield rest.removesuffix(b"\r")
