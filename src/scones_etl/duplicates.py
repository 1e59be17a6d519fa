"""Images of equal pixels: which of them stay, and how many were removed and why."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scones_etl.extract.source import RAW_SPLITS, RawDataset


@dataclass(frozen=True, slots=True)
class Removed:
    """Numbers of source images that were left out, each counted once.

    `repeated` has a twin in its own split, `leaked` is a train image that is also a test
    image, and `conflicting` has a twin of another label.
    """

    repeated: int = 0
    leaked: int = 0
    conflicting: int = 0

    @property
    def total(self) -> int:
        """How many source images are in no split."""
        return self.repeated + self.leaked + self.conflicting


def pixel_hashes(images: NDArray[np.uint8]) -> list[str]:
    """Return the SHA-256 of each image's pixels, in hex; images is uint8 (N, H, W, 3)."""
    return [hashlib.sha256(image).hexdigest() for image in np.ascontiguousarray(images)]


def deduplicate(raw: RawDataset, hashes: Sequence[str]) -> tuple[list[int], Removed]:
    """Return the indices of images to keep, in order, and how many were removed and why.

    Of equal images one stays, and it stays in test if any of them is there, else in validation: a
    model that has seen a test image is measured wrongly. Equal images of different labels all go.
    """
    keep, repeated, leaked, conflicting = _singles(hashes), 0, 0, 0
    for group in _equal_groups(hashes):
        if len({int(raw.labels[index]) for index in group}) > 1:
            conflicting += len(group)
            continue
        last = max(RAW_SPLITS.index(raw.splits[index]) for index in group)
        best = [index for index in group if raw.splits[index] == RAW_SPLITS[last]]
        keep.append(best[0])
        repeated += len(best) - 1
        leaked += len(group) - len(best)
    return sorted(keep), Removed(repeated, leaked, conflicting)


def equal_images(raw: RawDataset, hashes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the names of images with equal pixels, as `train/name`, a group for each picture."""

    def name(index: int) -> str:
        return f"{raw.splits[index]}/{raw.names[index]}" if raw.own_splits else raw.names[index]

    return tuple(tuple(map(name, group)) for group in _equal_groups(hashes))


def _singles(hashes: Sequence[str]) -> list[int]:
    """Return the indices of images that no other equals."""
    counts = Counter(hashes)
    return [index for index, pixel_hash in enumerate(hashes) if counts[pixel_hash] == 1]


def _equal_groups(hashes: Sequence[str]) -> list[list[int]]:
    """Return the groups of indices of equal images, two or more each, by their first."""
    counts = Counter(hashes)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, pixel_hash in enumerate(hashes):
        if counts[pixel_hash] > 1:
            groups[pixel_hash].append(index)
    return list(groups.values())
