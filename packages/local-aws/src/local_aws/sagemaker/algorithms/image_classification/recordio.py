"""MXNet's RecordIO with packed images.

A record is the magic number, a word with three flag bits and 29 of length, and the data padded
to four bytes; data that holds the magic number itself is split there. Packed data is a header
(`flag`, `label`, two ids), `flag` more labels, and the encoded image.
https://mxnet.apache.org/versions/1.9.1/architecture/note_data_loading
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from local_aws.sagemaker.algorithms.image_classification.errors import CustomerError

MAGIC = 0xCED7230A
MAX_RECORD_BYTES = 64 * 1024 * 1024
_MAGIC_BYTES = struct.pack("<I", MAGIC)
_HEADER = struct.Struct("<IfQQ")


def records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the class and the encoded image of each record; raises CustomerError."""
    with path.open("rb") as file:
        while (data := _record(file, path)) is not None:
            yield _unpacked(data, path)


def _record(file: BinaryIO, path: Path) -> bytes | None:
    parts: list[bytes] = []
    while True:
        head = file.read(8)
        if not head and not parts:
            return None
        if len(head) < 8 or head[:4] != _MAGIC_BYTES:
            raise CustomerError(f"{path.name} is not a RecordIO file.")
        header = struct.unpack("<I", head[4:])[0]
        flag, length = header >> 29, header & (1 << 29) - 1
        data = file.read(length) if length <= MAX_RECORD_BYTES else b""
        if len(data) < length or len(file.read(-length % 4)) < -length % 4:
            raise CustomerError(f"{path.name} ends within a record, or has one that is too large.")
        parts.append(data)
        # 0: whole; 1, 2, 3: the first, a middle and the last part.
        if flag in (0, 3):
            return _MAGIC_BYTES.join(parts)


def _unpacked(data: bytes, path: Path) -> tuple[int, bytes]:
    if len(data) < _HEADER.size:
        raise CustomerError(f"{path.name} has a record without a header.")
    flag, label, _, _ = _HEADER.unpack_from(data)
    start = _HEADER.size + 4 * flag
    if flag > 1 or start > len(data):
        raise CustomerError(f"{path.name} has several labels for an image.")
    if flag:
        (label,) = struct.unpack_from("<f", data, _HEADER.size)
    if label != int(label):
        raise CustomerError(f"{path.name} has a label that is no class: {label}.")
    return int(label), data[start:]
