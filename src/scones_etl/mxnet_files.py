"""The files of SageMaker's built-in image classification: `.lst`, and MXNet's `.rec` and `.idx`.

A `.lst` has a line for each image: a unique index, the class index from 0, and a path relative to
the channel, which is `dataset/<version>/<split>/`, separated by tabs. Format:
https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html, "Train with Image
Format".

RecordIO: `dmlc/recordio.h` and `mxnet.recordio`. All numbers are little-endian. A record is
uint32 0xced7230a, a uint32 whose upper 3 bits are a flag and whose lower 29 the length, the
data, and zeros up to a multiple of 4. Where the data holds that first number at a multiple of
4, it is cut there and the number left out: the parts are flagged 1, 2, ..., 3, and 0 is a whole
record. An image's data is uint32 flag 0, float32 label, uint64 id, uint64 0, then the file. A
line of `.idx` has the id, a tab and the record's offset in `.rec`.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest, ManifestRow
from scones_core.uris import SPLITS, dataset_prefix, list_key

MAGIC = struct.pack("<I", 0xCED7230A)
MAX_RECORD_BYTES = (1 << 29) - 1
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


def list_file(rows: Iterable[ManifestRow], classes: LabelSet, channel: str) -> bytes:
    """Return the lines for a split's rows; `channel` is the prefix that their keys share."""
    lines = [
        f"{number}\t{classes.index(row.label)}\t{row.key.removeprefix(channel)}\n"
        for number, row in enumerate(rows)
    ]
    return "".join(lines).encode("ascii")


def list_files(manifest: Manifest) -> dict[str, bytes]:
    """Return the `.lst` of each split under its S3 key."""
    classes = LabelSet.of(manifest.classes)
    return {
        list_key(manifest.version, split): list_file(
            manifest.split(split), classes, f"{dataset_prefix(manifest.version)}/{split}/"
        )
        for split in SPLITS
    }


def record(data: bytes) -> bytes:
    """Return the bytes of one record; raises DatasetError for more than 512 MiB."""
    if len(data) > MAX_RECORD_BYTES:
        raise DatasetError(
            f"A record has {len(data):,} bytes, RecordIO takes {MAX_RECORD_BYTES:,}; "
            "set a smaller dataset.image_side."
        )
    *parts, last = _cut(data)
    flags = [_FIRST, *[_MIDDLE] * len(parts)]
    begun = b"".join(_part(flag, part) for flag, part in zip(flags, parts, strict=False))
    return begun + _part(_LAST if parts else _WHOLE, last)


def image_record(number: int, label: int, image: bytes) -> bytes:
    """Return the record of an encoded image with its id and class index."""
    return record(struct.pack("<IfQQ", 0, label, number, 0) + image)


def record_files(images: Iterable[tuple[int, bytes]]) -> tuple[bytes, bytes]:
    """Return the `.rec` and the `.idx` of images, each a class index and an encoded file.

    Ids count from 0, as the `.lst` files do.
    """
    body, index = bytearray(), []
    for number, (label, image) in enumerate(images):
        index.append(f"{number}\t{len(body)}\n")
        body += image_record(number, label, image)
    return bytes(body), "".join(index).encode("ascii")


def record_objects(manifest: Manifest, images: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the RecordIO files of each split under their S3 keys; `images` are PNGs by key.

    A `<split>_rec` folder holds the one `.rec` file that a training channel takes, and
    `<split>_idx` its index.
    """
    classes = LabelSet.of(manifest.classes)
    prefix = dataset_prefix(manifest.version)
    objects = {}
    for split in SPLITS:
        rows = manifest.split(split)
        body, index = record_files((classes.index(row.label), images[row.key]) for row in rows)
        objects[f"{prefix}/{split}_rec/{split}.rec"] = body
        objects[f"{prefix}/{split}_idx/{split}.idx"] = index
    return objects


def _cut(data: bytes) -> Iterator[bytes]:
    """Yield the data between the aligned places that hold the magic number."""
    start = at = 0
    while (at := data.find(MAGIC, at)) >= 0:
        if at % 4:
            at += 1
            continue
        yield data[start:at]
        start = at = at + len(MAGIC)
    yield data[start:]


def _part(flag: int, data: bytes) -> bytes:
    return MAGIC + struct.pack("<I", flag << 29 | len(data)) + data + bytes(-len(data) % 4)
