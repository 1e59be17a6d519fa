"""Gradient-boosted trees as plain arrays: written as safetensors, read with checks, evaluated.

scikit-learn's own persistence is pickle, which runs what it is given. Arrays cannot: what is read
is checked to be trees, and evaluated by NumPy alone, so that serving needs no scikit-learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedArtifact

# So many rows are evaluated at once: what is held at a time is bounded by it.
_ROWS = 1024
_KINDS: Mapping[str, type] = {
    "roots": np.int32,
    "feature": np.int16,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "missing_left": np.bool_,
    "value": np.float64,
}


@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of decision trees; nodes of all trees stand in one array.

    `roots` has each tree's first node, shape (trees,). Of each node, shape (nodes,): a leaf's
    `left` is -1 and its `value` is added; another node sends a row to `left` where its `feature`
    is at most `threshold`, or is NaN and `missing_left`, else to `right`. `baseline` is added to
    the sum. `features` is the number of columns.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    baseline: float
    features: int

    @classmethod
    def of(cls, regressor: Any) -> Self:
        """Return the trees of a fitted HistGradientBoostingRegressor without categories."""
        nodes = [predictors[0].nodes for predictors in regressor._predictors]
        starts = np.cumsum([0, *(len(each) for each in nodes[:-1])])
        joined = np.concatenate(nodes)
        offset = np.repeat(starts, [len(each) for each in nodes])
        leaf = joined["is_leaf"].astype(bool)
        return cls(
            roots=starts.astype(np.int32),
            feature=np.where(leaf, 0, joined["feature_idx"]).astype(np.int16),
            threshold=np.where(leaf, 0.0, joined["num_threshold"]).astype(np.float64),
            left=np.where(leaf, -1, joined["left"] + offset).astype(np.int32),
            right=np.where(leaf, -1, joined["right"] + offset).astype(np.int32),
            missing_left=joined["missing_go_to_left"].astype(bool),
            value=np.where(leaf, joined["value"], 0.0).astype(np.float64),
            baseline=float(np.ravel(regressor._baseline_prediction)[0]),
            features=int(regressor.n_features_in_),
        )

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of baseline and trees for rows: (n, features) to (n,)."""
        total = np.empty(len(matrix))
        for start in range(0, len(matrix), _ROWS):
            part = matrix[start : start + _ROWS]
            total[start : start + _ROWS] = self.baseline + self._leaves(part).sum(axis=1)
        return total

    def _leaves(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value that each tree has for each row, shape (n, trees)."""
        trees, flat = len(self.roots), np.ascontiguousarray(matrix).ravel()
        node = np.tile(self.roots, len(matrix))
        first = np.repeat(np.arange(len(matrix)) * matrix.shape[1], trees)
        active = np.flatnonzero(self.left[node] >= 0)
        while len(active):
            at = node[active]
            value = flat[first[active] + self.feature[at]]
            goes_left = (value <= self.threshold[at]) | (np.isnan(value) & self.missing_left[at])
            at = np.where(goes_left, self.left[at], self.right[at])
            node[active] = at
            active = active[self.left[at] >= 0]
        return self.value[node].reshape(len(matrix), trees)

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays under names that begin with `prefix`, for safetensors."""
        found: dict[str, NDArray[Any]] = {f"{prefix}.{n}": getattr(self, n) for n in _KINDS}
        found[f"{prefix}.baseline"] = np.array([self.baseline], np.float64)
        return found

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, features: int) -> Self:
        """Return the trees that `arrays` holds below a prefix.

        Raises MalformedArtifact for arrays that are no trees over so many columns.
        """
        try:
            held = {name: arrays[f"{prefix}.{name}"] for name in _KINDS}
            baseline = arrays[f"{prefix}.baseline"]
        except KeyError as error:
            raise MalformedArtifact(f"The model has no array {error.args[0]!r}.") from error
        for name, kind in _KINDS.items():
            if held[name].dtype != kind or held[name].ndim != 1:
                raise MalformedArtifact(
                    f"The model's array {prefix}.{name} is not {kind.__name__}."
                )
        if baseline.dtype != np.float64 or baseline.shape != (1,) or not np.isfinite(baseline[0]):
            raise MalformedArtifact(f"The model's {prefix}.baseline is no number.")
        trees = cls(**held, baseline=float(baseline[0]), features=features)
        trees._check(prefix)
        return trees

    def _check(self, prefix: str) -> None:
        """Raise MalformedArtifact where evaluating would fail or never end."""
        nodes = len(self.feature)
        lengths = {len(getattr(self, name)) for name in _KINDS if name != "roots"}
        leaf, number = self.left < 0, np.arange(nodes)
        inner = ~leaf
        ok = (
            lengths == {nodes}
            and nodes > 0
            and bool(np.isfinite(self.value).all())
            and not bool(np.isnan(self.threshold).any())
            and bool(((self.feature >= 0) & (self.feature < self.features)).all())
            and bool(((self.roots >= 0) & (self.roots < nodes)).all())
            # A child stands behind its parent, so that every way down ends at a leaf.
            and bool((self.left[inner] > number[inner]).all())
            and bool((self.right[inner] > number[inner]).all())
            and bool((self.left < nodes).all() and (self.right < nodes).all())
        )
        if not ok:
            raise MalformedArtifact(f"The model's arrays {prefix}.* are no decision trees.")
