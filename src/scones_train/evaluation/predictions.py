"""Predictions: what a model answered for each test image, kept as `predictions.json`."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedArtifact
from scones_core.json_text import parse_json
from scones_train.channels import channel_files

FILE = "predictions.json"
SCHEMA = 1
NAME_DIGITS = 16


@dataclass(frozen=True, slots=True)
class ImagePredictions:
    """Probabilities float32 (N, classes) of N test images, their right labels int64 (N,).

    `images` names each by the first 16 digits of its file's SHA-256, so that two models can be
    compared image by image, wherever the files lay.
    """

    images: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def dumps(self) -> str:
        """Return the predictions as JSON text that gives back the very float32 values."""
        body = {
            "schema": SCHEMA,
            "images": self.images,
            "labels": self.labels.tolist(),
            # The shortest decimal that names a float32 has half the digits of its double.
            "probabilities": [[float(str(p)) for p in row] for row in self.probabilities],
        }
        return json.dumps(body, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Return the predictions that `dumps` wrote; raises MalformedArtifact for anything else."""
        try:
            body = parse_json(text)
            found = cls(
                tuple(str(name) for name in body["images"]),
                np.array(body["labels"], dtype=np.int64),
                np.array(body["probabilities"], dtype=np.float32),
            )
            found._check(body["schema"])
            return found
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise MalformedArtifact(
                f"{FILE} cannot be read ({error}); train the model again."
            ) from error

    def _check(self, schema: Any) -> None:
        p = self.probabilities
        if schema != SCHEMA:
            raise ValueError(f"schema {schema!r:.40} is not {SCHEMA}")
        if p.ndim != 2 or len(p) != len(self.images) or self.labels.shape != (len(p),):
            raise ValueError("its lists differ in length")
        if not np.isfinite(p).all() or ((p < 0) | (p > 1)).any():
            raise ValueError("a probability is not 0 to 1")
        if len(p) and not 0 <= self.labels.min() <= self.labels.max() < p.shape[1]:
            raise ValueError("a label is none of the classes")

    def paired(self, other: "ImagePredictions") -> tuple["ImagePredictions", "ImagePredictions"]:
        """Return the rows of both for the images that both hold, in the same order."""
        place = {name: row for row, name in enumerate(other.images)}
        shared = [(row, place[name]) for row, name in enumerate(self.images) if name in place]
        rows = np.array(shared, dtype=np.int64).reshape(-1, 2)
        return self.rows(rows[:, 0]), other.rows(rows[:, 1])

    def rows(self, chosen: NDArray[np.int64]) -> "ImagePredictions":
        """Return the predictions in these rows, in this order."""
        names = tuple(self.images[row] for row in chosen)
        return ImagePredictions(names, self.labels[chosen], self.probabilities[chosen])


def image_name(body: bytes) -> str:
    """Return the name of an image among predictions: 16 digits of its bytes' SHA-256."""
    return hashlib.sha256(body).hexdigest()[:NAME_DIGITS]


def channel_names(folder: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a channel's images, in the order in which `load_channel` gives them."""
    return tuple(image_name(path.read_bytes()) for path, _ in channel_files(folder, classes))
