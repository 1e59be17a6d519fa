"""The definitions whose steps are SageMaker jobs, as texts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonata import Jsonata

from tests.support.definitions import FOLDER, text

JOBS = sorted(
    file.name.removesuffix(".asl.json")
    for file in FOLDER.glob("*.asl.json")
    if "arn:aws:states:::sagemaker:create" in file.read_text()
)


def steps(node: Any) -> Iterator[dict[str, Any]]:
    """Yield each state that creates a job."""
    if isinstance(node, dict):
        if str(node.get("Resource", "")).startswith("arn:aws:states:::sagemaker:create"):
            yield node
        for value in node.values():
            yield from steps(value)


@pytest.mark.parametrize("name", JOBS)
def test_a_redrive_names_its_jobs_differently(name: str) -> None:
    for step in steps(json.loads(text(name))):
        (job,) = (v for k, v in step["Arguments"].items() if k.endswith("JobName"))
        assert "$uuid()" in job, "SageMaker accepts a job's name once, and a redrive runs it again"


@pytest.mark.parametrize(
    ("answered", "names"), [(True, ["dataset", "labels"]), (False, ["dataset"])]
)
def test_a_retraining_without_answers_reads_its_dataset_alone(
    answered: bool, names: list[str]
) -> None:
    (step,) = (s for s in steps(json.loads(text("retrain"))) if "NEW_CLASSES" in str(s))
    query = step["Arguments"]["ProcessingInputs"].removeprefix("{%").removesuffix("%}")
    program = Jsonata(query)
    program.assign("answered", answered)

    inputs = program.evaluate(None)

    # A list of one is a list, too: JSONata gives its only item in its place.
    assert isinstance(inputs, list)
    assert [each["InputName"] for each in inputs] == names
    assert inputs[0]["S3Input"]["S3Uri"].endswith("/dataset/${dataset_version}/")
