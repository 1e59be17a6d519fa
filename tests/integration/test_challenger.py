"""Two releases on one endpoint: compared by what both answered, the better one promoted."""

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from scones_core.reviews import Answer, answer_line, part_key
from scones_deploy.release import activate, read_releases
from tests.support.environments.environment import (
    ACCOUNT,
    BICYCLE,
    MOTORCYCLE,
    PNG,
    Environment,
    model_archive,
)

ENDPOINT = "scones-local-classifier"
DATA = f"scones-local-data-{ACCOUNT}"
IMAGES = 80


@pytest.fixture
def second(served: Environment) -> Iterator[str]:
    """A release that says motorcycle, next to the active one; the first is active again after."""
    first = read_releases(served.release_file).active
    made = served.release("second", model_archive(json.dumps(MOTORCYCLE), threshold=0.6))
    activate(served.release_file, first)
    yield made
    activate(served.release_file, first)
    served.done("apply")


def variants(served: Environment) -> dict[str, float]:
    """Return the endpoint's variants with their weights."""
    found = served.serving()["ProductionVariants"]
    return {each["VariantName"]: each["CurrentWeight"] for each in found}


def classify(served: Environment) -> list[dict[str, Any]]:
    """Send IMAGES images through the workflow, and return their results."""
    served.client("s3").put_object(Bucket=DATA, Key="challenged/m.png", Body=PNG)
    states = served.client("stepfunctions")
    machine = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:scones-local-classify"
    images = [{"bucket": DATA, "key": "challenged/m.png"}] * IMAGES
    arn = states.start_execution(
        stateMachineArn=machine, name="challenged", input=json.dumps({"images": images})
    )["executionArn"]
    deadline = time.monotonic() + 600
    while (ended := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert ended["status"] == "SUCCEEDED", ended
    s3, prefix = served.client("s3"), "runs/challenged/results/"
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=DATA, Prefix=prefix)["Contents"]]
    bodies = [s3.get_object(Bucket=DATA, Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def review(served: Environment, ids: list[str], label: str) -> None:
    """Leave a reviewer's answers to these inferences in the data bucket."""
    lines = []
    for number, name in enumerate(ids, 1):
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        answer = Answer(
            session="challenged",
            sequence=number,
            reviewer="ana",
            action="label",
            sha256=sha256,
            file=f"{sha256}.png",
            at=datetime.now(UTC).isoformat(),
            label=label,
            inference_id=name,
        )
        lines.append(answer_line(answer))
    key = part_key("labels/", "ana", "challenged", 1, len(lines))
    served.client("s3").put_object(Bucket=DATA, Key=key, Body=b"".join(lines))


def compared(served: Environment) -> dict[str, Any]:
    """Return the report's comparison, once all answers are captured."""
    deadline = time.monotonic() + 120
    while True:
        served.done("report", "--since", "1h")
        path = served.checkout.root / "build" / "local" / "report.json"
        found: dict[str, Any] = json.loads(path.read_text())["variants"]
        if found["active"]["n"] + found["challenger"]["n"] >= IMAGES - 1:
            return found
        assert time.monotonic() < deadline, found


@pytest.mark.slow
def test_the_better_of_two_releases_is_found_by_labels_promoted_and_taken_back(
    served: Environment, second: str
) -> None:
    first = read_releases(served.release_file).active or ""
    name = f"Challenger-{second}"
    assert "answers 50.00% of the requests" in served.done(
        "challenger", "--release", second, "--share", "0.5"
    )
    applied = served.done("apply")
    assert f"with {second} for 50% of it, golden samples answered as in training: 2" in applied
    assert "No changes" in served.done("plan")
    assert variants(served) == {"AllTraffic": 0.5, name: 0.5}
    assert served.answer(TargetVariant=name) == MOTORCYCLE
    assert served.answer(TargetVariant="AllTraffic") == BICYCLE

    results = classify(served)
    by_release = {
        release: [r["inference"] for r in results if r["release"] == release]
        for release in (first, second)
    }
    assert sum(map(len, by_release.values())) == len(results) == IMAGES
    assert {each["variant"] for each in by_release[second]} == {name}
    assert {each["label"] for each in by_release[second]} == {"motorcycle"}
    assert {r["threshold"] for r in results if r["release"] == second} == {0.6}
    rows = served.client("dynamodb").scan(TableName="scones-local-assignments")["Items"]
    ours = [row for row in rows if "challenged/m.png" in row["image"]["S"]]
    assert {row["release"]["S"] for row in ours} == {first, second}

    # Nobody has said yet what the images show.
    assert compared(served)["verdict"]["outcome"] == "open"
    served.inv("challenger", "--promote").says(f"{second} is not promoted: Not decided.")
    review(served, [r["inference"]["inference_id"] for r in results], "motorcycle")
    found = compared(served)
    assert found["verdict"]["outcome"] == "challenger"
    for side, release in (("active", first), ("challenger", second)):
        assert found[side]["release"] == release
        assert found[side]["invocations"] >= len(by_release[release])
        assert found[side]["realised_accuracy"]["value"] == (release == second)
    assert f"The challenger {second} is the better one" in served.done("challenger")

    # Weights that somebody changed at the endpoint are found.
    weigh = served.client("sagemaker").update_endpoint_weights_and_capacities
    weigh(
        EndpointName=ENDPOINT,
        DesiredWeightsAndCapacities=[{"VariantName": name, "DesiredWeight": 0.0}],
    )
    served.inv("verify").says(f"the shares of {ENDPOINT} is")

    served.done("challenger", "--promote")
    assert "No changes" not in served.done("apply")
    assert len(variants(served)) == 1
    assert served.answer() == MOTORCYCLE
    served.done("rollback", first)
    served.done("apply")
    assert len(variants(served)) == 1
    assert served.answer() == BICYCLE
