"""The model card, `model.json`: what an artifact says of its model, and its one parser."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from scones_core.errors import MalformedArtifact, SettingsError
from scones_core.json_text import parse_json
from scones_core.labels import LabelSet

CARD = "model.json"
SCHEMA = 1
MAX_CARD_BYTES = 16_000_000
IMAGE_SIDES = range(1, 4097)
Confusions = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is needed to serve a model and to judge it.

    `image` holds height, width and channels, 1 where the model takes grey images only.
    `normalisation` holds mean and std by channel, which the graph applies itself. `metrics` are
    the figures on the test split and how many images they and the threshold rest on.
    `confusion_matrix` has that split's counts by [true class][answered class]. `settings` are
    the hyperparameters, and `origin` says what the weights began as, with their licence. Raises
    MalformedArtifact for values out of range.
    """

    labels: tuple[str, ...]
    image: Mapping[str, int]
    normalisation: Mapping[str, tuple[float, ...]]
    temperature: float
    threshold: float
    target_precision: float
    metrics: Mapping[str, float]
    confusion_matrix: Confusions
    settings: Mapping[str, Any]
    dataset_version: str
    manifest_sha256: str
    origin: Mapping[str, str] = field(default_factory=dict)
    schema: int = field(default=SCHEMA)

    def __post_init__(self) -> None:
        _check_labels(self.labels)
        _check("temperature", self.temperature, 0.01, 100)
        _check("threshold", self.threshold, 0, 1)
        _check("target_precision", self.target_precision, 0, 1)
        if any(self.image.get(name) not in IMAGE_SIDES for name in ("height", "width")):
            raise MalformedArtifact(f"{CARD}: image needs a height and a width of 1 to 4096.")
        if not isinstance(self.metrics, Mapping):
            raise MalformedArtifact(f"{CARD}: metrics must be names with numbers.")

    @property
    def grey(self) -> bool:
        """Whether the model takes grey images only; others are made grey for it."""
        return self.image.get("channels") == 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels of the images that the model takes."""
        return self.image["height"], self.image["width"]

    @property
    def figures(self) -> dict[str, float]:
        """The metrics that are finite numbers."""
        return {
            name: value
            for name, value in self.metrics.items()
            if type(value) in (int, float) and math.isfinite(value)
        }

    def dumps(self) -> str:
        """Return the card as JSON text; of the confusion matrix the cells that are not 0."""
        body = {**asdict(self), "confusion_matrix": _cells(self.confusion_matrix)}
        return json.dumps(body, sort_keys=True, indent=1, allow_nan=False) + "\n"

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Return the card that `dumps` wrote; raises MalformedArtifact for anything else."""
        try:
            body = parse_json(text)
            if body["schema"] != SCHEMA:
                raise MalformedArtifact(
                    f"{CARD} has schema {body['schema']!r:.40}, this version reads {SCHEMA}; "
                    "train the model again."
                )
            labels = body["labels"]
            if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
                raise TypeError("labels must be a list of strings")
            _check_labels(tuple(labels))  # before a matrix of so many classes is made
            matrix = _matrix(body["confusion_matrix"], len(labels))
            normalisation = {name: tuple(values) for name, values in body["normalisation"].items()}
            body |= {"labels": tuple(labels), "normalisation": normalisation}
            return cls(**body | {"confusion_matrix": matrix})
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise MalformedArtifact(
                f"{CARD} cannot be read ({error}); train the model again."
            ) from error


def _check_labels(labels: tuple[str, ...]) -> None:
    try:
        LabelSet.of(labels)
    except SettingsError as error:
        raise MalformedArtifact(f"{CARD}: {error}") from error


def _check(name: str, value: Any, minimum: float, maximum: float) -> None:
    if (
        type(value) not in (int, float)
        or not math.isfinite(value)
        or not minimum <= value <= maximum
    ):
        raise MalformedArtifact(
            f"{CARD}: {name} must be {minimum} to {maximum}, not {value!r:.40}."
        )


def _cells(matrix: Confusions) -> list[str]:
    """Return "true class, answered class, count" of each cell that is not 0, by index."""
    return [
        f"{row} {column} {count}"
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if count
    ]


def _matrix(cells: list[str], classes: int) -> Confusions:
    """Return the matrix of these cells, empty where there are none."""
    if not cells:
        return ()
    found = [[0] * classes for _ in range(classes)]
    for cell in cells:
        row, column, count = map(int, cell.split())
        if min(row, column, count) < 0:
            raise ValueError("a cell of the confusion matrix is negative")
        found[row][column] = count
    return tuple(map(tuple, found))
