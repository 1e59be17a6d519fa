"""Type and size of a PNG or JPEG, read from its first bytes with the standard library alone.

The bytes are whatever somebody uploaded: every length is checked before it is followed, each
step moves forward, and anything unexpected is an UnsupportedImage. Nothing is decoded.
Formats: PNG third edition, 5.2 and 11.2.1; ITU-T T.81, B.1 and B.2.2.
"""

import struct
import zlib
from dataclasses import dataclass

from scones_core.errors import UnsupportedImage

HEADER_BYTES = 131_072
"""Enough for a JPEG whose Exif segment has its full 64 KiB, as cameras with previews write."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = struct.Struct(">I4sII5sI")
_PNG_MAX_SIDE = 2**31 - 1
_JPEG_START = b"\xff\xd8\xff"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_NO_FRAME_FOLLOWS = frozenset({0xD8, 0xD9, 0xDA})


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the endpoint is told (`content_type`) and what is limited: pixels a side."""

    content_type: str
    width: int
    height: int


def read_image_header(head: bytes) -> ImageHeader:
    """Return type and size of the image that starts with these bytes.

    HEADER_BYTES of them are enough; fewer are, where the image is smaller. Raises
    UnsupportedImage for another format and for a damaged or cut header.
    """
    if head.startswith(_PNG_SIGNATURE):
        return _read_png(head)
    if head.startswith(_JPEG_START):
        return _read_jpeg(head)
    raise UnsupportedImage("the bytes are neither a PNG nor a JPEG")


def _read_png(head: bytes) -> ImageHeader:
    start = len(_PNG_SIGNATURE)
    chunk = head[start : start + _PNG_HEADER.size]
    if len(chunk) < _PNG_HEADER.size:
        raise UnsupportedImage("the PNG ends within its header")
    length, kind, width, height, _, checksum = _PNG_HEADER.unpack(chunk)
    if length != 13 or kind != b"IHDR" or zlib.crc32(chunk[4:-4]) != checksum:
        raise UnsupportedImage("the PNG's header is damaged")
    if not (0 < width <= _PNG_MAX_SIDE and 0 < height <= _PNG_MAX_SIDE):
        raise UnsupportedImage(f"the PNG claims to have {width} x {height} pixels")
    return ImageHeader("image/png", width, height)


def _read_jpeg(head: bytes) -> ImageHeader:
    position = 2
    while True:
        marker, position = _next_marker(head, position)
        if marker in _JPEG_WITHOUT_LENGTH:
            continue
        if marker in _JPEG_NO_FRAME_FOLLOWS:
            raise UnsupportedImage("the JPEG has no frame header")
        length = int.from_bytes(_take(head, position, 2))
        if length < 2:
            raise UnsupportedImage("the JPEG has a segment of impossible length")
        if marker in _JPEG_FRAMES:
            return _read_frame(_take(head, position + 2, 5))
        position += length


def _next_marker(head: bytes, position: int) -> tuple[int, int]:
    """Return the marker at a position, past any fill bytes, and where its segment starts."""
    if _take(head, position, 1) != b"\xff":
        raise UnsupportedImage("the JPEG has no marker where its segment ends")
    while (byte := _take(head, position, 1)) == b"\xff":
        position += 1
    return byte[0], position + 1


def _read_frame(frame: bytes) -> ImageHeader:
    height, width = struct.unpack(">xHH", frame)
    if not width or not height:
        raise UnsupportedImage(f"the JPEG claims to have {width} x {height} pixels")
    return ImageHeader("image/jpeg", width, height)


def _take(head: bytes, position: int, count: int) -> bytes:
    piece = head[position : position + count]
    if len(piece) < count:
        raise UnsupportedImage(f"the JPEG shows no size within its first {len(head)} bytes")
    return piece
