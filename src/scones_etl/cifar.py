"""The Python archives of CIFAR-10 and CIFAR-100: https://www.cs.toronto.edu/~kriz/cifar.html.

A batch is a pickled dict: `data` uint8 (N, 3072), each row a 32x32 image as its red, green and
blue plane; the labels, N indices into the names that another member holds; and `filenames`. A
file's name says nothing about its label (in CIFAR-100 many `bike_*` are motorcycles), so labels
come from the labels alone.
"""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import ChecksumMismatch, DatasetError
from scones_core.labels import LabelSet
from scones_etl.archive import read_members, unused
from scones_etl.cifar_tables import Batch, class_names, interleaved, select, table
from scones_etl.formats import AS_GIVEN, ImageFormat
from scones_etl.raw import RawDataset, class_table


@dataclass(frozen=True, slots=True)
class Layout:
    """Which members an archive has, and under which keys their tables hold labels and names.

    `batches` are a split's members in row order; `limit` is the most bytes of one of them.
    """

    kind: str
    folder: str
    batches: Mapping[str, tuple[str, ...]]
    meta: str
    labels_key: str
    names_key: str
    limit: int

    @property
    def limits(self) -> dict[str, int]:
        """The most bytes of each member, by its name in the archive."""
        batches = {self.member(b): self.limit for split in self.batches.values() for b in split}
        return {**batches, self.member(self.meta): 1 << 20}

    def member(self, name: str) -> str:
        """Return the name of a member in the archive."""
        return f"{self.folder}/{name}"


# The original's members have about 155 MB and 31 MB.
CIFAR_100: Final = Layout(
    kind="cifar100",
    folder="cifar-100-python",
    batches={"train": ("train",), "test": ("test",)},
    meta="meta",
    labels_key="fine_labels",
    names_key="fine_label_names",
    limit=400 << 20,
)
# The original's members have about 31 MB each.
CIFAR_10: Final = Layout(
    kind="cifar10",
    folder="cifar-10-batches-py",
    batches={
        "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
        "test": ("test_batch",),
    },
    meta="batches.meta",
    labels_key="labels",
    names_key="label_names",
    limit=100 << 20,
)
LAYOUTS = (CIFAR_100, CIFAR_10)


@dataclass(frozen=True, slots=True)
class CifarArchive:
    """A CIFAR archive, or one cut from it, that lies in a file."""

    path: Path
    layout: Layout = CIFAR_100
    # The file's hash, once it is known: reading the file takes it along.
    _known: list[str] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def open(cls, path: Path, md5: str | None = None, layout: Layout = CIFAR_100) -> "CifarArchive":
        """Return the source for a file, which is not yet unpacked.

        Raises DatasetError when it cannot be read, ChecksumMismatch when `md5` is not its own.
        """
        try:
            with path.open("rb") as stream:
                found = md5 and hashlib.file_digest(stream, "md5").hexdigest()
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
        if found != md5:
            raise ChecksumMismatch(
                f"{path} has the MD5 {found}, not {md5}: it is damaged or another file. "
                "Delete it, and it is downloaded again."
            )
        return cls(path, layout)

    @property
    def sha256(self) -> str:
        """The hash of the file, in hex: of what was read, if it was; raises DatasetError."""
        if not self._known:
            try:
                with self.path.open("rb") as stream:
                    self._known.append(hashlib.file_digest(stream, "sha256").hexdigest())
            except OSError as error:
                raise DatasetError(f"{self.path} cannot be read: {error.strerror}.") from error
        return self._known[0]

    @property
    def kind(self) -> str:
        """`cifar100` or `cifar10`."""
        return self.layout.kind

    @property
    def name(self) -> str:
        """The archive's file name."""
        return self.path.name

    def class_names(self) -> tuple[str, ...]:
        """Return the names of all classes, in label order; raises as `read` does."""
        return tuple(self._names(self._tables(unused(sum(self.layout.limits.values())))))

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return all images of these classes, train rows first; 32x32 unless `image` says other.

        Raises UnknownLabel, MalformedDataset, or DatasetError for a class without rows.
        """
        memory = unused(sum(self.layout.limits.values()))
        tables = self._tables(memory)
        names = self._names(tables)
        wanted = class_table(names, classes, str(self.path))
        batches, splits, rows = self._batches(tables, wanted)
        raw = RawDataset(
            images=interleaved(batches, memory),
            labels=np.concatenate([batch.labels for batch in batches]),
            splits=splits,
            rows=rows,
            names=tuple(name for batch in batches for name in batch.names),
        )
        raw.require_every_class(classes, str(self.path))
        return replace(raw, images=image.fit_all(raw.images))

    def _names(self, tables: Mapping[str, dict[str, Any]]) -> list[str]:
        meta = self.layout.member(self.layout.meta)
        return class_names(tables[meta], self.layout.names_key, f"{self.path}: {meta}")

    def _batches(
        self, tables: Mapping[str, dict[str, Any]], wanted: NDArray[np.int64]
    ) -> tuple[list[Batch], tuple[str, ...], NDArray[np.int64]]:
        """Return all batches, and the split and the row in it of each chosen image."""
        batches: list[Batch] = []
        splits: list[str] = []
        rows = []
        for split, names in self.layout.batches.items():
            first = 0
            for member in map(self.layout.member, names):
                where = f"{self.path}: {member}"
                batch = select(tables[member], self.layout.labels_key, wanted, where)
                batches.append(batch)
                splits += [split] * len(batch.rows)
                rows.append(batch.rows + first)
                first += len(batch.pixels)
        return batches, tuple(splits), np.concatenate(rows)

    def _tables(self, memory: NDArray[np.uint8]) -> dict[str, dict[str, Any]]:
        """Return each member's table, unpacked into the memory; take the file's hash along."""

        def read(content: memoryview, member: str) -> dict[str, Any]:
            return table(content, f"{self.path}: {member}")

        try:
            with self.path.open("rb") as stream, self.path.open("rb") as again:
                same = os.path.sameopenfile(stream.fileno(), again.fileno())
                with ThreadPoolExecutor(1) as beside:
                    digest = beside.submit(hashlib.file_digest, again, "sha256")
                    tables = read_members(stream, self.layout.limits, str(self.path), read, memory)
                found = digest.result().hexdigest()
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error.strerror}.") from error
        if not same or self._known not in ([], [found]):
            raise ChecksumMismatch(f"{self.path} changed while it was read; try again.")
        self._known[:] = [found]
        return tables
