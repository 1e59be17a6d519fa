"""Images that people have labelled: a folder as `inv review` leaves it.

    labels.csv                  filled in by hand: a header with `file`, the image's path below
                                the folder, and `label`; rows without a label are passed over
    answers/**/*.jsonl          answers of the review page, in a file or folder of each reviewer
    images/<sha256>.<suffix>    the images that these answers are about

The list counts as one reviewer more. An image has the label that most reviewers gave it; where
two labels lead, it is passed over.
"""

import codecs
import csv
import hashlib
import io
import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from scones_core.class_folders import normal_form, printable
from scones_core.errors import DatasetError, MalformedDataset, UnknownLabel
from scones_core.labels import LabelSet
from scones_core.reviews import IMAGES, Answer, consensus, current_answers
from scones_core.reviews.shared import MAX_PART_BYTES, of_reviewer
from scones_etl.extract.image_files import NOT_HASHED, NOT_READ, digests, read_photos, stacked
from scones_etl.extract.image_folder import ImageFolder
from scones_etl.extract.source import IngestStats, RawDataset
from scones_etl.image_format import AS_GIVEN, ImageFormat, size_counts

LABELS_FILE = "labels.csv"
ANSWERS = "answers"
COLUMNS = {"file", "label"}
_DELIMITERS = (",", ";", "\t", "|")
_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """Labels by file, in the order of the file names, each file with its SHA-256.

    `passed_over` gives the reason for each image that was answered and is not used, and for
    each file of answers with lines that are none. `answered` are the files whose label came from
    the review page, or from the name of their folder.
    """

    path: Path
    labels: Mapping[str, str]
    digests: Mapping[str, str]
    kind: str = "labelled"
    passed_over: Mapping[str, str] = field(default_factory=dict)
    answered: frozenset[str] = frozenset()

    @classmethod
    def open(cls, path: Path) -> "LabelledFolder":
        """Return the source of a folder, whose files are hashed but not yet decoded.

        Raises MalformedDataset for a list that cannot be read, DatasetError where nothing is
        labelled. OSError passes through.
        """
        listed = dict(sorted(_labels(path).items())) if (path / LABELS_FILE).is_file() else {}
        answers, passed_over = _answers(path)
        if answers:
            return cls._with_answers(path, listed, answers, passed_over)
        if not listed:
            raise DatasetError(
                f"{path / LABELS_FILE} labels no image yet; write a class into its `label` column."
                if (path / LABELS_FILE).is_file()
                else f"{path} has no answer yet; answer images: inv review"
            )
        return cls(path, listed, digests(path, list(listed)), passed_over=passed_over)

    @classmethod
    def of_class_folders(
        cls, folder: ImageFolder, names: Mapping[str, str] = MappingProxyType({})
    ) -> "LabelledFolder":
        """Return a folder of class folders as further images, each labelled by its folder.

        `names` maps folder names to labels. Unlike a source, it needs no folder of each class.
        """
        own = {normal_form(name): label for name, label in names.items()}
        labels = {file.name: own.get(file.label, file.label) for file in folder.files}
        return cls(
            folder.path,
            dict(sorted(labels.items())),
            folder.digests,
            folder.kind,
            folder.passed_over,
            frozenset(labels),
        )

    @classmethod
    def _with_answers(
        cls,
        path: Path,
        listed: Mapping[str, str],
        answers: list[Answer],
        passed_over: dict[str, str],
    ) -> "LabelledFolder":
        votes = current_answers(answers).votes()
        files = {answer.sha256: f"{IMAGES}/{answer.file}" for answer in answers}
        found = digests(path, list(listed))
        for name, label in listed.items():
            if found[name] in (NOT_HASHED, NOT_READ):
                # Without a hash it is not known which image it is.
                passed_over[name] = "it is too large, or cannot be read"
                continue
            votes.setdefault(found[name], {})[LABELS_FILE] = label
            files[found[name]] = name
        decided = consensus(votes)
        for sha256, given in decided.disputed.items():
            labels_given = ", ".join(f"{voter}: {label}" for voter, label in sorted(given.items()))
            passed_over[files[sha256]] = f"its reviewers disagree ({labels_given})"
        labels: dict[str, str] = {}
        for sha256, label in decided.labels.items():
            name = files[sha256]
            if name not in listed and (reason := _unusable(path / name, sha256)):
                passed_over[name] = reason
            else:
                labels[name], found[name] = label, sha256
        if not labels:
            raise DatasetError(
                f"{path} holds answers and no image that they give a label; the first of "
                f"{len(passed_over)} reasons: {next(iter(passed_over.values()), 'all are skips')}."
            )
        ordered = dict(sorted(labels.items()))
        by_page = frozenset(ordered).difference(listed)
        return cls(path, ordered, found, passed_over=passed_over, answered=by_page)

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

        An answer of the review page with another class is passed over: its reviewer worked with
        other classes. So is the image of a folder that is no class. Raises UnknownLabel for such
        a label in the list, naming its file.
        """
        passed_over, names = dict(self.passed_over), []
        for name, label in self.labels.items():
            if label in classes.names:
                names.append(name)
            elif name in self.answered:
                passed_over[name] = f"it is labelled {label!r}, which is none of the classes"
            else:
                raise UnknownLabel(
                    f"{self.path / LABELS_FILE} labels {name} as {label!r}, which is none of "
                    f"{', '.join(classes)}; correct it, or leave it empty to skip the image."
                )
        found, unreadable = read_photos(self.path, names, self.digests, image)
        rows = {name: row for row, name in enumerate(self.labels)}
        return RawDataset(
            images=stacked(found.values(), image, str(self.path)),
            labels=np.array([classes.index(self.labels[name]) for name in found], dtype=np.int64),
            splits=("train",) * len(found),
            rows=np.array([rows[name] for name in found], dtype=np.int64),
            names=tuple(map(printable, found)),
            own_splits=frozenset(),
            ingest_stats=IngestStats(
                unreadable={printable(name): why for name, why in unreadable.items()},
                passed_over={printable(name): printable(why) for name, why in passed_over.items()},
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

    Raises MalformedDataset for a list that is no text. OSError passes through.
    """
    path = folder / LABELS_FILE
    if not path.is_file():
        return False
    try:
        return {value.lower() for value in next(_Table(path).rows)[1]} >= COLUMNS
    except (StopIteration, csv.Error):
        return False


def has_answers(folder: Path) -> bool:
    """Return whether a folder has a file with answers of the review page."""
    return any(True for _ in _answer_files(folder))


def _answer_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of answers, with the reviewer whose they are."""
    for path in sorted((folder / ANSWERS).rglob("*.jsonl")):
        if not path.is_file():  # to open a pipe would wait for ever
            continue
        inside = path.relative_to(folder / ANSWERS)
        yield path, path.stem if len(inside.parts) == 1 else inside.parts[0]


def _answers(folder: Path) -> tuple[list[Answer], dict[str, str]]:
    """Return all answers of a folder, and why lines and files were left out, by file."""
    found: list[Answer] = []
    left_out: dict[str, str] = {}
    for path, reviewer in _answer_files(folder):
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as file:
            body = file.read(MAX_PART_BYTES + 1)
        if len(body) > MAX_PART_BYTES:
            left_out[name] = f"it has more than {MAX_PART_BYTES:,} bytes"
            continue
        answers, faults = of_reviewer(body, reviewer)
        found += answers
        if faults.total:
            reasons = ", ".join(f"{reason} ({n})" for reason, n in sorted(faults.counts.items()))
            left_out[name] = f"{faults.total} of its lines are no answers: {reasons}"
    return found, left_out


def _unusable(path: Path, sha256: str) -> str:
    """Return why an answered image cannot be used, empty where it can."""
    if not path.is_file():
        return "its image is gone"
    content = digests(path.parent, [path.name])[path.name]
    return "" if content == sha256 else "its image is not the one that was answered"


def read_table(path: Path) -> tuple[tuple[str, ...], list[LabelRow]]:
    """Return the header, in lower case, and the rows of a CSV file as spreadsheets save it.

    The header decides which character parts the columns: a comma, semicolon, tab or bar. A byte
    order mark, or the zero bytes of text without one, decides between UTF-8, UTF-16 and UTF-32.
    Raises MalformedDataset, naming the line. OSError passes through.
    """
    table = _Table(path)
    header: tuple[str, ...] = ()
    rows: list[LabelRow] = []
    line = 0
    try:
        for line, values in table.rows:
            if not header:
                header = tuple(value.lower() for value in values)
                continue
            if any(values[len(header) :]):
                raise MalformedDataset(
                    f"{path}, line {line}: it has {len(values)} columns, the header "
                    f"{len(header)}; put a value that holds {table.delimiter!r} into double quotes."
                )
            if any(values):
                rows.append(LabelRow(line, dict(zip(header, values, strict=False))))
    except csv.Error as error:
        raise MalformedDataset(f"{path}, line {line + 1} is not valid CSV: {error}.") from error
    return header, rows


class _Table:
    """The lines of a CSV file: `rows` yields each line's number and values, the header first."""

    def __init__(self, path: Path) -> None:
        if path.stat().st_size > _MAX_BYTES:
            raise MalformedDataset(f"{path} has more than {_MAX_BYTES:,} bytes.")
        text = _decoded(path)
        content = text.lstrip("\r\n")
        self._before = len(text[: len(text) - len(content)].splitlines())
        first = next(iter(content.splitlines()), "")
        if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
            # Excel's own way to name the delimiter.
            self.delimiter = first.strip()[4]
            content = content[len(first) :]
            self._before += 1
            content = content[2:] if content.startswith("\r\n") else content[1:]
        else:
            self.delimiter = max(_DELIMITERS, key=first.count)
        self.rows = self._read(content)

    def _read(self, content: str) -> Iterator[tuple[int, list[str]]]:
        # Only the ends of lines that csv knows part lines: a name may hold others of Unicode.
        lines = io.StringIO(content, newline="")
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True, skipinitialspace=True)
        for values in reader:
            yield reader.line_num + self._before, [value.strip() for value in values]


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        raise MalformedDataset(f"{path} is not UTF-8: {error}. Save it as `CSV UTF-8`.") from error


def _encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # The header is of plain letters, of which UTF-16 makes one byte zero.
    if data[1:8:2] == bytes(4):
        return "utf-16-le"
    return "utf-16-be" if data[:8:2] == bytes(4) else "utf-8-sig"


def _labels(folder: Path) -> dict[str, str]:
    """Return each labelled file with its label; raises MalformedDataset, naming the line."""
    path = folder / LABELS_FILE
    if not has_label_columns(folder):
        names = next(_Table(path).rows, (0, ["no name"]))[1]
        raise MalformedDataset(
            f"{path} needs the columns file and label; its header has {', '.join(names)}."
        )
    header, rows = read_table(path)
    twice = next((column for column in sorted(COLUMNS) if header.count(column) > 1), None)
    if twice:
        raise MalformedDataset(f"{path} has two columns {twice!r}; remove one.")
    given: dict[str, str] = {}
    files: dict[str, str] = {}
    for row in rows:
        name, label = (row.values.get(column, "") for column in ("file", "label"))
        where = f"{path}, line {row.line}"
        file = files[name] if name in files else files.setdefault(name, _file_below(folder, name))
        if not file:
            raise MalformedDataset(f"{where}: {name!r} is not a file below {folder}.")
        if given.get(file, label) != label:
            raise MalformedDataset(f"{where}: {name!r} has a line already, with another label.")
        given[file] = normal_form(label)
    return {file: label for file, label in given.items() if label}


def _file_below(folder: Path, name: str) -> str:
    """Return the path below a folder of a file that a list names, empty where there is none.

    Windows writes paths with backslashes, and macOS letters with their accents apart.
    """
    slashes = name.replace("\\", "/")
    written = (
        name,
        slashes,
        unicodedata.normalize("NFC", slashes),
        unicodedata.normalize("NFD", slashes),
    )
    for each in written if name and "\0" not in name else ():
        file = folder / each
        if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
            return os.path.normpath(each)
    return ""
