"""A folder of images as photographs come: `class/name.jpg`, of any size and mode.

With `train` and `test` folders at its top, `train/class/name.jpg` and `test/class/name.jpg`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl.formats import AS_GIVEN, ImageFormat, size_counts
from scones_etl.photos import digests, read_photos, stacked
from scones_etl.raw import RAW_SPLITS, Intake, RawDataset, class_table


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Files by their path below the folder, sorted, each with the SHA-256 of its content.

    Folders and files whose names begin with a dot are passed over.
    """

    path: Path
    digests: Mapping[str, str]
    has_test: bool
    kind: str = "folder"

    @classmethod
    def open(cls, path: Path) -> "ImageFolder":
        """Return the source for a folder, whose files are hashed but not yet decoded.

        Raises DatasetError when there are no class folders in it. OSError passes through.
        """
        has_test = all((path / split).is_dir() for split in RAW_SPLITS)
        pattern = "*/*/*" if has_test else "*/*"
        names = sorted(
            file.relative_to(path).as_posix() for file in path.glob(pattern) if file.is_file()
        )
        kept = [name for name in names if not any(part[0] == "." for part in name.split("/"))]
        if has_test:
            kept = [name for name in kept if name.split("/")[0] in RAW_SPLITS]
        if not kept:
            raise DatasetError(
                f"{path} is a folder without a folder of images for each class, and holds no idx "
                "files; put the images into one folder a class, or give an archive."
            )
        return cls(path, digests(path, kept), has_test)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def sha256(self) -> str:
        """The hash over the files' names and contents."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in self.digests.items())
        return hashlib.sha256(f"{self.has_test}\n{lines}".encode()).hexdigest()

    def class_names(self) -> tuple[str, ...]:
        """Return the names of the class folders, sorted."""
        return tuple(sorted({name.split("/")[-2] for name in self.digests}))

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return the images of these classes; files that are no image are listed in `intake`.

        Raises UnknownLabel, DatasetError for a class without readable images, or for images of
        several sizes where `image` gives no side.
        """
        folders = self.class_names()
        wanted = class_table(folders, classes, str(self.path))
        label_of = {folder: int(label) for folder, label in zip(folders, wanted, strict=True)}
        names = [name for name in self.digests if label_of[name.split("/")[-2]] >= 0]
        photos, unreadable = read_photos(self.path, names, self.digests, image)
        train_first = sorted(photos, key=lambda name: (self._is_test(name), name))
        found = {name: photos[name] for name in train_first}
        raw = RawDataset(
            images=stacked(found.values(), image, str(self.path)),
            labels=np.array([label_of[name.split("/")[-2]] for name in found], dtype=np.int64),
            splits=tuple(name.split("/")[0] if self.has_test else "train" for name in found),
            rows=self._rows(list(found)),
            names=tuple(found),
            has_test=self.has_test,
            intake=Intake(unreadable, size_counts(photo.size for photo in found.values())),
        )
        raw.require_every_class(classes, str(self.path))
        return raw

    def _is_test(self, name: str) -> bool:
        return self.has_test and name.startswith("test/")

    def _rows(self, found: list[str]) -> NDArray[np.int64]:
        """Return each file's place among all files of its split, whatever classes are asked."""
        place: dict[str, int] = {}
        counted = dict.fromkeys(RAW_SPLITS, 0)
        for name in self.digests:
            split = name.split("/")[0] if self.has_test else "train"
            place[name] = counted[split]
            counted[split] += 1
        return np.array([place[name] for name in found], dtype=np.int64)
