"""A folder of images as photographs come: `class/name.jpg`, of any size, mode and depth of folders.

With folders for splits at its top, `train/class/name.jpg`, `val/...` and `test/...`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scones_core.class_folders import ClassFile, list_class_files, printable
from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl.extract.cifar import ARCHIVE_SUFFIXES
from scones_etl.extract.image_files import digests, read_photos, stacked
from scones_etl.extract.source import (
    RAW_SPLITS,
    IngestStats,
    RawDataset,
    class_table,
)
from scones_etl.image_format import AS_GIVEN, ImageFormat, size_counts


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Files by their path below the folder, sorted, each with the SHA-256 of its content.

    `passed_over` gives the reason for each file that is of no class; `splits` are those that
    the folder separates.
    """

    path: Path
    files: tuple[ClassFile, ...]
    digests: Mapping[str, str]
    splits: frozenset[str] = frozenset()
    passed_over: Mapping[str, str] = field(default_factory=dict)
    kind: str = "folder"

    @classmethod
    def open(cls, path: Path) -> "ImageFolder":
        """Return the source for a folder, whose files are hashed but not yet decoded.

        Raises DatasetError when there are no class folders in it. OSError passes through.
        """
        found = list_class_files(path)
        if not found.files:
            raise DatasetError(
                f"{path} is a folder without a folder of images for each class, and holds no idx "
                "or CIFAR files; put the images into one folder a class, or give an archive."
                f"{_archive_in(found.passed_over)}"
            )
        names = [file.name for file in found.files]
        return cls(path, found.files, digests(path, names), found.splits, found.passed_over)

    @property
    def name(self) -> str:
        """The folder's name."""
        return printable(self.path.resolve().name)

    @property
    def sha256(self) -> str:
        """The hash over the files' names and contents."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in self.digests.items())
        text = f"{'test' in self.splits}\n{lines}"
        # A name is bytes; one that is not UTF-8 goes in as those bytes.
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def class_names(self) -> tuple[str, ...]:
        """Return the names of the class folders, sorted."""
        return tuple(sorted({file.label for file in self.files}))

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return the images of these classes; `ingest_stats` lists the files that are not used.

        Raises UnknownLabel, DatasetError for a class without readable images, or for images of
        several sizes where `image` gives no side.
        """
        folders = self.class_names()
        wanted = class_table(folders, classes, str(self.path))
        label_of = {folder: int(label) for folder, label in zip(folders, wanted, strict=True)}
        chosen = {file.name: file for file in self.files if label_of[file.label] >= 0}
        photos, unreadable = read_photos(self.path, list(chosen), self.digests, image)
        order = sorted(photos, key=lambda name: (RAW_SPLITS.index(chosen[name].split), name))
        found = {name: photos[name] for name in order}
        raw = RawDataset(
            images=stacked(found.values(), image, str(self.path)),
            labels=np.array([label_of[chosen[name].label] for name in found], dtype=np.int64),
            splits=tuple(chosen[name].split for name in found),
            rows=self._rows(list(found)),
            names=tuple(map(printable, found)),
            own_splits=self.splits - {"train"},
            ingest_stats=IngestStats(
                unreadable={printable(name): why for name, why in unreadable.items()},
                passed_over={printable(name): why for name, why in self.passed_over.items()},
                sizes=size_counts(photo.size for photo in found.values()),
            ),
        )
        raw.require_every_class(classes, str(self.path))
        return raw

    def _rows(self, found: list[str]) -> NDArray[np.int64]:
        """Return each file's place among all files of its split, whatever classes are asked."""
        place: dict[str, int] = {}
        counted = dict.fromkeys(RAW_SPLITS, 0)
        for file in self.files:
            place[file.name] = counted[file.split]
            counted[file.split] += 1
        return np.array([place[name] for name in found], dtype=np.int64)


def _archive_in(names: Iterable[str]) -> str:
    """Return a sentence about the first archive among a folder's files, empty without one."""
    found = next((name for name in names if name.lower().endswith(ARCHIVE_SUFFIXES)), None)
    return f" It holds {printable(found)}: unpack it, or give it itself." if found else ""
