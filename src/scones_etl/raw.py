"""What every source gives: decoded images with labels, splits and where each came from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import DatasetError, MalformedDataset
from scones_core.labels import LabelSet

RAW_SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True)
class RawDataset:
    """Images of the asked classes, in source order.

    `images` is uint8 (N, H, W, 3), RGB; `labels` int64 (N,), an index into the asked
    classes; `splits` holds "train" or "test" and `names` the source's own name for each
    image; `rows` int64 (N,) is the row within the source's split.
    Raises MalformedDataset when these do not fit each other.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: tuple[str, ...]
    rows: NDArray[np.int64]
    names: tuple[str, ...]

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
        if not set(self.splits) <= set(RAW_SPLITS):
            raise MalformedDataset(
                f"A source splits into {RAW_SPLITS}, not {sorted(set(self.splits))}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def require_every_class(self, classes: LabelSet, where: str) -> None:
        """Do nothing if each class has train and test rows, else raise DatasetError."""
        found = {(split, int(label)) for split, label in zip(self.splits, self.labels, strict=True)}
        for index, name in enumerate(classes):
            for split in RAW_SPLITS:
                if (split, index) not in found:
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

    def read(self, classes: LabelSet) -> RawDataset:
        """Return the images of these classes; raises DatasetError when it cannot."""


def describe(source: Source) -> dict[str, str]:
    """Return a source's identity as the manifest records it."""
    return {"kind": source.kind, "name": source.name, "sha256": source.sha256}
