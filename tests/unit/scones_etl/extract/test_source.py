from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scones_core.errors import DatasetError, MalformedDataset
from scones_core.labels import LabelSet
from scones_etl.extract.source import RawDataset

GOOD = RawDataset(
    images=np.zeros((2, 32, 32, 3), dtype=np.uint8),
    labels=np.array([0, 1], dtype=np.int64),
    splits=("train", "test"),
    rows=np.array([0, 0], dtype=np.int64),
    names=("a", "b"),
)


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((2, 3, 32, 32), dtype=np.uint8)},
        {"images": np.zeros((2, 32, 32, 3), dtype=np.float32)},
        {"images": np.zeros((2, 3072), dtype=np.uint8)},
        {"labels": np.array([0], dtype=np.int64)},
        {"names": ("a",)},
        {"splits": ("train", "validation")},
    ],
    ids=["planes", "float", "flat", "labels", "names", "split"],
)
def test_parts_that_do_not_fit_each_other_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedDataset):
        replace(GOOD, **change)


def test_a_class_without_rows_in_a_split_is_named_with_the_source() -> None:
    with pytest.raises(DatasetError, match="The box has no test images of the class 'bicycle'"):
        GOOD.require_every_class(LabelSet.of(["bicycle", "motorcycle"]), "The box")
