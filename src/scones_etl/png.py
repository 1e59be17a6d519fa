"""Images as PNG files, many at a time: https://www.w3.org/TR/png-3/.

One library call an image costs more than the compression of 32x32 pixels does. Here the
filtering of a block of images is a few array operations, and each image one call of libdeflate,
whose output depends on its version and level alone, never on the processor.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import deflate
import numpy as np
from numpy.typing import NDArray

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
_PAETH = 4
# libdeflate's levels reach 12; above this one, small images get no smaller.
_LEVEL: Final = 6
_BLOCK_BYTES: Final = 1 << 20


def encode(images: NDArray[np.uint8], *, grey: bool = False) -> Iterator[bytes]:
    """Yield each image, uint8 (N, H, W, 3), as a PNG without metadata, 8 bits a channel.

    `grey` writes the first channel alone. The same pixels give the same bytes, on any host.
    """
    channels = images[..., :1] if grey else images
    _, height, width, depth = channels.shape
    head = _SIGNATURE + _chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _GREY if grey else _RGB, 0, 0, 0)
    )
    end = _chunk(b"IEND", b"")
    step = max(1, _BLOCK_BYTES // (height * width * depth))
    for start in range(0, len(channels), step):
        for lines in _filtered(channels[start : start + step]):
            yield head + _chunk(b"IDAT", bytes(deflate.zlib_compress(lines, _LEVEL))) + end


def _filtered(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return each image's scan lines under the Paeth filter, uint8 (N, H * (1 + W * depth)).

    A byte becomes its difference from the nearest of the bytes to the left, above, and above
    left, taken as left + above - above left says (section 9.4).
    """
    count, height, width, depth = images.shape
    padded = np.zeros((count, height + 1, width + 1, depth), np.int16)
    padded[:, 1:, 1:] = images
    left, above, corner = padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1]
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    use_left = (to_left <= to_above) & (to_left <= to_corner)
    nearest = np.where(use_left, left, np.where(to_above <= to_corner, above, corner))
    lines = np.full((count, height, 1 + width * depth), _PAETH, np.uint8)
    lines[:, :, 1:] = (images - nearest).astype(np.uint8).reshape(count, height, -1)
    return lines.reshape(count, -1)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
