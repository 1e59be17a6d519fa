"""Transform: raw images without duplicates, each in a split, with its row of the manifest."""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import DatasetError
from scones_core.image_folders import printable
from scones_core.labels import LabelSet
from scones_core.manifest import ManifestRow
from scones_core.uris import SPLITS, image_key
from scones_etl.extract.source import RAW_SPLITS, RawDataset

# A class name becomes a part of S3 keys and of paths.
_MAX_NAME = 64
_CLASS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

MIN_NEW_CLASS = 10
"""Images that people must have labelled of a class that the source does not have, so that each
split has some by the usual fractions."""


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


def require_plain_names(classes: Iterable[str]) -> None:
    """Do nothing if each class name can be a folder's, else raise DatasetError."""
    for name in classes:
        if not _CLASS_NAME.fullmatch(name):
            raise DatasetError(
                f"The class name {name!r} cannot be part of an S3 key{_why(name)}. A class "
                "name has up to 64 letters a-z, digits, _, - and ., the first a letter or digit: "
                "map it in "
                f"dataset.class_names, as {printable(name)!r} = {suggested_name(name)!r}."
            )


def _why(name: str) -> str:
    if not name:
        return ": it is empty"
    if len(name) > _MAX_NAME:
        return f": it has {len(name)} characters"
    if " " in name:
        return ": it contains a space"
    odd = next((c for c in name if not re.match(r"[A-Za-z0-9_.-]", c)), "")
    if not odd:
        return f": it begins with {name[0]!r}"
    return f": it contains {odd!r}"


def suggested_name(name: str) -> str:
    """Return a class name that can be part of an S3 key and is like the given one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    joined = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")
    return joined[:_MAX_NAME] or "class"


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


def assign_splits(
    raw: RawDataset,
    hashes: Sequence[str],
    keep: Iterable[int],
    classes: LabelSet,
    *,
    fraction: float,
    seed: int,
    test_fraction: float = 0.2,
) -> dict[int, str]:
    """Return the split of each image to keep; the source's own splits stay as they are.

    Where it has no test split, test is drawn first, as `test_fraction` of each class; where it has
    no validation split, that is `fraction` of what each class has left for training. Both are drawn
    for a class that the source does not have (`RawDataset.new_classes`).
    The draw depends on seed and pixels alone: neither another class nor another order of the
    archive changes which images are held out. Raises DatasetError when a fraction leaves a
    class without images in a split.
    """
    assigned: dict[int, str] = {}
    new_classes = raw.new_classes
    by_class: dict[int, list[int]] = {index: [] for index in range(len(classes))}
    for index in keep:
        assigned[index] = raw.splits[index]
        if raw.splits[index] == "train":
            by_class[int(raw.labels[index])].append(index)
    had = Counter(
        int(label) for label, split in zip(raw.labels, raw.splits, strict=True) if split == "train"
    )
    for label, members in by_class.items():
        _require_images(classes.names[label], len(members), had[label])
        drawn = sorted(members, key=lambda index: _draw(seed, hashes[index]))
        name = classes.names[label]
        if not raw.has_test or label in new_classes:
            size = _held_out("test", test_fraction, len(drawn), name)
            assigned.update(dict.fromkeys(drawn[:size], "test"))
            drawn = drawn[size:]
        if not raw.has_validation or label in new_classes:
            size = _held_out("validation", fraction, len(drawn), name)
            assigned.update(dict.fromkeys(drawn[:size], "validation"))
    return assigned


def _require_images(label: str, kept: int, had: int) -> None:
    if had and not kept:
        raise DatasetError(
            f"No image of the class {label!r} is left of {had}: pictures that are there more than "
            "once, or with different labels, are left out."
        )


def _held_out(split: str, fraction: float, size: int, label: str) -> int:
    if not 0 < fraction < 1:
        raise DatasetError(f"dataset.{split}_fraction must be between 0 and 1, not {fraction}.")
    if not size:
        raise DatasetError(f"The class {label!r} has no images to train on.")
    held_out = round(fraction * size)
    if not 0 < held_out < size:
        raise DatasetError(
            f"The class {label!r} has too few images: of {size}, dataset.{split}_fraction "
            f"{fraction} gives {held_out} to {split} and {size - held_out} to train, and both "
            "need at least one. Add images of it, or set another fraction."
        )
    return held_out


def manifest_rows(
    raw: RawDataset,
    assigned: Mapping[int, str],
    digests: Mapping[int, str],
    classes: LabelSet,
) -> list[ManifestRow]:
    """Return one row for each assigned image, by split, then in source order; keys are empty."""
    return [
        ManifestRow(
            key="",
            split=assigned[index],
            label=classes.names[int(raw.labels[index])],
            sha256=digests[index],
            source_row=int(raw.rows[index]),
            source_name=raw.names[index],
        )
        for index in sorted(assigned, key=lambda index: (SPLITS.index(assigned[index]), index))
    ]


def with_keys(rows: Iterable[ManifestRow], version: str) -> tuple[ManifestRow, ...]:
    """Return the rows with the S3 keys that they have in a dataset version."""
    return tuple(
        replace(row, key=image_key(version, row.split, row.label, row.sha256)) for row in rows
    )


def _draw(seed: int, pixel_hash: str) -> bytes:
    return hashlib.sha256(f"{seed} {pixel_hash}".encode()).digest()
