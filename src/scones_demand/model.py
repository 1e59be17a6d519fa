"""The forecast model: trees for casual and registered riders, and for the bounds of an interval.

A model folder has `demand.safetensors` (the trees) and `demand.json` (what was trained, on what,
and how good it is).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import DatasetError, MalformedArtifact
from scones_core.files import write_atomically
from scones_core.json_text import parse_json
from scones_demand.features import FEATURES, columns_of, feature_matrix
from scones_demand.hours import Hours
from scones_demand.trees import Trees

CARD, TREES = "demand.json", "demand.safetensors"
MAX_CARD_BYTES, MAX_TREE_BYTES = 4_000_000, 200_000_000
RIDERS = ("casual", "registered")
BOUNDS = ("low", "high")


class Forecast(NamedTuple):
    """Riders an hour, float64 arrays of shape (n,), none below 0: the expected, and the bounds."""

    riders: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Member:
    """One learner of the average: the features that it sees, and its trees for each of RIDERS."""

    features: tuple[str, ...]
    trees: Mapping[str, Trees]


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is: `days` were trained on, as days since 1970-01-01.

    `coverage` is the share of hours that the interval is to hold; `widening` is added on both
    sides, in units of log(1 + riders). `metrics` are of the blocked folds.
    """

    days: tuple[int, ...]
    settings: Mapping[str, Any]
    coverage: float
    widening: float
    metrics: Mapping[str, float]
    folds: tuple[Mapping[str, Any], ...] = ()
    importance: Mapping[str, float] | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DemandModel:
    """A fitted model: the average of its members in log(1 + riders)."""

    members: tuple[Member, ...]
    bounds: Mapping[str, Trees]
    bound_features: tuple[str, ...]
    card: Card

    def log_count(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log(1 + riders) for a feature matrix: (n, len(FEATURES)) to (n,).

        Each member's casual and registered riders are added; then the members are averaged in
        the logarithm, which is what the score compares.
        """
        logs = [
            np.log1p(
                sum(
                    np.maximum(np.expm1(trees.predict(matrix[:, columns_of(m.features)])), 0.0)
                    for trees in m.trees.values()
                )
            )
            for m in self.members
        ]
        return np.asarray(np.mean(logs, axis=0))

    def forecast(self, hours: Hours) -> Forecast:
        """Return the demand of hours, in their order."""
        matrix = feature_matrix(hours)
        middle = self.log_count(matrix)
        seen = matrix[:, columns_of(self.bound_features)]
        low = self.bounds["low"].predict(seen) - self.card.widening
        high = self.bounds["high"].predict(seen) + self.card.widening
        # Three fits of their own may cross; the bounds hold the middle.
        return forecast_of(middle, np.minimum(low, middle), np.maximum(high, middle))

    def require_new(self, hours: Hours) -> None:
        """Raise DatasetError where a day was trained on: its forecast would be a memory."""
        require_new(self.card, hours)

    def write(self, folder: Path) -> None:
        """Write the model folder; the card comes last, so that a folder with one is whole."""
        from safetensors.numpy import save

        arrays: dict[str, NDArray[Any]] = {}
        for number, member in enumerate(self.members):
            for name, trees in member.trees.items():
                arrays |= trees.arrays(f"member.{number}.{name}")
        for name, trees in self.bounds.items():
            arrays |= trees.arrays(f"bound.{name}")
        card = {
            **asdict(self.card),
            "features": list(FEATURES),
            "members": [list(member.features) for member in self.members],
            "bound_features": list(self.bound_features),
        }
        (folder / CARD).unlink(missing_ok=True)
        write_atomically(folder / TREES, save(arrays))
        write_atomically(folder / CARD, json.dumps(card, indent=1, allow_nan=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the model of a folder; raises MalformedArtifact for one that is none."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        card, members, bound_features = _read_card(folder / CARD)
        try:
            arrays = load(_bytes(folder / TREES, MAX_TREE_BYTES))
        except SafetensorError as error:
            raise MalformedArtifact(
                f"{folder / TREES} is not valid safetensors: {error}."
            ) from error
        return cls(
            tuple(
                Member(
                    names,
                    {
                        rider: Trees.read(arrays, f"member.{number}.{rider}", len(names))
                        for rider in RIDERS
                    },
                )
                for number, names in enumerate(members)
            ),
            {name: Trees.read(arrays, f"bound.{name}", len(bound_features)) for name in BOUNDS},
            bound_features,
            card,
        )


def forecast_of(
    middle: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> Forecast:
    """Return the forecast that logarithms of 1 + riders stand for, all of shape (n,)."""
    return Forecast(*(np.maximum(np.expm1(values), 0.0) for values in (middle, low, high)))


def require_new(card: Card, hours: Hours) -> None:
    """Raise DatasetError where a day was trained on: its forecast would be a memory."""
    known = np.isin(hours.day, np.asarray(card.days, np.int64))
    if known.any():
        raise DatasetError(
            f"{hours.place(int(np.argmax(known)))} is of a day that the model was trained on, as "
            f"{int(known.sum()):,} of its {len(hours):,} hours are; leave them out, or train "
            "without these days."
        )


def _bytes(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise MalformedArtifact(f"{path} has over {limit:,} bytes; it is no such model.")
        return path.read_bytes()
    except OSError as error:
        raise MalformedArtifact(
            f"{path} cannot be read ({error.strerror}); a model folder has {CARD} and {TREES}."
        ) from error


def _read_card(path: Path) -> tuple[Card, list[tuple[str, ...]], tuple[str, ...]]:
    """Return the card, each member's features and those of the bounds; raises MalformedArtifact."""
    card, held = read_card(path)
    try:
        members = [_names(names) for names in held["members"]]
        bound_features = _names(held["bound_features"])
        if not members:
            raise ValueError("it has no members")
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedArtifact(f"{path} describes no demand model: {error}.") from error
    return card, members, bound_features


def read_card(path: Path) -> tuple[Card, Mapping[str, Any]]:
    """Return the card of a file, and all that the file has; raises MalformedArtifact."""
    try:
        held = parse_json(_bytes(path, MAX_CARD_BYTES))
        if tuple(held["features"]) != FEATURES:
            raise ValueError("its features are of another version")
        card = Card(
            days=tuple(map(int, held["days"])),
            settings=dict(held["settings"]),
            coverage=_finite(held["coverage"]),
            widening=_finite(held["widening"]),
            metrics={str(k): _finite(v) for k, v in held["metrics"].items()},
            folds=tuple(dict(fold) for fold in held["folds"]),
            importance={str(k): _finite(v) for k, v in (held["importance"] or {}).items()},
            data=dict(held["data"] or {}),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedArtifact(f"{path} describes no demand model: {error}.") from error
    return card, held


def _names(names: Sequence[str]) -> tuple[str, ...]:
    if not names or not set(names) <= set(FEATURES):
        raise ValueError("it names features that there are not")
    return tuple(names)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number
