"""Softmax regression over image features, trained by one of the four documented optimisers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
FILE_NAME = "image-classification-stand-in.npz"


@dataclass(slots=True)
class Classifier:
    """A linear classifier with the standardisation of its features."""

    mean: Floats
    scale: Floats
    weights: Floats

    @classmethod
    def untrained(cls, features: Floats, classes: int) -> "Classifier":
        """Return one that answers all classes alike, standardised on these features."""
        width = features.shape[1]
        scale = np.sqrt(width, dtype=np.float32) * (features.std(axis=0) + 1e-3) / 4
        return cls(features.mean(axis=0), scale, np.zeros((width + 1, classes), np.float32))

    def probabilities(self, features: Floats) -> Floats:
        """Return N x classes probabilities, each row adding up to 1."""
        scores = self.inputs(features) @ self.weights
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: Floats = raised / raised.sum(axis=1, keepdims=True)
        return found

    def inputs(self, features: Floats) -> Floats:
        """Return the standardised features with a column of ones."""
        standard = (features - self.mean) / self.scale
        return np.concatenate([standard, np.ones((len(features), 1), np.float32)], axis=1)

    def gradient(self, features: Floats, labels: NDArray[np.int64], weights: Floats) -> Floats:
        """Return the gradient of the mean cross-entropy, each example with its weight."""
        error = self.probabilities(features).astype(np.float32)
        error[np.arange(len(labels)), labels] -= 1
        found = self.inputs(features).T @ (error * weights[:, None]) / len(labels)
        return found.astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the model."""
        with (folder / FILE_NAME).open("wb") as file:
            np.savez(file, mean=self.mean, scale=self.scale, weights=self.weights)

    @classmethod
    def load(cls, folder: Path) -> "Classifier":
        """Return the model of a folder; raises OSError, ValueError and KeyError for another."""
        with np.load(folder / FILE_NAME, allow_pickle=False) as stored:
            return cls(stored["mean"], stored["scale"], stored["weights"])


@dataclass(slots=True)
class Optimiser:
    """The step of `sgd`, `nag`, `rmsprop` or `adam` with the documented settings."""

    settings: Any
    first: Floats
    second: Floats
    count: int = field(default=0)

    @classmethod
    def of(cls, settings: Any, shape: tuple[int, ...]) -> "Optimiser":
        """Return one that has not made a step."""
        return cls(settings, np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def step(self, weights: Floats, gradient: Floats, rate: float) -> Floats:
        """Return the weights after one step."""
        self.count += 1
        change = self._change(gradient + self.settings["weight_decay"] * weights)
        return (weights - rate * change).astype(np.float32)

    def _change(self, gradient: Floats) -> Floats:
        """Return what the weights go down by, but for the learning rate."""
        s = self.settings
        if s["optimizer"] in ("sgd", "nag"):
            self.first = s["momentum"] * self.first + gradient
            ahead: Floats = s["momentum"] * self.first + gradient
            return ahead if s["optimizer"] == "nag" else self.first
        if s["optimizer"] == "rmsprop":
            self.second = s["gamma"] * self.second + (1 - s["gamma"]) * gradient**2
            return self._scaled(gradient, self.second)
        self.first = s["beta_1"] * self.first + (1 - s["beta_1"]) * gradient
        self.second = s["beta_2"] * self.second + (1 - s["beta_2"]) * gradient**2
        first = self.first / (1 - s["beta_1"] ** self.count)
        second = self.second / (1 - s["beta_2"] ** self.count)
        return self._scaled(first, second)

    def _scaled(self, step: Floats, squares: Floats) -> Floats:
        found: Floats = step / (np.sqrt(squares) + self.settings["eps"])
        return found
