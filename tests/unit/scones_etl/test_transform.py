from dataclasses import replace

import numpy as np
import pytest

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl import transform
from scones_etl.extract.source import RawDataset
from scones_etl.transform import Removed

VEHICLES = LabelSet.of(["bicycle", "motorcycle"])


def raw_of(*rows: tuple[int, int, str]) -> RawDataset:
    """Return a dataset from (picture number, label, split); equal numbers are equal pixels."""
    seeds = [np.random.default_rng(picture) for picture, _, _ in rows]
    return RawDataset(
        images=np.stack([rng.integers(0, 256, (4, 4, 3), dtype=np.uint8) for rng in seeds]),
        labels=np.array([label for _, label, _ in rows], dtype=np.int64),
        splits=tuple(split for _, _, split in rows),
        rows=np.arange(len(rows)),
        names=tuple(f"image_{row}.png" for row in range(len(rows))),
    )


def kept(raw: RawDataset) -> tuple[list[int], Removed]:
    return transform.deduplicate(raw, transform.pixel_hashes(raw.images))


def test_of_equal_images_in_a_split_the_first_stays() -> None:
    raw = raw_of((1, 0, "train"), (2, 0, "train"), (1, 0, "train"), (3, 1, "test"), (3, 1, "test"))

    assert kept(raw) == ([0, 1, 3], Removed(repeated=2))


def test_a_train_image_that_is_also_a_test_image_leaves_train() -> None:
    raw = raw_of((1, 0, "train"), (1, 0, "test"), (2, 1, "train"), (1, 0, "train"))

    assert kept(raw) == ([1, 2], Removed(leaked=2))


def test_equal_images_of_different_labels_all_go() -> None:
    raw = raw_of((1, 0, "train"), (1, 1, "train"), (2, 1, "train"), (1, 1, "test"))

    assert kept(raw) == ([2], Removed(conflicting=3))


def splits_of(raw: RawDataset, seed: int = 0, fraction: float = 0.2) -> dict[int, str]:
    hashes = transform.pixel_hashes(raw.images)
    return transform.assign_splits(
        raw, hashes, range(len(raw)), VEHICLES, fraction=fraction, seed=seed
    )


MANY = raw_of(*((n, n % 2, "train") for n in range(40)), (100, 0, "test"), (101, 1, "test"))


def test_validation_takes_its_fraction_of_each_class_and_nothing_of_test() -> None:
    splits = splits_of(MANY)

    held_out = [index for index, split in splits.items() if split == "validation"]
    assert np.bincount(MANY.labels[held_out]).tolist() == [4, 4]
    assert [index for index, split in splits.items() if split == "test"] == [40, 41]
    assert sorted(splits) == list(range(42))


def test_the_seed_alone_draws_validation() -> None:
    assert splits_of(MANY, seed=1) == splits_of(MANY, seed=1)
    assert splits_of(MANY, seed=1) != splits_of(MANY, seed=2)


def test_the_order_of_the_source_does_not_change_what_is_held_out() -> None:
    back = list(reversed(range(len(MANY))))
    turned = replace(
        MANY,
        images=MANY.images[back],
        labels=MANY.labels[back],
        splits=tuple(MANY.splits[i] for i in back),
    )

    again = splits_of(turned)

    assert {back[index]: split for index, split in again.items()} == splits_of(MANY)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(DatasetError, match="validation_fraction"):
        splits_of(MANY, fraction=fraction)


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_a_fraction_that_empties_a_split_names_the_class(fraction: float) -> None:
    with pytest.raises(DatasetError, match="'bicycle' has too few images: of 20,"):
        splits_of(MANY, fraction=fraction)


def test_a_class_whose_pictures_are_all_the_same_is_named_with_how_many_there_were() -> None:
    raw = raw_of((1, 0, "train"), (1, 1, "train"), (2, 0, "train"), (3, 0, "train"))
    hashes, (left, _) = transform.pixel_hashes(raw.images), kept(raw)
    with pytest.raises(DatasetError, match="'motorcycle' is left of 1:"):
        transform.assign_splits(raw, hashes, left, VEHICLES, fraction=0.5, seed=0)


def test_a_class_without_train_images_left_is_named() -> None:
    raw = raw_of((1, 0, "train"), (2, 0, "train"), (3, 1, "test"))

    with pytest.raises(DatasetError, match="'motorcycle' has no images to train on"):
        splits_of(raw, fraction=0.5)


def test_rows_go_by_split_then_source_order_and_labels_come_from_labels() -> None:
    raw = raw_of((1, 1, "test"), (2, 0, "train"), (3, 1, "train"), (4, 0, "train"))
    splits = {0: "test", 1: "train", 2: "validation", 3: "train"}

    rows = transform.manifest_rows(raw, splits, {n: f"{n:064x}" for n in range(4)}, VEHICLES)

    assert [(row.split, row.label, row.source_name) for row in rows] == [
        ("train", "bicycle", "image_1.png"),
        ("train", "bicycle", "image_3.png"),
        ("validation", "motorcycle", "image_2.png"),
        ("test", "motorcycle", "image_0.png"),
    ]
    keyed = transform.with_keys(rows, "abc")
    assert keyed[0].key == "dataset/abc/train/bicycle/0000000000000000.png"


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a b", "é", "x" * 65, "a\n"])
def test_a_class_name_that_cannot_be_part_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(DatasetError, match="cannot be part of an S3 key"):
        transform.require_plain_names(LabelSet.of(["bicycle", name]))


def test_the_names_of_cifar_can_be_parts_of_keys() -> None:
    transform.require_plain_names(LabelSet.of(["pickup_truck", "maple_tree"]))
