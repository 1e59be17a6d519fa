"""CIFAR-100's Python archive: https://www.cs.toronto.edu/~kriz/cifar.html.

`train` and `test` are pickled dicts: `data` uint8 (N, 3072), each row a 32x32 image as its
red, green and blue plane; `fine_labels`, N indices into `meta`'s `fine_label_names`; and
`filenames`. A file's name says nothing about its label (many `bike_*` are motorcycles), so
labels come from `fine_labels` alone.
"""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import ChecksumMismatch, DatasetError, MalformedDataset, UnknownLabel
from scones_core.labels import LabelSet
from scones_etl import archive, pickles
from scones_etl.raw import RAW_SPLITS, RawDataset

FOLDER = "cifar-100-python"
SIDE = 32
# The original's members have about 155 MB, 31 MB and 1.5 kB.
_LIMITS = {f"{FOLDER}/train": 400 << 20, f"{FOLDER}/test": 100 << 20, f"{FOLDER}/meta": 1 << 20}


@dataclass(frozen=True, slots=True)
class Cifar100:
    """A CIFAR-100 archive, or one cut from it, that lies in a file."""

    path: Path
    sha256: str
    kind: str = "cifar100"

    @classmethod
    def open(cls, path: Path, md5: str | None = None) -> "Cifar100":
        """Return the source for a file, which is hashed but not yet unpacked.

        Raises DatasetError when it cannot be read, ChecksumMismatch when `md5` is not its own.
        """
        try:
            if md5 is not None and (found := _digest(path, "md5")) != md5:
                raise ChecksumMismatch(
                    f"{path} has the MD5 {found}, not {md5}: it is damaged or another file. "
                    "Delete it, and it is downloaded again."
                )
            return cls(path, _digest(path, "sha256"))
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error

    @property
    def name(self) -> str:
        """The archive's file name."""
        return self.path.name

    def read(self, classes: LabelSet) -> RawDataset:
        """Return all images of these classes, (N, 32, 32, 3), train rows first.

        Raises UnknownLabel, MalformedDataset, or DatasetError for a class without rows.
        """
        members = self._members()
        where = {name: f"{self.path}: {name}" for name in members}
        meta = f"{FOLDER}/meta"
        wanted = _indices(_names(members[meta], where[meta]), classes, str(self.path))
        parts = []
        for split in RAW_SPLITS:
            member = f"{FOLDER}/{split}"
            parts.append(_select(members.pop(member), wanted, split, where[member]))
        raw = _join(parts)
        raw.require_every_class(classes, str(self.path))
        return raw

    def _members(self) -> dict[str, bytes]:
        try:
            with self.path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != self.sha256:
                    raise ChecksumMismatch(f"{self.path} changed while it was read; try again.")
                stream.seek(0)
                return archive.read_members(stream, _LIMITS, str(self.path))
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error.strerror}.") from error


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _table(data: bytes, where: str) -> dict[str, Any]:
    table = pickles.load(data, where)
    if not isinstance(table, dict):
        raise MalformedDataset(f"{where} holds no table; get the archive again.")
    return {_text(key, where): value for key, value in table.items()}


def _text(value: object, where: str) -> str:
    text = value.decode("latin1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= 255:
        raise MalformedDataset(f"{where} holds a name that is no short text.")
    return text


def _texts(table: dict[str, Any], key: str, where: str) -> list[str]:
    values = table.get(key)
    if not isinstance(values, list):
        raise MalformedDataset(f"{where} has no list {key!r}; is it another archive?")
    return [_text(value, where) for value in values]


def _names(data: bytes, where: str) -> list[str]:
    names = _texts(_table(data, where), "fine_label_names", where)
    if not names or len(set(names)) != len(names):
        raise MalformedDataset(f"{where} names no class, or one twice; get the archive again.")
    return names


def _indices(names: Sequence[str], classes: LabelSet, where: str) -> NDArray[np.int64]:
    """Return, for each fine label, the index of its class, or -1 where it was not asked for."""
    table = np.full(len(names), -1, dtype=np.int64)
    for index, name in enumerate(classes):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=5, cutoff=0.4)
            hint = f"the nearest are {', '.join(near)}" if near else f"it has {', '.join(names)}"
            raise UnknownLabel(f"{where} has no class {name!r}; {hint}.")
        table[names.index(name)] = index
    return table


def _select(data: bytes, wanted: NDArray[np.int64], split: str, where: str) -> RawDataset:
    table = _table(data, where)
    pixels = pickles.uint8_array(table.get("data"), f"{where} `data`")
    names = _texts(table, "filenames", where)
    labels = _fine_labels(table.get("fine_labels"), len(wanted), where)
    if pixels.shape != (len(labels), 3 * SIDE * SIDE) or len(names) != len(labels):
        raise MalformedDataset(
            f"{where} has pixels {pixels.shape}, {len(labels)} labels and {len(names)} names; "
            f"it needs (N, {3 * SIDE * SIDE}), N and N."
        )
    rows = np.flatnonzero(wanted[labels] >= 0)
    planes = pixels[rows].reshape(-1, 3, SIDE, SIDE)
    return RawDataset(
        images=np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
        labels=wanted[labels[rows]],
        splits=(split,) * len(rows),
        rows=rows.astype(np.int64),
        names=tuple(names[row] for row in rows),
    )


def _fine_labels(values: object, classes: int, where: str) -> NDArray[np.int64]:
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value < classes for value in values
    ):
        raise MalformedDataset(
            f"{where} has fine labels that are no whole numbers from 0 to {classes - 1}; "
            "get the archive again."
        )
    return np.array(values, dtype=np.int64)


def _join(parts: Sequence[RawDataset]) -> RawDataset:
    return RawDataset(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        splits=tuple(split for part in parts for split in part.splits),
        rows=np.concatenate([part.rows for part in parts]),
        names=tuple(name for part in parts for name in part.names),
    )
