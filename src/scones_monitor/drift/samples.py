"""Samples: the answers and input statistics of one span of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The images of one span, a row each, in the order of their time.

    `answers` are the answered labels. The values of each mapping are float64 (n,):
    `probabilities` by class name, `inputs` by the name of the statistic. NaN stands for what is
    not known: a class that a `top_k` answer leaves out, the statistics of an image that was not
    captured. A NaN is left out of its figure, whose n says so.
    """

    answers: tuple[str, ...]
    confidences: Values
    probabilities: Mapping[str, Values]
    inputs: Mapping[str, Values]

    def __post_init__(self) -> None:
        columns = {"confidences": self.confidences, **self.probabilities, **self.inputs}
        for name, values in columns.items():
            if values.shape != (len(self.answers),):
                raise ValueError(
                    f"{name} has the shape {values.shape}; {len(self.answers)} answers were given"
                )

    def __len__(self) -> int:
        return len(self.answers)

    def rows(self, chosen: slice | NDArray[np.integer] | NDArray[np.bool_]) -> "Sample":
        """Return a part of the sample: its rows by slice, numbers or mask."""
        return Sample(
            answers=tuple(np.asarray(self.answers, dtype=object)[chosen]),
            confidences=self.confidences[chosen],
            probabilities={name: values[chosen] for name, values in self.probabilities.items()},
            inputs={name: values[chosen] for name, values in self.inputs.items()},
        )


def sample_of(
    labels: Sequence[str],
    probabilities: Values | Sequence[Sequence[float]],
    inputs: Mapping[str, Values | Sequence[float]] | None = None,
) -> Sample:
    """Return the sample of whole answers, (n, classes) in the order of `labels`.

    `inputs` are the statistics of the same images, (n,) each. Raises ValueError where the
    lengths differ.
    """
    matrix = np.asarray(probabilities, dtype=np.float64).reshape(-1, len(labels))
    chosen = matrix.argmax(axis=1)
    return Sample(
        answers=tuple(labels[index] for index in chosen),
        confidences=matrix.max(axis=1, initial=0.0),
        probabilities={label: matrix[:, index] for index, label in enumerate(labels)},
        inputs={name: np.asarray(values, np.float64) for name, values in (inputs or {}).items()},
    )
