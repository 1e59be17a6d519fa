"""Chunks of a PNG that say nothing of its pixels cost no image, whatever is wrong with them."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from scones_images.decode import ImageError, decode
from scones_images.png_chunks import without_metadata

ROW = b"\0" + bytes((200, 100, 50)) * 8
SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def chunk(kind: bytes, content: bytes, damage: int = 0) -> bytes:
    checksum = zlib.crc32(kind + content) ^ damage
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(*between: bytes, colour_type: int = 2, rows: bytes = ROW * 8) -> bytes:
    header = struct.pack(">IIBBBBB", 8, 8, 8, colour_type, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows))
    parts = [chunk(b"IHDR", header), *between, data, chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(parts)


LARGE = zlib.compress(b"a" * (80 << 20))
METADATA = {
    "a large text": chunk(b"zTXt", b"workflow\0\0" + LARGE),
    "a large colour profile": chunk(b"iCCP", b"icc\0\0" + LARGE),
    "a checksum that is wrong": chunk(b"tEXt", b"k\0v", damage=1),
    "half a resolution": chunk(b"pHYs", b"\0"),
    "a transparent colour of two bytes": chunk(b"tRNS", b"\0\0"),
    "damaged EXIF": chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff", damage=1),
    "a chunk of its own": chunk(b"prVt", b"x"),
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_damaged_or_large_metadata_costs_no_image(metadata: bytes) -> None:
    assert (decode(png(metadata)) == (200, 100, 50)).all()


def test_what_the_pixels_depend_on_stays() -> None:
    transparent = chunk(b"tRNS", struct.pack(">HHH", 200, 100, 50))
    assert (decode(png(transparent)) == 255).all()
    palette = chunk(b"PLTE", bytes((1, 2, 3))) + chunk(b"tRNS", b"\xff")
    indices = (b"\0" + bytes(8)) * 8
    assert (decode(png(palette, colour_type=3, rows=indices)) == (1, 2, 3)).all()
    with pytest.raises(ImageError):
        decode(png(chunk(b"PLTE", bytes(3), damage=1), colour_type=3, rows=indices))


def test_an_orientation_in_text_stays() -> None:
    image = Image.fromarray(np.arange(8 * 4 * 3, dtype=np.uint8).reshape(8, 4, 3))
    plain = io.BytesIO()
    image.save(plain, "PNG")
    written = plain.getvalue()
    turned = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode())
    body = written[:33] + turned + chunk(b"tEXt", b"k\0v") + written[33:]
    assert decode(body).shape == (4, 8, 3)
    assert decode(written).shape == (8, 4, 3)


def test_other_bytes_stay_as_they_are() -> None:
    for body in (b"", b"\xff\xd8\xff", png(), png()[:-9], SIGNATURE, png() + b"behind the end"):
        assert without_metadata(body) == body
