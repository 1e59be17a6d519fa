"""Trees as arrays answer as scikit-learn does, and what is no tree is refused."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from scones_core.errors import MalformedArtifact
from scones_demand.trees import Trees

# A regressor of scikit-learn, and what it learnt from.
Fitted = tuple[Any, NDArray[np.float64]]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    draw = np.random.default_rng(0)
    matrix = draw.normal(size=(1500, 3))
    matrix[::7, 1] = np.nan
    target = matrix[:, 0] * 2 + np.nan_to_num(matrix[:, 1])
    regressor = HistGradientBoostingRegressor(max_iter=10, random_state=0).fit(matrix, target)
    return regressor, matrix


def test_arrays_answer_as_the_regressor_does(fitted: Fitted) -> None:
    regressor, matrix = fitted
    trees = Trees.of(regressor)
    np.testing.assert_allclose(trees.predict(matrix), regressor.predict(matrix), atol=1e-12)
    read = Trees.read(trees.arrays("a"), "a", 3)
    np.testing.assert_array_equal(read.predict(matrix), trees.predict(matrix))


@pytest.mark.parametrize(
    ("name", "index", "value"),
    [
        ("left", 0, 0),
        ("right", 0, 0),
        ("left", 0, 1_000_000),
        ("feature", 0, 3),
        ("feature", 0, -1),
        ("roots", 0, 1_000_000),
        ("value", 0, np.inf),
        ("threshold", 0, np.nan),
    ],
)
def test_arrays_that_are_no_trees_are_refused(
    fitted: Fitted, name: str, index: int, value: float
) -> None:
    arrays = Trees.of(fitted[0]).arrays("a")
    arrays[f"a.{name}"] = arrays[f"a.{name}"].copy()
    arrays[f"a.{name}"][index] = value
    with pytest.raises(MalformedArtifact, match="no decision trees"):
        Trees.read(arrays, "a", 3)


def test_arrays_of_another_kind_or_missing_ones_are_refused(fitted: Fitted) -> None:
    arrays = Trees.of(fitted[0]).arrays("a")
    with pytest.raises(MalformedArtifact, match=r"no array 'b\.roots'"):
        Trees.read(arrays, "b", 3)
    with pytest.raises(MalformedArtifact, match=r"a\.left is not int32"):
        Trees.read({**arrays, "a.left": arrays["a.left"].astype(np.float64)}, "a", 3)
    with pytest.raises(MalformedArtifact, match="no decision trees"):
        Trees.read({**arrays, "a.value": arrays["a.value"][1:]}, "a", 3)
    with pytest.raises(MalformedArtifact, match="baseline is no number"):
        Trees.read({**arrays, "a.baseline": np.array([np.nan])}, "a", 3)
