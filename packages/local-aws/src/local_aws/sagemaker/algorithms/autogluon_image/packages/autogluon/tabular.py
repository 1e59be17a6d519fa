"""The part of `autogluon.tabular` that a regression on a CSV file needs, with one small model.

Names and arguments are those of
https://auto.gluon.ai/stable/api/autogluon.tabular.TabularPredictor.html; the model is a ridge
regression on each column's ranges, whose figures say nothing about AutoGluon.
"""

import csv
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FILE = "predictor.npz"
_RANGES = 24
_PENALTY = 1.0


class TabularPredictor:
    """Learns one numeric column of a CSV file from the others, which are numbers as well."""

    def __init__(
        self,
        label: str,
        problem_type: str | None = None,
        eval_metric: str | None = None,
        path: str | None = None,
        verbosity: int = 2,
    ) -> None:
        """Prepare a predictor of a column that keeps itself below `path`."""
        del eval_metric, verbosity
        if problem_type != "regression" or not path:
            raise ValueError("The local stand-in for AutoGluon does problem_type='regression'.")
        self.label, self._folder = label, Path(path)
        self._edges: Floats = np.empty((0, 0))
        self._weights: Floats = np.empty(0)

    def fit(
        self, train_data: str, time_limit: float | None = None, presets: str | None = None
    ) -> Self:
        """Learn from a file and keep what was learned; the limit is never reached."""
        del time_limit, presets
        names, table = _read(train_data)
        at = names.index(self.label)
        known, truth = np.delete(table, at, axis=1), table[:, at]
        shares = np.linspace(0, 1, _RANGES + 1)[1:-1]
        self._edges = np.asarray(np.quantile(np.nan_to_num(known), shares, axis=0), np.float64)
        columns = self._columns(known)
        square = columns.T @ columns + _PENALTY * np.eye(columns.shape[1])
        self._weights = np.asarray(np.linalg.solve(square, columns.T @ truth), np.float64)
        self._folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            self._folder / FILE,
            edges=self._edges,
            weights=self._weights,
            label=np.array(self.label),
        )
        return self

    def predict(self, data: str, as_pandas: bool = True) -> Floats:
        """Return the label of each row of a file; only as an array."""
        if as_pandas:
            raise ValueError("The local stand-in for AutoGluon answers with as_pandas=False.")
        names, table = _read(data)
        kept = [number for number, name in enumerate(names) if name != self.label]
        found: Floats = self._columns(table[:, kept]) @ self._weights
        return found

    @classmethod
    def load(cls, path: str, **_: Any) -> Self:
        """Return the predictor of a folder."""
        with np.load(Path(path) / FILE, allow_pickle=False) as held:
            made = cls(str(held["label"]), "regression", path=path)
            made._edges, made._weights = held["edges"], held["weights"]
        return made

    def _columns(self, table: Floats) -> Floats:
        """Return 1, and for each column in which of its ranges a value lies, one column each."""
        parts = [np.ones((len(table), 1))]
        for number, values in enumerate(np.nan_to_num(table).T):
            place = np.searchsorted(self._edges[:, number], values)
            parts.append(np.eye(_RANGES)[place])
        return np.hstack(parts)


def _read(path: str) -> tuple[list[str], Floats]:
    """Return the header and the numbers of a CSV file, an empty cell NaN."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return header, np.array([[float(cell or "nan") for cell in row] for row in rows], np.float64)
