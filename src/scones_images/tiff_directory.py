"""What the first directory of a TIFF declares, looked at before Pillow makes objects of it.

Formats: TIFF revision 6.0, section 2; BigTIFF, https://www.awaresystems.be/imaging/tiff/bigtiff.html.
"""

import struct

from scones_core.errors import UnsupportedImage

_ENTRIES = 20_000
_VALUES = 1 << 18
_ORDERS = {b"II": "<", b"MM": ">"}
_VERSION, _BIG_VERSION = 42, 43
# BYTE, ASCII, SBYTE and UNDEFINED stay bytes.
_BYTE_TYPES = frozenset({1, 2, 6, 7})


def require_few_values(body: bytes) -> None:
    """Do nothing unless a TIFF has more entries or numbers in one than an encoder writes.

    Each number becomes an object, each offset of a strip a step of decoding: 64 MB have room for
    16 million. Rows of 65,535 images in four planes need 262,140. Raises UnsupportedImage.
    """
    order = _ORDERS.get(body[:2])
    if order is None:
        return
    try:
        (version,) = struct.unpack_from(f"{order}H", body, 2)
        if version == _BIG_VERSION:
            (start,) = struct.unpack_from(f"{order}Q", body, 8)
            head, entry = struct.Struct(f"{order}Q"), struct.Struct(f"{order}HHQ8x")
        elif version == _VERSION:
            (start,) = struct.unpack_from(f"{order}I", body, 4)
            head, entry = struct.Struct(f"{order}H"), struct.Struct(f"{order}HHI4x")
        else:
            return
        (entries,) = head.unpack_from(body, start)
        if entries > _ENTRIES:
            raise UnsupportedImage(f"the TIFF has more than {_ENTRIES:,} tags")
        for index in range(entries):
            place = start + head.size + index * entry.size
            tag, kind, count = entry.unpack_from(body, place)
            if count > _VALUES and kind not in _BYTE_TYPES:
                raise UnsupportedImage(f"the TIFF has {count:,} values in its tag {tag}")
    except (struct.error, OverflowError):
        # It ends within its directory, which the decoder reports.
        return
