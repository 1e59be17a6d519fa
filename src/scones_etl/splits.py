"""Each image in a split, train, validation or test, with its row of the manifest."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.manifest import ManifestRow
from scones_core.uris import SPLITS, image_key
from scones_etl.extract.source import RawDataset

MIN_NEW_CLASS = 10
"""Images that people must have labelled of a class that the source does not have, so that each
split has some by the usual fractions."""


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
