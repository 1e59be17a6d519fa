"""Images that a person has labelled: a folder with `labels.csv`, as `inv review` writes it.

`labels.csv` has a header and the columns `file`, the image's path below the folder, and
`label`; further columns are passed over, and so are rows whose label is empty.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scones_core.errors import DatasetError, MalformedDataset, UnknownLabel
from scones_core.labels import LabelSet
from scones_etl.formats import AS_GIVEN, ImageFormat, size_counts
from scones_etl.photos import digests, read_photos, stacked
from scones_etl.raw import Intake, RawDataset

LABELS_FILE = "labels.csv"
_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Labels by file, in the order of the file names, each file with its SHA-256."""

    path: Path
    labels: Mapping[str, str]
    digests: Mapping[str, str]
    kind: str = "labelled"

    @classmethod
    def open(cls, path: Path) -> "LabelledImages":
        """Return the source of a folder, whose files are hashed but not yet decoded.

        Raises MalformedDataset for a list that cannot be read, DatasetError where it labels
        nothing. OSError passes through.
        """
        labels = dict(sorted(_labels(path)))
        if not labels:
            raise DatasetError(
                f"{path / LABELS_FILE} labels no image yet; write a class into its `label` column."
            )
        return cls(path, labels, digests(path, list(labels)))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def sha256(self) -> str:
        """The hash over names, labels and contents of the labelled files."""
        lines = (f"{self.digests[name]} {label} {name}\n" for name, label in self.labels.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def class_names(self) -> tuple[str, ...]:
        """Return the labels that were given, sorted."""
        return tuple(sorted(set(self.labels.values())))

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return the labelled images, all of them for training.

        Raises UnknownLabel for a label that is none of the classes, naming its file.
        """
        for name, label in self.labels.items():
            if label not in classes.names:
                raise UnknownLabel(
                    f"{self.path / LABELS_FILE} labels {name} as {label!r}, which is none of "
                    f"{', '.join(classes)}; correct it, or leave it empty to pass it over."
                )
        found, unreadable = read_photos(self.path, list(self.labels), self.digests, image)
        return RawDataset(
            images=stacked(found.values(), image, str(self.path)),
            labels=np.array([classes.index(self.labels[name]) for name in found], dtype=np.int64),
            splits=("train",) * len(found),
            rows=np.array([list(self.labels).index(name) for name in found], dtype=np.int64),
            names=tuple(found),
            has_test=False,
            intake=Intake(unreadable, size_counts(photo.size for photo in found.values())),
        )


def _labels(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file with its label; raises MalformedDataset, naming the line."""
    path = folder / LABELS_FILE
    if path.stat().st_size > _MAX_BYTES:
        raise MalformedDataset(f"{path} has more than {_MAX_BYTES:,} bytes.")
    seen: set[str] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream, strict=True):
                name, label = (row.get("file") or "").strip(), (row.get("label") or "").strip()
                _check(folder, name, seen, f"{path}, line {len(seen) + 2}")
                if label:
                    yield name, label
    except (csv.Error, UnicodeDecodeError) as error:
        raise MalformedDataset(f"{path} is no CSV in UTF-8: {error}.") from error


def _check(folder: Path, name: str, seen: set[str], where: str) -> None:
    inside = name and (folder / name).resolve().is_relative_to(folder.resolve())
    if not inside or not (folder / name).is_file():
        raise MalformedDataset(f"{where}: {name!r} is no file below {folder}.")
    if name in seen:
        raise MalformedDataset(f"{where}: {name!r} has a line already.")
    seen.add(name)
