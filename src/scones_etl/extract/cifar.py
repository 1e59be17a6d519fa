"""CIFAR-10 and CIFAR-100, packed or unpacked: https://www.cs.toronto.edu/~kriz/cifar.html.

A batch is a pickled dict: `data` uint8 (N, 3072), each row a 32x32 image as its red, green and
blue plane; the labels, N indices into the names that another member holds; and `filenames`. A
file's name says nothing about its label (in CIFAR-100 many `bike_*` are motorcycles), so labels
come from the labels alone.

An archive is known by the names of its members, wherever they lie in it and however it was packed.
Nothing reaches the disk, and no member is held twice: each is unpacked into memory of its own
size, while the next megabytes are inflated in a thread of their own.
"""

import hashlib
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

import numpy as np
from isal import igzip_threaded, isal_zlib
from numpy.typing import NDArray

from scones_core.archives import ArchiveLimits, members
from scones_core.class_folders import PICTURE_SUFFIXES, is_hidden, printable
from scones_core.errors import ArchiveError, ChecksumMismatch, DatasetError, MalformedDataset
from scones_core.labels import LabelSet
from scones_etl.extract import pickles
from scones_etl.extract.source import RawDataset, class_table
from scones_etl.image_format import AS_GIVEN, ImageFormat

SIDE = 32
# An archive that was packed again may have files of the system next to its own.
MAX_MEMBERS = 1000
MAX_CLASSES = 10_000
# Before this many members an archive shows what it is.
_MEMBERS_TO_KNOW = 100_000
_CHUNK = 1 << 20
_BLOCK = 512
# The stub has it as an instance.
_InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which members an archive has, and under which keys their tables hold labels and names.

    `batches` are a split's members in row order; `limit` is the most bytes of one of them.
    """

    kind: str
    batches: Mapping[str, tuple[str, ...]]
    meta: str
    labels_key: str
    names_key: str
    limit: int

    @property
    def limits(self) -> dict[str, int]:
        """The most bytes of each member, by its file name."""
        batches = {batch: self.limit for split in self.batches.values() for batch in split}
        return {**batches, self.meta: 1 << 20}


# The original's members have about 155 MB and 31 MB.
CIFAR_100: Final = Layout(
    kind="cifar100",
    batches={"train": ("train",), "test": ("test",)},
    meta="meta",
    labels_key="fine_labels",
    names_key="fine_label_names",
    limit=400 << 20,
)
# The original's members have about 31 MB each.
CIFAR_10: Final = Layout(
    kind="cifar10",
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
_OTHER_VERSIONS = {".bin": "binary", ".mat": "Matlab"}
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".7z", ".rar")
_MEMBERS_NAMED = 3
_BATCH_STARTS = ("data_batch", "test_batch", "batches", "train", "test", "meta")


@dataclass(frozen=True, slots=True)
class Batch:
    """A table's pixels, uint8 (N, 3072), and which rows of it were asked for.

    `rows` and `labels` are int64 (M,), the labels being class indices; `names` are M texts.
    """

    pixels: NDArray[np.uint8]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CifarArchive:
    """A CIFAR archive, or one cut from it, that lies in a file or, unpacked, in a folder."""

    path: Path
    layout: Layout = CIFAR_100
    # The file's hash, once it is known: reading the file takes it along.
    _known: list[str] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def open(cls, path: Path, md5: str | None = None, layout: Layout = CIFAR_100) -> "CifarArchive":
        """Return the source for a file, which is not yet unpacked.

        Raises DatasetError when it cannot be read, ChecksumMismatch when `md5` is not its own.
        """
        if path.is_dir():
            return cls(path, layout)
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
                self._known.append(self._digest())
            except OSError as error:
                raise DatasetError(f"{self.path} cannot be read: {error.strerror}.") from error
        return self._known[0]

    def _digest(self) -> str:
        if self.path.is_file():
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha256()
        for name in sorted(self.layout.limits):
            with (self.path / name).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{found}  {name}\n".encode())
        return digest.hexdigest()

    @property
    def kind(self) -> str:
        """`cifar100` or `cifar10`."""
        return self.layout.kind

    @property
    def name(self) -> str:
        """The archive's file name."""
        return self.path.resolve().name

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
        meta = self.layout.meta
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
            for member in names:
                where = f"{self.path}: {member}"
                batch = select(tables[member], self.layout.labels_key, wanted, where)
                batches.append(batch)
                splits += [split] * len(batch.rows)
                rows.append(batch.rows + first)
                first += len(batch.pixels)
        return batches, tuple(splits), np.concatenate(rows)

    def _tables(self, memory: NDArray[np.uint8]) -> dict[str, dict[str, Any]]:
        """Return each member's table, unpacked into the memory; take the file's hash along."""
        try:
            tables, digest = self._unpacked(memory) if self.path.is_dir() else self._packed(memory)
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error.strerror}.") from error
        if self._known not in ([], [digest]):
            raise ChecksumMismatch(f"{self.path} changed while it was read; try again.")
        self._known[:] = [digest]
        missing = sorted(set(self.layout.limits) - set(tables))
        if missing:
            raise MalformedDataset(
                f"{self.path} has no {', '.join(missing)}; is it another archive?"
            )
        return tables

    def _packed(self, memory: NDArray[np.uint8]) -> tuple[dict[str, dict[str, Any]], str]:
        with self.path.open("rb") as stream, self.path.open("rb") as again:
            same = os.path.sameopenfile(stream.fileno(), again.fileno())
            with ThreadPoolExecutor(1) as executor:
                digest = executor.submit(hashlib.file_digest, again, "sha256")
                try:
                    tables = dict(self._read_members(stream, memory))
                except (ArchiveError, _InflateError) as error:
                    raise MalformedDataset(
                        f"{self.path} cannot be read as an archive: {error}. Get it again, or give "
                        "another."
                    ) from error
            found = digest.result().hexdigest()
        if not same:
            raise ChecksumMismatch(f"{self.path} changed while it was read; try again.")
        return tables, found

    def _unpacked(self, memory: NDArray[np.uint8]) -> tuple[dict[str, dict[str, Any]], str]:
        tables: dict[str, dict[str, Any]] = {}
        left = memory.data
        for name, limit in self.layout.limits.items():
            path = self.path / name
            if not path.is_file():
                continue
            size = path.stat().st_size
            if size > limit:
                raise MalformedDataset(f"{path} has {size:,} bytes; at most {limit:,} are read.")
            content, left = left[:size], left[size:]
            with path.open("rb") as stream:
                if stream.readinto(content) != size:
                    raise ChecksumMismatch(f"{path} changed while it was read; try again.")
            tables[name] = table(content, str(path))
        return tables, self._digest()

    def _read_members(
        self, stream: BinaryIO, memory: NDArray[np.uint8]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        limits, left, seen = self.layout.limits, memory.data, set[str]()
        total = 2 * sum(limits.values())
        bounds = ArchiveLimits(MAX_MEMBERS, total, total)
        for member in members(stream, bounds, open_gzip=_open_gzip):
            name = _plain_name(member.name)
            if name not in limits:
                continue
            if name in seen:
                raise ArchiveError(f"it has {name} twice")
            if member.size > limits[name]:
                raise ArchiveError(f"its member {name} has {member.size:,} bytes")
            seen.add(name)
            content, left = left[: member.size], left[member.size :]
            member.readinto(content)
            yield name, table(content, f"{self.path}: {name}")


def layout_of(path: Path) -> Layout | None:
    """Return which CIFAR lies at a path, packed in a file or unpacked in a folder, else None.

    A folder is one where all of its members lie in it. Raises MalformedDataset, naming the path
    and what it is, for a file that is no archive, or one without CIFAR. OSError passes through.
    """
    if path.is_dir():
        return next(
            (known for known in LAYOUTS if all((path / name).is_file() for name in known.limits)),
            None,
        )
    try:
        with path.open("rb") as stream:
            return _layout_in(stream, path)
    except (ArchiveError, _InflateError) as error:
        raise MalformedDataset(
            f"{path} cannot be read as an archive: {error}. Give a CIFAR archive, or a folder with "
            "a folder of images for each class."
        ) from error


def _layout_in(stream: BinaryIO, path: Path) -> Layout:
    bounds = ArchiveLimits(_MEMBERS_TO_KNOW, 1 << 40, 1 << 40)
    others: list[str] = []
    for member in members(stream, bounds, open_gzip=_open_gzip):
        name = _plain_name(member.name)
        found = next((layout for layout in LAYOUTS if name in layout.limits), None)
        if found:
            return found
        if PurePosixPath(name.lower()).suffix in PICTURE_SUFFIXES:
            raise MalformedDataset(
                f"{path} is an archive of image files; unpack it and give the folder, as "
                f"`--source {path.name.split('.')[0]}`."
            )
        if name and len(others) < _MEMBERS_NAMED:
            others.append(name)
    raise _without_cifar(path, others)


def _without_cifar(path: Path, names: Sequence[str]) -> MalformedDataset:
    """Return the error of an archive with no member of a CIFAR but these, saying what it is."""
    for suffix, version in _OTHER_VERSIONS.items():
        if any(name.endswith(suffix) and name.startswith(_BATCH_STARTS) for name in names):
            return MalformedDataset(
                f"{path} is the {version} version of CIFAR; download the version for Python, such "
                "as cifar-10-python.tar.gz."
            )
    if any("idx3-ubyte" in name or "idx1-ubyte" in name for name in names):
        return MalformedDataset(
            f"{path} is an archive of MNIST's files; unpack it and give the folder."
        )
    packed = next((name for name in names if name.lower().endswith(ARCHIVE_SUFFIXES)), None)
    if packed:
        return MalformedDataset(
            f"{path} holds another archive, {printable(packed)}; unpack it once, and give that."
        )
    held = f"but {', '.join(map(printable, names))}" if names else "and is empty"
    return MalformedDataset(
        f"{path} has none of CIFAR's members, such as data_batch_1, {held}. Give a CIFAR archive, "
        "or a folder with a folder of images for each class."
    )


def _plain_name(member: str) -> str:
    """Return the file name of a member, empty for one that a system left next to the others."""
    parts = PurePosixPath(member).parts
    return "" if any(map(is_hidden, parts)) else parts[-1] if parts else ""


def _open_gzip(stream: BinaryIO) -> Any:
    return igzip_threaded.open(stream, "rb", block_size=_CHUNK)


def unused(size: int) -> NDArray[np.uint8]:
    """Return so many bytes, uint8 (size,), that take up memory only once they are written.

    So a size that a header claims costs nothing. For as many, numpy asks the system for huge
    pages, and on a host that has run for a while waits longer for these than for the rest.
    """
    if size == 0:
        return np.empty(0, dtype=np.uint8)
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return np.frombuffer(mmap.mmap(-1, size, flags=private), dtype=np.uint8)


def table(pickled: bytes | memoryview, where: str) -> dict[str, Any]:
    """Return a pickled dict with its keys as text; raises MalformedDataset for anything else."""
    content = pickles.load(pickled, where)
    if not isinstance(content, dict):
        raise MalformedDataset(f"{where} holds no table; get the archive again.")
    return {_text(key, where): value for key, value in content.items()}


def class_names(content: dict[str, Any], key: str, where: str) -> list[str]:
    """Return the class names of an archive, in label order; raises MalformedDataset."""
    names = _texts(content, key, where)
    if not names or len(set(names)) != len(names):
        raise MalformedDataset(f"{where} names no class, or one twice; get the archive again.")
    return names


def select(
    content: dict[str, Any], labels_key: str, wanted: NDArray[np.int64], where: str
) -> Batch:
    """Return a table's rows of the wanted classes.

    `wanted` int64 (labels,) is the class index of each label, -1 for one to leave out.
    Raises MalformedDataset when pixels, labels and file names do not fit each other.
    """
    pixels = pickles.uint8_array(content.get("data"), f"{where} `data`")
    labels = _labels(pickles.plain_list(content.get(labels_key), len(pixels)), len(wanted), where)
    names = _file_names(content, len(pixels), where)
    if pixels.shape != (len(labels), 3 * SIDE * SIDE) or len(names) != len(labels):
        raise MalformedDataset(
            f"{where} has pixels {pixels.shape}, {len(labels)} labels and {len(names)} names; "
            f"it needs (N, {3 * SIDE * SIDE}), N and N."
        )
    rows = np.flatnonzero(wanted[labels] >= 0).astype(np.int64)
    return Batch(pixels, rows, wanted[labels[rows]], tuple(names[row] for row in rows))


def interleaved(batches: Sequence[Batch], memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the chosen rows of all batches as images, (N, 32, 32, 3); the batches are used up.

    Block by block and channel by channel: what is copied stays in the processor's cache, which
    is ten times as fast as one transposition. Where most of `memory`, in which the archive was
    unpacked, is asked for, the images take the place of the planes: fresh memory costs as much
    time as the copying.
    """
    count = sum(len(batch.rows) for batch in batches)
    size = count * SIDE * SIDE * 3
    found = memory[:size] if _one_after_another(batches, memory, size) else unused(size)
    images = found.reshape(count, SIDE * SIDE, 3)
    target = 0
    for batch in batches:
        for start in range(0, len(batch.rows), _BLOCK):
            chosen = batch.rows[start : start + _BLOCK]
            # A copy, by the choice, so that the rows may be written over their own planes.
            planes = batch.pixels[chosen].reshape(-1, 3, SIDE * SIDE)
            for channel in range(3):
                images[target : target + len(chosen), :, channel] = planes[:, channel]
            target += len(chosen)
    return images.reshape(-1, SIDE, SIDE, 3)


def _one_after_another(batches: Sequence[Batch], memory: NDArray[np.uint8], size: int) -> bool:
    """Say whether the rows can move to the memory's begin without one reaching a later one."""
    first = memory.ctypes.data
    starts = [batch.pixels.ctypes.data - first for batch in batches]
    ends = [start + batch.pixels.size for start, batch in zip(starts, batches, strict=True)]
    within = starts[0] >= 0 and ends[-1] <= len(memory) and starts == sorted(starts)
    return within and 2 * size > ends[-1]


def _text(value: object, where: str) -> str:
    text = value.decode("latin1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= 255:
        raise MalformedDataset(f"{where} holds a name that is no short text.")
    return text


def _texts(
    content: dict[str, Any], key: str, where: str, max_count: int = MAX_CLASSES
) -> list[str]:
    values = pickles.plain_list(content.get(key), max_count)
    if not isinstance(values, list):
        raise MalformedDataset(f"{where} has no list {key!r}; is it another archive?")
    return [_text(value, where) for value in values]


def _file_names(content: dict[str, Any], count: int, where: str) -> list[str]:
    """Return the file names of a table; what was cut from CIFAR may have lost them."""
    if "filenames" in content:
        return _texts(content, "filenames", where, count)
    member = where.rpartition(" ")[2]
    return [f"{PurePosixPath(member).name}-{row:05d}" for row in range(count)]


def _labels(values: object, classes: int, where: str) -> NDArray[np.int64]:
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value < classes for value in values
    ):
        raise MalformedDataset(
            f"{where} has labels that are no whole numbers from 0 to {classes - 1}; "
            "get the archive again."
        )
    return np.array(values, dtype=np.int64)
