import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from scones_core.labels import LabelSet
from scones_etl.extract.synthetic import Synthetic
from scones_etl.near_duplicates import across_splits

DRAWN = list(
    Synthetic(train_per_class=15, test_per_class=15)
    .read(LabelSet.of(["bicycle", "motorcycle"]))
    .images
)


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


CHANGES = {
    "same": lambda image: image,
    "jpeg": jpeg,
    "smaller": lambda image: image.resize((24, 24)),
    "larger": lambda image: image.resize((64, 64)),
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_in_another_split_is_found_and_nothing_else(
    change: Callable[[Image.Image], Image.Image],
) -> None:
    copy = np.asarray(change(Image.fromarray(DRAWN[7])))
    images = [*DRAWN, copy]

    found = across_splits(images, ["train"] * len(DRAWN) + ["test"])

    assert [(pair.first, pair.second) for pair in found] == [(7, len(DRAWN))]
    assert found[0].correlation > 0.95


def test_copies_in_one_split_are_not_reported() -> None:
    assert across_splits([DRAWN[0], DRAWN[0], DRAWN[1]], ["train", "train", "test"]) == []


def test_all_pairs_of_splits_are_compared_and_the_closest_comes_first() -> None:
    other = np.asarray(jpeg(Image.fromarray(DRAWN[3])))
    images = [DRAWN[3], other, DRAWN[3]]

    found = across_splits(images, ["train", "validation", "test"])

    assert (found[0].first, found[0].second, found[0].bits) == (0, 2, 0)
    assert {(pair.first, pair.second) for pair in found} == {(0, 2), (0, 1), (1, 2)}


def test_images_of_one_colour_are_like_no_other() -> None:
    plain = [np.full((32, 32, 3), value, dtype=np.uint8) for value in (0, 128, 255)]

    assert across_splits(plain, ["train", "test", "test"]) == []


def test_many_candidates_are_confirmed_part_by_part() -> None:
    images = [DRAWN[0]] * 600

    found = across_splits(images, ["train"] * 300 + ["test"] * 300)

    assert len(found) == 90_000
    assert len({(pair.first, pair.second) for pair in found}) == 90_000
