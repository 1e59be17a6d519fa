"""Source: what each gives, decoded images with labels, splits and where each came from."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import DatasetError, MalformedDataset, UnknownLabel
from scones_core.labels import LabelSet
from scones_etl.image_format import AS_GIVEN, ImageFormat

RAW_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class IngestStats:
    """Which of a source's files were used.

    `unreadable` gives the reason for each file that is not an image, by its name, `passed_over`
    for each that was not tried; `sizes` counts images by the size that they had, as `32x24`
    (width, height).
    """

    unreadable: Mapping[str, str] = field(default_factory=dict)
    passed_over: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawDataset:
    """Images of the asked classes, in source order.

    `images` is uint8 (N, H, W, 3), RGB; `labels` int64 (N,), an index into the asked
    classes; `splits` holds one of RAW_SPLITS and `names` the source's own name for each
    image; `rows` int64 (N,) is the row within the source's split. `own_splits` are those that
    the source has besides "train"; the others are drawn from its images for training.
    Images from index `added_from` on were added to the source by a person.
    Raises MalformedDataset when these do not fit each other.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: tuple[str, ...]
    rows: NDArray[np.int64]
    names: tuple[str, ...]
    own_splits: frozenset[str] = frozenset({"test"})
    ingest_stats: IngestStats = field(default_factory=IngestStats)
    added_from: int | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[3] != 3:
            raise MalformedDataset(
                f"Images must be uint8 (N, H, W, 3), not {self.images.dtype} {self.images.shape}."
            )
        lengths = {len(self.labels), len(self.splits), len(self.rows), len(self.names)}
        if lengths != {n}:
            raise MalformedDataset(
                f"{n} images come with {sorted(lengths)} labels, splits, rows and names; "
                "each image needs one of each."
            )
        known = {"train", *self.own_splits}
        if not set(self.splits) <= known:
            raise MalformedDataset(
                f"The source splits into {sorted(known)}, not {sorted(set(self.splits))}."
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def has_test(self) -> bool:
        """Whether the source has a test split of its own."""
        return "test" in self.own_splits

    @property
    def has_validation(self) -> bool:
        """Whether the source has a validation split of its own."""
        return "validation" in self.own_splits

    @property
    def new_classes(self) -> frozenset[int]:
        """The indices of the classes that the source had no image of: all of theirs were added."""
        if self.added_from is None:
            return frozenset()
        before, added = np.split(self.labels, [self.added_from])
        return frozenset(np.setdiff1d(added, before).tolist())

    def sizes(self) -> dict[str, int]:
        """Return the number of images by size, `32x32` (width, height); all have the same."""
        _, height, width, _ = self.images.shape
        return {f"{width}x{height}": len(self)}

    def require_every_class(self, classes: LabelSet, where: str) -> None:
        """Do nothing if each class has rows in each split, else raise DatasetError."""
        found = {(split, int(label)) for split, label in zip(self.splits, self.labels, strict=True)}
        for index, name in enumerate(classes):
            for split in RAW_SPLITS:
                given = split == "train" or split in self.own_splits
                if given and (split, index) not in found:
                    raise DatasetError(
                        f"{where} has no {split} images of the class {name!r}; "
                        "take another source, or drop the class from dataset.classes."
                    )


class Source(Protocol):
    """Somewhere that images come from: an archive, a generator, ..."""

    @property
    def kind(self) -> str:
        """Which reader it is, such as `cifar100`."""

    @property
    def name(self) -> str:
        """What a person would call it, such as the archive's file name."""

    @property
    def sha256(self) -> str:
        """The hash, in hex, of everything that decides what `read` gives."""

    def class_names(self) -> tuple[str, ...]:
        """Return the names of all classes that it has, in its own order."""

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return the images of these classes in a form; raises DatasetError when it cannot."""


def describe(source: Source) -> dict[str, str]:
    """Return a source's identity as the manifest records it."""
    return {"kind": source.kind, "name": source.name, "sha256": source.sha256}


def class_table(names: Sequence[str], classes: LabelSet, where: str) -> NDArray[np.int64]:
    """Return, for each name of a source, the index of its class, or -1 if it was not asked for.

    Raises UnknownLabel, with the nearest names, for a class that the source does not have.
    """
    table = np.full(len(names), -1, dtype=np.int64)
    for index, name in enumerate(classes):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=5, cutoff=0.4)
            hint = f"the nearest are {', '.join(near)}" if near else f"it has {', '.join(names)}"
            raise UnknownLabel(
                f"{where} has no class {name!r}; {hint}. [dataset.class_names] in scones.toml maps "
                "its names to those of dataset.classes."
            )
        table[names.index(name)] = index
    return table


def joined(parts: Sequence[RawDataset]) -> RawDataset:
    """Return the images of all parts, in their order, with all of their splits."""
    return RawDataset(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        splits=tuple(split for part in parts for split in part.splits),
        rows=np.concatenate([part.rows for part in parts]),
        names=tuple(name for part in parts for name in part.names),
        own_splits=frozenset().union(*(part.own_splits for part in parts)),
    )
