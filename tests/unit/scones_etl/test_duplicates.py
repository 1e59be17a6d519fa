from scones_etl.duplicates import Removed, deduplicate, pixel_hashes
from scones_etl.extract.source import RawDataset
from tests.support.raw_datasets import raw_of


def kept(raw: RawDataset) -> tuple[list[int], Removed]:
    return deduplicate(raw, pixel_hashes(raw.images))


def test_of_equal_images_in_a_split_the_first_stays() -> None:
    raw = raw_of((1, 0, "train"), (2, 0, "train"), (1, 0, "train"), (3, 1, "test"), (3, 1, "test"))

    assert kept(raw) == ([0, 1, 3], Removed(repeated=2))


def test_a_train_image_that_is_also_a_test_image_leaves_train() -> None:
    raw = raw_of((1, 0, "train"), (1, 0, "test"), (2, 1, "train"), (1, 0, "train"))

    assert kept(raw) == ([1, 2], Removed(leaked=2))


def test_equal_images_of_different_labels_all_go() -> None:
    raw = raw_of((1, 0, "train"), (1, 1, "train"), (2, 1, "train"), (1, 1, "test"))

    assert kept(raw) == ([2], Removed(conflicting=3))
