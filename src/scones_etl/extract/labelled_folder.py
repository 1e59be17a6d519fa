"""Images that a person has labelled: a folder with `labels.csv`, as `inv review` writes it.

`labels.csv` has a header with the columns `file`, the image's path below the folder, and
`label`; further columns are passed over, and so are rows whose label is empty.
"""

import codecs
import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scones_core.errors import DatasetError, MalformedDataset, UnknownLabel
from scones_core.image_folders import printable
from scones_core.labels import LabelSet
from scones_etl.extract.photos import digests, read_photos, stacked
from scones_etl.extract.source import IngestStats, RawDataset
from scones_etl.image_format import AS_GIVEN, ImageFormat, size_counts

LABELS_FILE = "labels.csv"
COLUMNS = {"file", "label"}
_DELIMITERS = (",", ";", "\t")
_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """Labels by file, in the order of the file names, each file with its SHA-256."""

    path: Path
    labels: Mapping[str, str]
    digests: Mapping[str, str]
    kind: str = "labelled"

    @classmethod
    def open(cls, path: Path) -> "LabelledFolder":
        """Return the source of a folder, whose files are hashed but not yet decoded.

        Raises MalformedDataset for a list that cannot be read, DatasetError where it labels
        nothing. OSError passes through.
        """
        labels = dict(sorted(_labels(path).items()))
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
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

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
                    f"{', '.join(classes)}; correct it, or leave it empty to skip the image."
                )
        found, unreadable = read_photos(self.path, list(self.labels), self.digests, image)
        return RawDataset(
            images=stacked(found.values(), image, str(self.path)),
            labels=np.array([classes.index(self.labels[name]) for name in found], dtype=np.int64),
            splits=("train",) * len(found),
            rows=np.array([list(self.labels).index(name) for name in found], dtype=np.int64),
            names=tuple(map(printable, found)),
            own_splits=frozenset(),
            ingest_stats=IngestStats(
                unreadable={printable(name): why for name, why in unreadable.items()},
                sizes=size_counts(photo.size for photo in found.values()),
            ),
        )


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A row of a list: its line number, and what its columns hold, by the header's names."""

    line: int
    values: Mapping[str, str]


def has_label_columns(folder: Path) -> bool:
    """Return whether a folder has a list with the columns of this project.

    Raises MalformedDataset for a list that is not readable as CSV. OSError passes through.
    """
    path = folder / LABELS_FILE
    return path.is_file() and set(read_table(path)[0]) >= COLUMNS


def read_table(path: Path) -> tuple[tuple[str, ...], list[LabelRow]]:
    """Return the header, in lower case, and the rows of a CSV file as spreadsheets save it.

    The header decides whether commas, semicolons or tabs part the columns; a byte order mark
    decides between UTF-8 and UTF-16. Raises MalformedDataset, naming the line. OSError passes
    through.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise MalformedDataset(f"{path} has more than {_MAX_BYTES:,} bytes.")
    text = _decoded(path)
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        # Excel's own way to name the delimiter.
        delimiter, text, skipped = first.strip()[4], rest, 1
    else:
        delimiter, skipped = max(_DELIMITERS, key=first.count), 0
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        header = tuple(name.strip().lower() for name in next(reader, []))
        rows = []
        for values in reader:
            line = reader.line_num + skipped
            if len(values) > len(header):
                raise MalformedDataset(
                    f"{path}, line {line}: it has {len(values)} columns, the header "
                    f"{len(header)}; put a value that holds {delimiter!r} into double quotes."
                )
            if any(values):
                rows.append(LabelRow(line, dict(zip(header, values, strict=False))))
    except csv.Error as error:
        line = reader.line_num + skipped
        raise MalformedDataset(f"{path}, line {line} is not valid CSV: {error}.") from error
    return header, rows


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedDataset(f"{path} is not UTF-8: {error}. Save it as `CSV UTF-8`.") from error


def _labels(folder: Path) -> dict[str, str]:
    """Return each labelled file with its label; raises MalformedDataset, naming the line."""
    path = folder / LABELS_FILE
    header, rows = read_table(path)
    missing = sorted(COLUMNS - set(header))
    if missing:
        raise MalformedDataset(
            f"{path} needs the columns file and label; its header has {', '.join(header)}."
        )
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for row in rows:
        name, label = (row.values.get(column, "").strip() for column in ("file", "label"))
        where = f"{path}, line {row.line}"
        inside = name and (folder / name).resolve().is_relative_to(folder.resolve())
        if not inside or not (folder / name).is_file():
            raise MalformedDataset(f"{where}: {name!r} is not a file below {folder}.")
        if name in seen:
            raise MalformedDataset(f"{where}: {name!r} has a line already.")
        seen.add(name)
        if label:
            labels[name] = label
    return labels
