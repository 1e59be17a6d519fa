import io
import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from scones_core.errors import DeployError
from scones_train.evaluation.agreement import ask, compare
from scones_train.evaluation.predictions import ImagePredictions, image_name

BODIES = [b"first", b"second", b"third"]


class Endpoint:
    """Answers each image with what it was given for it."""

    def __init__(self, answers: dict[bytes, Any]) -> None:
        self.answers = answers

    def invoke_endpoint(self, **request: Any) -> dict[str, BytesIO]:
        assert (request["EndpointName"], request["ContentType"]) == ("scones", "image/png")
        answer = self.answers[request["Body"]]
        if isinstance(answer, Exception):
            raise answer
        return {"Body": io.BytesIO(answer)}


@pytest.fixture
def tested() -> ImagePredictions:
    probabilities = np.array([[0.9, 0.1], [1 / 3, 2 / 3], [0.7, 0.3]], dtype=np.float32)
    return ImagePredictions(tuple(map(image_name, BODIES)), np.array([0, 1, 1]), probabilities)


def asked(tested: ImagePredictions, change: float = 0.0) -> NDArray[np.float32]:
    rows = [[float(p) + change for p in row] for row in tested.probabilities]
    answers = {body: json.dumps(row).encode() for body, row in zip(BODIES, rows, strict=True)}
    return ask(Endpoint(answers), "scones", BODIES[::-1], lambda done, total: None)


def test_the_same_answers_agree_to_the_last_bit(tested: ImagePredictions) -> None:
    found = compare(tested, BODIES[::-1], asked(tested), 0.5)
    assert found.holds
    assert (found.identical, found.furthest) == (3, 0.0)
    assert found.training == found.endpoint
    assert found.training["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("change", "holds"), [(1e-6, True), (1e-4, False)])
def test_another_order_of_addition_agrees_and_another_model_does_not(
    tested: ImagePredictions, change: float, holds: bool
) -> None:
    found = compare(tested, BODIES[::-1], asked(tested, change), 0.5)
    assert found.holds is holds
    assert found.furthest == pytest.approx(change, rel=0.1)


def test_other_images_than_the_tested_ones_are_refused(tested: ImagePredictions) -> None:
    answers = asked(tested)
    with pytest.raises(DeployError, match="tested on 3 images and 2 are staged"):
        compare(tested, BODIES[:2], answers[:2], 0.5)
    with pytest.raises(DeployError, match="2 are the same"):
        compare(tested, [*BODIES[:2], b"other"], answers, 0.5)


def test_another_number_of_classes_is_refused(tested: ImagePredictions) -> None:
    with pytest.raises(DeployError, match="2 classes"):
        compare(tested, BODIES, np.full((3, 3), 1 / 3, dtype=np.float32), 0.5)


@pytest.mark.parametrize("answer", [b"", b"{}", b'["a"]', b"[true, false]"])
def test_an_answer_that_is_no_list_of_probabilities_is_named(answer: bytes) -> None:
    endpoint = Endpoint({BODIES[0]: answer})
    with pytest.raises(DeployError, match="scones answers no probabilities"):
        ask(endpoint, "scones", BODIES[:1], lambda done, total: None)


def test_answers_of_different_length_are_no_probabilities() -> None:
    endpoint = Endpoint({BODIES[0]: b"[1.0]", BODIES[1]: b"[0.5, 0.5]"})
    with pytest.raises(DeployError, match="no probabilities"):
        ask(endpoint, "scones", BODIES[:2], lambda done, total: None)


def test_a_refused_call_is_one_sentence() -> None:
    error = ClientError(
        {"Error": {"Code": "ModelError", "Message": "out of memory"}}, "InvokeEndpoint"
    )
    endpoint = Endpoint({BODIES[0]: error})
    with pytest.raises(DeployError, match="out of memory"):
        ask(endpoint, "scones", BODIES[:1], lambda done, total: None)
