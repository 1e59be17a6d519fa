"""MNIST's idx files, and those of its relatives: http://yann.lecun.com/exdb/mnist/.

An idx file has two zero bytes, a type (8 is uint8), the number of axes, each axis' size as
big-endian uint32, and then the values. Images are (N, H, W), grey; labels (N,), the class being
the digit itself. Each file may be gzipped.
"""

import gzip
import hashlib
import io
import math
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import ChecksumMismatch, DatasetError, MalformedDataset
from scones_core.labels import LabelSet
from scones_etl.extract.source import RawDataset, class_table, joined
from scones_etl.image_format import AS_GIVEN, ImageFormat

DIGITS = tuple("0123456789")
_IMAGES = re.compile(r"(.*)images[-.]idx3-ubyte(?:\.gz)?")
_SPLITS = {"train": "train", "t10k": "test", "test": "test"}
_UINT8 = 8
# MNIST's own largest file has 47 MB.
MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class IdxFiles:
    """Pairs of files with images and labels, each pair with its name's beginning.

    With a pair whose name ends with `train` and one with `t10k` or `test`, as in
    `emnist-digits-train`, these are the splits. Otherwise the source has no test split of its own.
    """

    path: Path
    pairs: tuple[tuple[str, Path, Path], ...]
    sha256: str
    kind: str = "mnist"

    @staticmethod
    def at(path: Path) -> list[Path]:
        """Return the image files that a path names or holds, in order of their names."""
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return [file for file in files if _IMAGES.fullmatch(file.name) and file.is_file()]

    @classmethod
    def open(cls, path: Path) -> "IdxFiles":
        """Return the source of a folder or of one file of images; raises DatasetError.

        OSError passes through.
        """
        pairs = []
        for images in cls.at(path):
            labels = images.with_name(
                images.name.replace("images", "labels").replace("idx3", "idx1")
            )
            if not labels.is_file():
                raise DatasetError(f"{images} has no labels next to it; put {labels.name} there.")
            match = _IMAGES.fullmatch(images.name)
            pairs.append((match[1].strip("-.") if match else "", images, labels))
        if len({name for name, _, _ in pairs}) != len(pairs):
            raise DatasetError(f"{path} holds the same idx file twice; keep it gzipped or plain.")
        return cls(path, tuple(pairs), _digest(pairs))

    @property
    def name(self) -> str:
        """The folder's or the file's name."""
        return self.path.name

    def class_names(self) -> tuple[str, ...]:
        """Return the ten digits."""
        return DIGITS

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return all images of these digits; raises UnknownLabel, MalformedDataset."""
        wanted = class_table(DIGITS, classes, str(self.path))
        if _digest(self.pairs) != self.sha256:
            raise ChecksumMismatch(f"{self.path} changed while it was read; try again.")
        raw = joined([self._part(pair, wanted) for pair in self._ordered()])
        raw.require_every_class(classes, str(self.path))
        return replace(raw, images=image.fit_all(raw.images))

    def _splits(self) -> dict[str, str]:
        """Return the split of each pair by its name, whose last word names it."""
        names = [name for name, _, _ in self.pairs]
        splits = [_SPLITS.get(re.split(r"[-_.]", name)[-1].lower(), "") for name in names]
        if sorted(splits) == ["test", "train"]:
            return dict(zip(names, splits, strict=True))
        return dict.fromkeys(names, "train")

    def _ordered(self) -> list[tuple[str, Path, Path]]:
        splits = self._splits()
        return sorted(self.pairs, key=lambda pair: (splits[pair[0]] == "test", pair[0]))

    def _part(self, pair: tuple[str, Path, Path], wanted: NDArray[np.int64]) -> RawDataset:
        name, image_file, label_file = pair
        pixels, labels = _array(image_file, 3), _array(label_file, 1)
        if len(pixels) != len(labels) or (labels > 9).any() or not pixels[:1].size:
            raise MalformedDataset(
                f"{image_file} has images {pixels.shape} for {len(labels)} labels; it needs as "
                "many labels, each from 0 to 9."
            )
        rows = np.flatnonzero(wanted[labels] >= 0)
        splits = self._splits()
        return RawDataset(
            images=np.repeat(pixels[rows][..., None], 3, axis=3),
            labels=wanted[labels[rows]],
            splits=(splits[name],) * len(rows),
            rows=rows.astype(np.int64),
            names=tuple(f"{name}-{row:05d}" for row in rows),
            own_splits=frozenset(splits.values()) - {"train"},
        )


def _digest(pairs: list[tuple[str, Path, Path]] | tuple[tuple[str, Path, Path], ...]) -> str:
    """Return the hash over what the files hold, gzipped or not, so that both give one dataset."""
    digest = hashlib.sha256()
    for name, images, labels in pairs:
        for file in (images, labels):
            digest.update(f"{name} {hashlib.sha256(_content(file)).hexdigest()}\n".encode())
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise MalformedDataset(f"{path} has more than {MAX_BYTES:,} bytes.")
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedDataset(f"{path} is a damaged gzip file: {error}. Get it again.") from error
    if len(content) > MAX_BYTES:
        raise MalformedDataset(f"{path} unpacks to more than {MAX_BYTES:,} bytes.")
    return content


def _array(path: Path, axes: int) -> NDArray[np.uint8]:
    data = _content(path)
    start = 4 + 4 * axes
    if len(data) < start or data[:4] != bytes((0, 0, _UINT8, axes)):
        raise MalformedDataset(f"{path} is no idx file of uint8 with {axes} axes; get it again.")
    shape = [int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4)]
    if math.prod(shape) != len(data) - start:
        raise MalformedDataset(
            f"{path} says {shape} and holds {len(data) - start:,} values; get it again."
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
