"""Golden samples: a few images with the answers that the model gave when it was made.

They lie in the model artifact as `golden_samples.json`, so that its answers can be compared
with those of the training wherever it is served.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scones_core.errors import MalformedArtifact
from scones_core.json_text import parse_json
from scones_core.probabilities import is_probability

SAMPLES = "golden_samples.json"
# Requests with them are captured like any other; this distinguishes their records from those of
# customers' images.
INFERENCE_ID_PREFIX = "golden-"
SCHEMA = 1
# Other processors and batch sizes move a float32 softmax in the sixth digit; another model
# moves it in the first.
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class GoldenSample:
    """One encoded image, its content type, and the model's probabilities in label order."""

    body: bytes
    content_type: str
    probabilities: tuple[float, ...]


def dumps(images: Sequence[GoldenSample]) -> str:
    """Return the images as JSON text; bodies are Base64."""
    samples = [
        {
            "body": base64.b64encode(image.body).decode(),
            "content_type": image.content_type,
            "probabilities": list(image.probabilities),
        }
        for image in images
    ]
    body = {"schema": SCHEMA, "samples": samples}
    return json.dumps(body, indent=1, sort_keys=True, allow_nan=False) + "\n"


def loads(text: str | bytes) -> tuple[GoldenSample, ...]:
    """Return the images that `dumps` wrote; raises MalformedArtifact for anything else."""
    try:
        body = parse_json(text)
        if body["schema"] != SCHEMA:
            raise ValueError(f"schema {body['schema']!r:.40}, where {SCHEMA} is read")
        return tuple(_image(item) for item in body["samples"])
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        binascii.Error,
    ) as error:
        raise MalformedArtifact(
            f"{SAMPLES} cannot be read ({error}); train the model again."
        ) from error


def _image(item: Any) -> GoldenSample:
    answers = tuple(item["probabilities"])
    if not all(map(is_probability, answers)):
        raise ValueError("a probability is not a number from 0 to 1")
    if not answers or not isinstance(item["content_type"], str):
        raise ValueError("a sample lacks its answer or its content type")
    body = base64.b64decode(item["body"], validate=True)
    return GoldenSample(body, item["content_type"], answers)


def same_answer(answer: Any, expected: Sequence[float]) -> bool:
    """Return whether an endpoint's answer is the one of the training, within TOLERANCE."""
    return (
        isinstance(answer, list)
        and len(answer) == len(expected)
        and all(
            type(got) in (int, float) and abs(got - value) <= TOLERANCE
            for got, value in zip(answer, expected, strict=True)
        )
    )
