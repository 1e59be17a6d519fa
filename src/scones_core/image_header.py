"""Type, size, channels and scans of a PNG or JPEG, read from its bytes with the standard library.

The bytes are whatever somebody uploaded: every length is checked before it is followed, each
step moves forward, and anything unexpected is an UnsupportedImage. Nothing is decoded.
Formats: PNG third edition, 5.2 and 11.2.1; ITU-T T.81, B.1 and B.2.2.
"""

import re
import struct
import zlib
from dataclasses import dataclass

from scones_core.errors import UnsupportedImage
from scones_core.limits import MAX_JPEG_SCANS

HEADER_BYTES = 131_072
"""Enough for a JPEG whose Exif segment has its full 64 KiB, as cameras with previews write. One
with a press profile or a depth map has more before its frame header: see IncompleteHeader."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = struct.Struct(">I4sIIBB3sI")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Channels by colour type; a palette gives colours."""
_PNG_MAX_SIDE = 2**31 - 1
# Length, type and checksum.
_PNG_FRAME_BYTES = 12
_JPEG_START = b"\xff\xd8\xff"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_NO_FRAME_FOLLOWS = frozenset({0xD8, 0xD9, 0xDA})
_JPEG_SCAN, _JPEG_END, _JPEG_APP1 = 0xDA, 0xD9, 0xE1
# What follows a 0xFF that is data.
_JPEG_STUFFED = 0x00
# A marker, where a decoder finds it: past bytes of no segment, data and fill bytes. In a scan,
# restart markers are passed over as well.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
_JPEG_SCAN_ENDS = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_JPEG_SEGMENTS = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE}) - {0xC8}
# libjpeg ends at these, but Pillow, which reads the file up to the first scan, goes on.
_JPEG_PASSED = frozenset({0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
# A body of 6 MB has room for 100 segments of the full size.
_MAX_SEGMENTS = 20_000
# A camera writes one, of at most 64 KiB. Pillow copies those before it for each that follows.
_MAX_EXIF_SEGMENTS = 16


class IncompleteHeader(UnsupportedImage):
    """The image shows no size within the bytes that were given; more of them may."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """`content_type` for the endpoint, and what the image declares: pixels a side, channels."""

    content_type: str
    width: int
    height: int
    channels: int

    @property
    def pixels(self) -> int:
        """The number of pixels that a decoder would give."""
        return self.width * self.height


def read_image_header(head: bytes) -> ImageHeader:
    """Return what the image declares that starts with these bytes.

    Raises UnsupportedImage for another format and for a damaged header, IncompleteHeader where
    the bytes end before the size is known.
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
        raise IncompleteHeader("the PNG ends within its header")
    length, kind, width, height, _, colour, _, checksum = _PNG_HEADER.unpack(chunk)
    if (
        colour not in _PNG_CHANNELS
        or length != 13
        or kind != b"IHDR"
        or zlib.crc32(chunk[4:-4]) != checksum
    ):
        raise UnsupportedImage("the PNG's header is damaged")
    if not (0 < width <= _PNG_MAX_SIDE and 0 < height <= _PNG_MAX_SIDE):
        raise UnsupportedImage(f"the PNG claims to have {width} x {height} pixels")
    return ImageHeader("image/png", width, height, _PNG_CHANNELS[colour])


def count_scans(body: bytes) -> int:
    """Return the number of scans that a decoder would find in a JPEG, 0 for any other bytes.

    Each scan costs a pass over all pixels, however few bytes it has. Counting ends where the
    image ends or cannot be followed, as decoding does, and above MAX_JPEG_SCANS. Raises
    UnsupportedImage for more segments, or more of Exif, than any encoder writes.
    """
    if not body.startswith(_JPEG_START):
        return 0
    return _count_scans(body)


def require_few_scans(body: bytes) -> None:
    """Do nothing unless a JPEG has more than MAX_JPEG_SCANS scans; raises UnsupportedImage."""
    if count_scans(body) > MAX_JPEG_SCANS:
        raise UnsupportedImage(f"the JPEG has more than {MAX_JPEG_SCANS} scans")


def require_few_chunks(body: bytes) -> None:
    """Do nothing unless a PNG has more chunks than an encoder writes; raises UnsupportedImage.

    A decoder looks at each, however few bytes it has: 6 MB have room for half a million.
    """
    if not body.startswith(_PNG_SIGNATURE):
        return
    position = len(_PNG_SIGNATURE)
    for _ in range(_MAX_SEGMENTS):
        if position + _PNG_FRAME_BYTES > len(body):
            return
        position += _PNG_FRAME_BYTES + int.from_bytes(body[position : position + 4])
    raise UnsupportedImage(f"the PNG has more than {_MAX_SEGMENTS:,} chunks")


def _count_scans(body: bytes) -> int:
    scans, exifs, position = 0, 0, 2
    next_marker = _JPEG_MARKER
    for _ in range(_MAX_SEGMENTS):
        found = next_marker.search(body, position)
        if not found or scans > MAX_JPEG_SCANS:
            return scans
        marker, position = found[1][0], found.end()
        if marker in _JPEG_WITHOUT_LENGTH or (not scans and marker in _JPEG_PASSED):
            next_marker = _JPEG_MARKER
            continue
        if marker not in _JPEG_SEGMENTS or position + 2 > len(body):
            return scans
        exifs += marker == _JPEG_APP1 and body.startswith(b"Exif\0\0", position + 2)
        if exifs > _MAX_EXIF_SEGMENTS:
            raise UnsupportedImage(f"the JPEG has more than {_MAX_EXIF_SEGMENTS} Exif segments")
        # The length counts its own two bytes; decoders take a shorter one for no content.
        position += max(2, int.from_bytes(body[position : position + 2]))
        scans += marker == _JPEG_SCAN
        next_marker = _JPEG_SCAN_ENDS if marker == _JPEG_SCAN else _JPEG_MARKER
    raise UnsupportedImage(f"the JPEG has more than {_MAX_SEGMENTS:,} segments")


def _read_jpeg(head: bytes) -> ImageHeader:
    position = 2
    for _ in range(_MAX_SEGMENTS):
        # Decoders go on at the next marker where bytes of no segment stand between two.
        marker, position = _next_marker(head, _find(head, b"\xff", position))
        if marker in _JPEG_WITHOUT_LENGTH or marker == _JPEG_STUFFED:
            continue
        if marker in _JPEG_NO_FRAME_FOLLOWS:
            raise UnsupportedImage("the JPEG has no frame header")
        length = int.from_bytes(_take(head, position, 2))
        if length < 2:
            raise UnsupportedImage("the JPEG has a segment of impossible length")
        if marker in _JPEG_FRAMES:
            return _read_frame(_take(head, position + 2, 6))
        position += length
    raise UnsupportedImage(f"the JPEG has more than {_MAX_SEGMENTS:,} segments")


def _next_marker(head: bytes, position: int) -> tuple[int, int]:
    """Return the marker at a position, past any fill bytes, and where its segment starts."""
    if _take(head, position, 1) != b"\xff":
        raise UnsupportedImage("the JPEG has no marker where its segment ends")
    while (byte := _take(head, position, 1)) == b"\xff":
        position += 1
    return byte[0], position + 1


def _read_frame(frame: bytes) -> ImageHeader:
    height, width, channels = struct.unpack(">xHHB", frame)
    if not width or not height:
        raise UnsupportedImage(f"the JPEG claims to have {width} x {height} pixels")
    return ImageHeader("image/jpeg", width, height, channels)


def _find(head: bytes, needle: bytes, position: int) -> int:
    found = head.find(needle, position)
    if found < 0:
        raise IncompleteHeader(f"the JPEG shows no size within its first {len(head)} bytes")
    return found


def _take(head: bytes, position: int, count: int) -> bytes:
    piece = head[position : position + count]
    if len(piece) < count:
        raise IncompleteHeader(f"the JPEG shows no size within its first {len(head)} bytes")
    return piece
