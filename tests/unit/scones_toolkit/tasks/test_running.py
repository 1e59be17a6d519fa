"""Step Functions is the outside world here: botocore's Stubber answers for it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from scones_core.errors import ExecutionFailed, SettingsError
from scones_core.events import ImageRef, Result
from scones_core.limits import STATE_BYTES
from scones_toolkit.tasks.running import (
    RESULT_BYTES,
    Execution,
    Run,
    _parts,
    local_images,
    require_none_failed,
    start,
    summary,
    wait,
)

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:scones-local"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def states() -> Any:
    return boto3.client(
        "stepfunctions",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def stub(states: Any) -> Iterator[Stubber]:
    with Stubber(states) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def images(count: int) -> list[ImageRef]:
    return [{"bucket": "data", "key": f"{index}.png"} for index in range(count)]


def ended(stub: Stubber, number: int, status: str, **more: str) -> None:
    answer = {
        "executionArn": f"arn:{number}",
        "stateMachineArn": MACHINE,
        "status": status,
        "startDate": NOW,
        **more,
    }
    stub.add_response("describe_execution", answer, {"executionArn": f"arn:{number}"})


def accepted(image: ImageRef) -> dict[str, object]:
    return {"image": image, "decision": "accepted"}


def test_a_long_list_is_cut_into_executions(states: Any, stub: Stubber) -> None:
    for number, count in enumerate((2, 2, 1)):
        body = images(5)[2 * number : 2 * number + count]
        stub.add_response(
            "start_execution",
            {"executionArn": f"arn:{number}", "startDate": NOW},
            {
                "stateMachineArn": MACHINE,
                "name": ANY,
                "input": json.dumps({"images": body}, separators=(",", ":")),
            },
        )
    started = start(states, MACHINE, images(5), per_execution=2)
    assert [len(execution.images) for execution in started] == [2, 2, 1]


def test_a_refused_start_is_a_sentence(states: Any, stub: Stubber) -> None:
    stub.add_client_error("start_execution", "StateMachineDoesNotExist", "no such machine")
    with pytest.raises(ExecutionFailed, match="no such machine"):
        start(states, MACHINE, images(1), per_execution=2)


def test_every_image_is_accounted_for_when_an_execution_fails(states: Any, stub: Stubber) -> None:
    first, second = images(4)[:2], images(4)[2:]
    ended(stub, 0, "SUCCEEDED", output=json.dumps({"results": [accepted(i) for i in first]}))
    ended(stub, 1, "RUNNING")
    ended(stub, 1, "FAILED", error="States.DataLimitExceeded", cause="too large")
    steps: list[tuple[int, int]] = []
    executions = [Execution("arn:0", tuple(first)), Execution("arn:1", tuple(second))]
    run = wait(
        states,
        executions,
        timeout=60,
        advance=lambda done, total, note="": steps.append((done, total)),
        sleep=lambda _: None,
    )
    assert run.counts() == {"accepted": 2, "review": 0, "failed": 2}
    assert run.results[3]["error"] == {"Error": "States.DataLimitExceeded", "Cause": "too large"}
    assert steps == [(2, 4), (4, 4)]


def test_missing_results_are_failures_not_silence(states: Any, stub: Stubber) -> None:
    ended(stub, 0, "SUCCEEDED", output=json.dumps({"results": []}))
    run = wait(
        states,
        [Execution("arn:0", tuple(images(2)))],
        timeout=60,
        advance=lambda done, total, note="": None,
    )
    assert run.counts()["failed"] == 2


def test_an_execution_that_does_not_end_is_given_up_by_name(states: Any, stub: Stubber) -> None:
    ended(stub, 0, "RUNNING")
    with pytest.raises(ExecutionFailed, match="arn:0 still runs"):
        wait(
            states,
            [Execution("arn:0", tuple(images(1)))],
            timeout=-1,
            advance=lambda done, total, note="": None,
        )


def classified(key: str, label: str, decision: str = "accepted") -> Result:
    return {
        "image": {"bucket": "data", "key": key},
        "decision": decision,  # type: ignore[typeddict-item]
        "threshold": 0.9,
        "inference": {
            "label": label,
            "confidence": 0.95,
            "probabilities": {label: 0.95},
            "inference_id": key,
            "variant": "AllTraffic",
        },
    }


FAILED: Result = {
    "image": {"bucket": "data", "key": "gone.png"},
    "decision": "failed",
    "threshold": 0.9,
    "error": {"Error": "ImageNotFound", "Cause": json.dumps({"errorMessage": "it is gone"})},
}


def test_a_runs_json_has_every_result_with_its_truth_and_counts_the_right_ones() -> None:
    results = (classified("a.png", "bicycle"), classified("b.png", "bicycle", "review"), FAILED)
    found = summary(Run(("arn",), results), ["bicycle", "motorcycle", "bicycle"])

    assert found["counts"] == {
        "accepted": 1,
        "review": 1,
        "failed": 1,
        "right": 1,
        "of_known_class": 2,
    }
    assert [result["truth"] for result in found["results"]] == [
        "bicycle",
        "motorcycle",
        "bicycle",
    ]
    assert found["results"][2]["image"] == "s3://data/gone.png"
    assert found["results"][2]["error"] == "ImageNotFound: it is gone"
    assert json.loads(json.dumps(found)) == {**found, "executions": ["arn"]}


def test_a_failed_image_is_named_by_its_location_and_the_errors_own_message() -> None:
    done = Run(("arn",), (classified("a.png", "bicycle"), FAILED))
    with pytest.raises(
        ExecutionFailed, match=r"1 of 2 .* s3://data/gone.png: ImageNotFound: it is gone"
    ):
        require_none_failed(done)


@pytest.mark.parametrize("name", ["absent.png", "empty"])
def test_a_path_without_images_is_refused_and_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden.png").touch()
    with pytest.raises(SettingsError, match=name):
        local_images(str(tmp_path / name))


def test_a_folders_images_are_found_at_any_depth_and_in_upper_case(tmp_path: Path) -> None:
    for name in ("van/a.PNG", "van/deep/b.jpeg", "notes.txt", "bus/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in local_images(str(tmp_path))]
    assert found == ["bus/c.jpg", "van/a.PNG", "van/deep/b.jpeg"]


def references(count: int, key: str) -> list[ImageRef]:
    return [{"bucket": "b", "key": f"{key}{number:04d}"} for number in range(count)]


def test_a_batch_follows_the_setting_where_keys_are_short() -> None:
    images = references(700, "dataset/0123456789ab/test/motorcycle/0123456789abcdef")
    parts = list(_parts(images, 300))
    assert [len(part) for part in parts] == [300, 300, 100]
    assert [image for part in parts for image in part] == images


@pytest.mark.parametrize("letter", ["k", "é", '"'])
def test_a_batch_of_long_keys_is_smaller_so_that_its_results_fit_into_a_state(letter: str) -> None:
    images = references(600, letter * (1020 // len(letter.encode())))
    parts = list(_parts(images, 300))
    assert [image for part in parts for image in part] == images
    assert all(len(part) < 300 for part in parts)
    keys = (json.dumps(part, ensure_ascii=False) for part in parts)
    assert all(len(text.encode()) < STATE_BYTES - RESULT_BYTES for text in keys)


def test_no_image_makes_no_batch() -> None:
    assert not list(_parts([], 300))
