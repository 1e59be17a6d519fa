"""A PNG's chunks: which of them its pixels and their orientation depend on.

https://www.w3.org/TR/png-3/#11Chunks
"""

import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME_BYTES = 12
_COLOUR_TYPE = 25
# The bytes of a transparent colour, by colour type; a palette has up to one for each colour.
_TRANSPARENT_BYTES = {0: 2, 2: 6}
_MAX_PALETTE = 256
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# Where editors write an orientation in text.
_ORIENTATIONS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")


def without_metadata(body: bytes) -> bytes:
    """Return a PNG without the chunks that say nothing of its pixels; other bytes as they are.

    A decoder stops at one that is damaged, or whose text or colour profile is large, although
    nothing in the pixels depends on it.
    """
    if not body.startswith(_SIGNATURE):
        return body
    kept: list[bytes] = []
    position, begin = len(_SIGNATURE), len(_SIGNATURE)
    while position + _FRAME_BYTES <= len(body):
        end = position + _FRAME_BYTES + int.from_bytes(body[position : position + 4])
        if end > len(body):  # cut, which the decoder says
            break
        if not _is_needed(body, position, end):
            kept.append(body[begin:position])
            begin = end
        position = end
    return body if not kept else b"".join([_SIGNATURE, *kept, body[begin:]])


def _is_needed(body: bytes, position: int, end: int) -> bool:
    """Return whether an image looks different, or is turned, without a chunk."""
    kind = body[position + 4 : position + 8]
    if not kind[:1].islower() or kind in _ANIMATION:
        return True
    is_text = kind in _TEXTS and body.startswith(_ORIENTATIONS, position + 8)
    if not is_text and kind not in (b"tRNS", b"eXIf"):
        return False
    whole = zlib.crc32(body[position + 4 : end - 4]) == int.from_bytes(body[end - 4 : end])
    return whole and (kind != b"tRNS" or _is_transparency(body, end - position - _FRAME_BYTES))


def _is_transparency(body: bytes, size: int) -> bool:
    wanted = _TRANSPARENT_BYTES.get(body[_COLOUR_TYPE])
    return 0 < size <= _MAX_PALETTE if wanted is None else size == wanted
