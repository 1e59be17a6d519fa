"""Agreement: whether an endpoint answers what the model answered in training."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from scones_core.errors import DeployError
from scones_core.golden_samples import TOLERANCE
from scones_core.json_text import parse_json
from scones_train.evaluation.metrics import summarise
from scones_train.evaluation.predictions import ImagePredictions, image_name

AT_ONCE = 8


class Progress(Protocol):
    """Called with the number of images answered, and of all."""

    def __call__(self, done: int, total: int) -> None:
        """Take the numbers."""


class Runtime(Protocol):
    """The part of boto3's `sagemaker-runtime` client that an endpoint is asked with."""

    def invoke_endpoint(self, **request: Any) -> Any:
        """Return the endpoint's answer."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The figures in training and through the endpoint, and how far single answers differ.

    `furthest` is the largest difference of two probabilities; `identical` counts the images
    whose probabilities are the very same float32 values.
    """

    training: dict[str, float]
    endpoint: dict[str, float]
    images: int
    identical: int
    furthest: float

    @property
    def holds(self) -> bool:
        """Whether no probability differs by more than float32 on another processor explains."""
        return self.furthest <= TOLERANCE


def ask(
    runtime: Runtime,
    endpoint: str,
    images: Sequence[bytes],
    progress: Progress,
    target: Mapping[str, str] | None = None,
) -> NDArray[np.float32]:
    """Return what an endpoint answers for PNG images: float32 (N, classes).

    `target` are the arguments that choose a variant, None for any. Raises DeployError where a
    call fails or an answer is no list of probabilities.
    """

    def one(body: bytes) -> list[float]:
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint,
            ContentType="image/png",
            Accept="application/json",
            Body=body,
            **(target or {}),
        )
        return probabilities(answer["Body"].read())

    answers: list[list[float]] = []
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for found in pool.map(one, images):
                answers.append(found)
                progress(len(answers), len(images))
        return np.array(answers, dtype=np.float32)
    except (ClientError, BotoCoreError) as error:
        raise DeployError(f"The endpoint {endpoint} cannot be asked: {error}") from error
    except ValueError as error:
        raise DeployError(f"The endpoint {endpoint} answers no probabilities: {error}") from error


def probabilities(body: bytes) -> list[float]:
    """Return the list that an endpoint's answer is; raises ValueError for another answer."""
    answer = parse_json(body)
    if not isinstance(answer, list) or not all(type(p) in (int, float) for p in answer):
        raise ValueError(f"{answer!r:.80} is no list of numbers")
    return [float(p) for p in answer]


def compare(
    tested: ImagePredictions,
    bodies: Sequence[bytes],
    answers: NDArray[np.float32],
    threshold: float,
) -> Agreement:
    """Return how answers for encoded images agree with those that the model gave in training.

    Raises DeployError where the images are not the ones that the model was tested on.
    """
    answered = ImagePredictions(
        tuple(map(image_name, bodies)), np.zeros(len(bodies), dtype=np.int64), answers
    )
    before, now = tested.paired(answered)
    if len(before) != len(tested) or len(before) != len(answered):
        raise DeployError(
            f"The model was tested on {len(tested)} images and {len(answered)} are staged; "
            f"{len(before)} are the same. Stage the dataset that it was trained on."
        )
    if before.probabilities.shape != now.probabilities.shape:
        raise DeployError(
            f"The endpoint answers {answers.shape[1]} probabilities; the model has "
            f"{before.probabilities.shape[1]} classes."
        )
    apart = np.abs(before.probabilities.astype(np.float64) - now.probabilities).max(axis=1)
    return Agreement(
        training=summarise(before.probabilities, before.labels, threshold),
        endpoint=summarise(now.probabilities, before.labels, threshold),
        images=len(before),
        identical=int((apart == 0).sum()),
        furthest=float(apart.max()),
    )
