from dataclasses import replace

import numpy as np
import pytest

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl.duplicates import deduplicate, pixel_hashes
from scones_etl.extract.source import RawDataset
from scones_etl.splits import assign_splits, manifest_rows, with_keys
from tests.support.raw_datasets import raw_of

VEHICLES = LabelSet.of(["bicycle", "motorcycle"])


def splits_of(raw: RawDataset, seed: int = 0, fraction: float = 0.2) -> dict[int, str]:
    hashes = pixel_hashes(raw.images)
    return assign_splits(raw, hashes, range(len(raw)), VEHICLES, fraction=fraction, seed=seed)


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
    hashes = pixel_hashes(raw.images)
    left, _ = deduplicate(raw, hashes)
    with pytest.raises(DatasetError, match="'motorcycle' is left of 1:"):
        assign_splits(raw, hashes, left, VEHICLES, fraction=0.5, seed=0)


def test_a_class_without_train_images_left_is_named() -> None:
    raw = raw_of((1, 0, "train"), (2, 0, "train"), (3, 1, "test"))

    with pytest.raises(DatasetError, match="'motorcycle' has no images to train on"):
        splits_of(raw, fraction=0.5)


def test_rows_go_by_split_then_source_order_and_labels_come_from_labels() -> None:
    raw = raw_of((1, 1, "test"), (2, 0, "train"), (3, 1, "train"), (4, 0, "train"))
    splits = {0: "test", 1: "train", 2: "validation", 3: "train"}

    rows = manifest_rows(raw, splits, {n: f"{n:064x}" for n in range(4)}, VEHICLES)

    assert [(row.split, row.label, row.source_name) for row in rows] == [
        ("train", "bicycle", "image_1.png"),
        ("train", "bicycle", "image_3.png"),
        ("validation", "motorcycle", "image_2.png"),
        ("test", "motorcycle", "image_0.png"),
    ]
    keyed = with_keys(rows, "abc")
    assert keyed[0].key == "dataset/abc/train/bicycle/0000000000000000.png"
