import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import DeployError, ExecutionFailed, SettingsError
from scones_core.manifest import Manifest, ManifestRow, content_version
from scones_core.uris import manifest_key
from scones_toolkit.tasks.workflow.results import results_of
from scones_toolkit.tasks.workflow.simulate import Pace, simulate
from tests.functional.scones_toolkit.tasks.conftest import LocalProject, refusal


def classified(given: Any) -> Any:
    """What the workflow answers: a broken image fails, every other one is a bicycle."""
    results = []
    for image in given["images"]:
        if "-broken" in image["key"]:
            error = {"Error": "UnsupportedImage", "Cause": "no image"}
            results.append({"image": image, "decision": "failed", "error": error})
        else:
            inference = {"label": "bicycle", "confidence": 0.99, "inference_id": image["key"]}
            results.append({"image": image, "decision": "accepted", "inference": inference})
    return {"results": results}


@pytest.fixture
def staged(project: LocalProject) -> LocalProject:
    """A dataset with two test images, and a workflow that answers."""
    rows = []
    for number, label in enumerate(("bicycle", "motorcycle")):
        out = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(out, "PNG")
        key = f"dataset/v/test/{label}/{number}.png"
        project.client("s3").put_object(Bucket="data", Key=key, Body=out.getvalue())
        rows.append(ManifestRow(key, "test", label, "0" * 64, number, f"{number}"))
    parts: tuple[Any, ...] = (
        ("bicycle", "motorcycle"),
        {"kind": "x", "name": "x", "sha256": "x"},
        {},
        tuple(rows),
    )
    version = content_version(*parts)
    body = Manifest(version, *parts).dumps().encode()
    project.client("s3").put_object(Bucket="data", Key=manifest_key(version), Body=body)
    project.records.write("dataset", {"version": version, "bucket": "data"})
    project.client("stepfunctions").end = classified
    return project


def test_every_image_is_sent_answered_and_counted_by_kind(staged: LocalProject) -> None:
    figures = simulate(staged, count=25, burst=25, shares={"broken": 0.4}, direct=True)

    assert (figures["sent"], figures["unanswered"], figures["not_sent"]) == (25, 0, {})
    kinds = figures["kinds"]
    assert kinds["broken"]["failed"] == kinds["broken"]["sent"] > 0
    assert kinds["clean"]["accepted"] == kinds["clean"]["sent"] > 0
    assert 0 < kinds["clean"]["right"] < kinds["clean"]["sent"]
    assert figures["failures"] == {"UnsupportedImage": kinds["broken"]["sent"]}
    assert figures["latency_seconds"]["n"] == 25
    # What `inv results`, `inv report` and `inv review` read next.
    assert len(results_of(staged)) == 25
    assert "From upload to the end of its execution (n = 25)" in staged.printed


def test_the_inbox_gets_the_images_and_answers_of_other_images_are_not_counted(
    staged: LocalProject,
) -> None:
    staged.client("sqs").create_queue(QueueName="scones-local-inbox")
    states, s3 = staged.client("stepfunctions"), staged.client("s3")

    def inbox(**arguments: Any) -> Any:
        put(**arguments)
        images = [{"bucket": "data", "key": key} for key in (arguments["Key"], "inbox/other.png")]
        states.start_execution(
            stateMachineArn="",
            name=f"inbox-{len(states.executions)}",
            input=json.dumps({"images": images}),
        )
        return {}

    put, s3.put_object = s3.put_object, inbox

    figures = simulate(staged, count=3)

    assert figures["prefix"].startswith("inbox/simulation-")
    assert (figures["sent"], figures["accepted"]) == (3, 3)


def test_images_without_an_answer_are_counted_and_an_error(staged: LocalProject) -> None:
    staged.client("sqs").create_queue(QueueName="scones-local-inbox")

    with pytest.raises(ExecutionFailed, match="2 images have no answer"):
        simulate(staged, count=2, wait=0)

    assert "unanswered" in staged.printed


def test_what_s3_refuses_is_counted_with_its_reason(staged: LocalProject) -> None:
    def full(**_arguments: Any) -> None:
        raise refusal("SlowDown", "PutObject")

    staged.client("s3").put_object = full

    with pytest.raises(ExecutionFailed, match="2 could not be sent"):
        simulate(staged, count=2, direct=True, wait=0)
    assert "2 SlowDown" in staged.printed


def test_ctrl_c_stops_sending_and_the_figures_so_far_are_printed(
    staged: LocalProject, capsys: pytest.CaptureFixture[str]
) -> None:
    s3, keys = staged.client("s3"), []

    def interrupted(**arguments: Any) -> Any:
        keys.append(arguments["Key"])
        return put(**arguments)

    put, s3.put_object = s3.put_object, interrupted

    def press(**arguments: Any) -> None:
        raise KeyboardInterrupt

    staged.client("stepfunctions").paginate = press
    with pytest.raises(KeyboardInterrupt):
        simulate(staged, count=1000, rate=0.5, direct=True, as_json=True)

    figures = json.loads(capsys.readouterr().out)
    assert figures["sent"] == figures["unanswered"] == len(keys) < 10


def test_an_environment_without_an_inbox_says_what_to_do(staged: LocalProject) -> None:
    with pytest.raises(DeployError, match=r"has no inbox: inv apply; or .*--direct"):
        simulate(staged, count=1)


def test_bursts_come_at_the_mean_rate() -> None:
    assert list(Pace(5, 4.0, 2).bursts()) == [
        (0.0, range(2)),
        (0.5, range(2, 4)),
        (1.0, range(4, 5)),
    ]
    assert [due for due, _ in Pace(3, 0.0, 1).bursts()] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("count", "rate", "burst"), [(0, 1, 1), (1, -1, 1), (1, 1, 0), (1, float("nan"), 1)]
)
def test_a_pace_out_of_range_is_refused(count: int, rate: float, burst: int) -> None:
    with pytest.raises(SettingsError, match="--count and --burst"):
        Pace(count, rate, burst)
