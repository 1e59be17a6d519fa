import numpy as np
import pytest

from scones_core.errors import MalformedDataset, UnknownLabel
from scones_core.labels import LabelSet
from scones_etl.extract.resolve import open_source
from tests.functional.scones_etl.conftest import Archives

CLASSES = LabelSet.of(["class7", "class2"])


def test_rows_count_on_through_the_batches_of_a_split(archives: Archives) -> None:
    source = open_source(archives.write_cifar10())

    raw = source.read(CLASSES)

    assert source.kind == "cifar10"
    assert raw.splits == ("train",) * 10 + ("test",) * 2
    assert raw.rows.tolist() == [2, 7, 12, 17, 22, 27, 32, 37, 42, 47, 2, 7]
    assert raw.labels.tolist() == [1, 0] * 6
    assert raw.names[3] == "data_batch_2_7.png"
    assert [int(image[0, 0, 0]) for image in raw.images[:4]] == [2, 7, 22, 27]
    np.testing.assert_array_equal(raw.images[-1], np.full((32, 32, 3), 107))


def test_a_class_of_the_other_archive_is_unknown(archives: Archives) -> None:
    with pytest.raises(UnknownLabel, match="no class 'motorcycle'"):
        open_source(archives.write_cifar10()).read(LabelSet.of(["class1", "motorcycle"]))


def test_a_damaged_batch_is_named(archives: Archives) -> None:
    path = archives.write_cifar10(data_batch_3=b"x")

    with pytest.raises(MalformedDataset, match="gz: data_batch_3"):
        open_source(path).read(CLASSES)
