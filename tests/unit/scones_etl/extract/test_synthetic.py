import numpy as np
import pytest
from numpy.typing import NDArray

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl.extract.synthetic import Synthetic

VEHICLES = LabelSet.of(["bicycle", "motorcycle"])


def test_the_same_seed_draws_the_same_images_and_another_seed_others() -> None:
    first = Synthetic(seed=3, train_per_class=4, test_per_class=2)
    again = Synthetic(seed=3, train_per_class=4, test_per_class=2)
    other = Synthetic(seed=4, train_per_class=4, test_per_class=2)

    images = first.read(VEHICLES).images

    np.testing.assert_array_equal(images, again.read(VEHICLES).images)
    assert not np.array_equal(images, other.read(VEHICLES).images)
    assert first.sha256 == again.sha256 != other.sha256


def test_images_have_the_archives_shape_and_each_class_its_number() -> None:
    raw = Synthetic(train_per_class=5, test_per_class=2).read(VEHICLES)

    assert raw.images.shape == (14, 32, 32, 3)
    assert raw.images.dtype == np.uint8
    train = np.array(raw.splits) == "train"
    assert np.bincount(raw.labels[train]).tolist() == [5, 5]
    assert np.bincount(raw.labels[~train]).tolist() == [2, 2]
    assert len(set(raw.names)) == 14
    assert len({(s, int(r)) for s, r in zip(raw.splits, raw.rows, strict=True)}) == 14


def test_no_image_is_drawn_twice() -> None:
    raw = Synthetic(train_per_class=40, test_per_class=20).read(VEHICLES)

    assert len({image.tobytes() for image in raw.images}) == len(raw)


def test_a_further_class_leaves_the_drawings_of_the_others() -> None:
    source = Synthetic(train_per_class=3, test_per_class=1)
    two, three = source.read(VEHICLES), source.read(LabelSet.of([*VEHICLES, "tractor"]))

    np.testing.assert_array_equal(two.images[two.labels == 1], three.images[three.labels == 1])


def test_unknown_classes_get_drawings_that_differ_by_name() -> None:
    raw = Synthetic(train_per_class=30, test_per_class=1).read(LabelSet.of(["rose", "tulip"]))
    means = [raw.images[raw.labels == label].mean(axis=0) for label in (0, 1)]

    assert np.abs(means[0] - means[1]).max() > 20


def test_an_empty_split_names_the_class() -> None:
    with pytest.raises(DatasetError, match="no test images of the class 'bicycle'"):
        Synthetic(train_per_class=1, test_per_class=0).read(VEHICLES)


def test_the_classes_can_be_learnt_but_not_from_plain_pixels() -> None:
    raw = Synthetic(train_per_class=200, test_per_class=60).read(VEHICLES)
    train = np.array(raw.splits) == "train"
    grey = raw.images.mean(axis=3) / 255

    edges = np.abs(np.fft.rfft2(grey - grey.mean(axis=(1, 2), keepdims=True)))
    by_shape = _ridge_accuracy(np.log1p(edges).reshape(len(raw), -1), raw.labels, train)
    by_centroid = _centroid_accuracy(grey.reshape(len(raw), -1), raw.labels, train)

    assert by_shape > 0.65
    assert by_centroid < 0.85


def _ridge_accuracy(
    features: NDArray[np.float64], labels: NDArray[np.int64], train: NDArray[np.bool_]
) -> float:
    centred = features - features[train].mean(axis=0)
    known, target = centred[train], 2.0 * labels[train] - 1
    gram = known @ known.T + 30.0 * np.eye(len(known))
    scores = centred[~train] @ known.T @ np.linalg.solve(gram, target)
    return float(((scores > 0) == (labels[~train] == 1)).mean())


def _centroid_accuracy(
    features: NDArray[np.float64], labels: NDArray[np.int64], train: NDArray[np.bool_]
) -> float:
    centres = np.stack([features[train & (labels == k)].mean(axis=0) for k in (0, 1)])
    distances = ((features[~train, None] - centres) ** 2).sum(axis=2)
    return float((distances.argmin(axis=1) == labels[~train]).mean())
