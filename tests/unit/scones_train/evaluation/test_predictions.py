import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones_core.errors import MalformedArtifact
from scones_train.evaluation.predictions import ImagePredictions, image_name

PROBABILITY = st.floats(0, 1, width=32)


@given(st.lists(st.tuples(PROBABILITY, PROBABILITY), min_size=1, max_size=20))
def test_every_float32_survives_being_written(rows: list[tuple[float, float]]) -> None:
    probabilities = np.array(rows, dtype=np.float32)
    names = tuple(f"{row:016x}" for row in range(len(rows)))
    written = ImagePredictions(names, np.zeros(len(rows), dtype=np.int64), probabilities)
    read = ImagePredictions.loads(written.dumps())
    assert read.images == names
    assert read.probabilities.dtype == np.float32
    assert np.array_equal(read.probabilities, probabilities)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"labels": [0, 1]},
        {"labels": [0, 1, 2]},
        {"labels": [-1, 0, 0]},
        {"images": ["aa"]},
        {"probabilities": [[0.5, 0.5], [0.5]]},
        {"probabilities": [[0.5, 1.5]] * 3},
        {"probabilities": [0.5] * 3},
        {"probabilities": None},
    ],
)
def test_what_contradicts_itself_is_refused(
    tested: ImagePredictions, change: dict[str, Any]
) -> None:
    text = json.dumps({**json.loads(tested.dumps()), **change})
    with pytest.raises(MalformedArtifact, match=r"predictions\.json"):
        ImagePredictions.loads(text)


@pytest.mark.parametrize("text", ["", "[]", "null", b"\xff", "[" * 100_000])
def test_what_is_no_predictions_is_refused(text: bytes | str) -> None:
    with pytest.raises(MalformedArtifact):
        ImagePredictions.loads(text)


def test_images_are_paired_by_content_whatever_their_order(tested: ImagePredictions) -> None:
    other = tested.rows(np.array([2, 0]))
    mine, its = tested.paired(other)
    assert mine.images == its.images == ("aa", "cc")
    assert np.array_equal(mine.probabilities, its.probabilities)
    assert len(tested.paired(other.rows(np.array([], dtype=np.int64)))[0]) == 0


def test_an_image_is_named_by_its_bytes() -> None:
    assert image_name(b"") == "e3b0c44298fc1c14"
