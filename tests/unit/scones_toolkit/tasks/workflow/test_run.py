"""Step Functions is the outside world here: botocore's Stubber answers for it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from scones_core.errors import ExecutionFailed, SettingsError
from scones_core.events import INLINE_IMAGES, ImageRef, Result
from scones_toolkit.tasks.workflow.run import (
    Run,
    assignment_text,
    local_images,
    passed_over,
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


def ended(stub: Stubber, status: str, given: Any = None, **more: str) -> None:
    answer = {
        "executionArn": "arn:one",
        "stateMachineArn": MACHINE,
        "status": status,
        "startDate": NOW,
        "input": json.dumps(given),
        **more,
    }
    stub.add_response("describe_execution", answer, {"executionArn": "arn:one"})


def accepted(image: ImageRef, **more: Any) -> dict[str, object]:
    inference = {"label": "bicycle", "confidence": 0.99, "inference_id": "i"}
    return {"image": image, "decision": "accepted", "inference": inference, **more}


@pytest.fixture
def storage() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="data")
        yield client


def project(states: Any, storage: Any) -> Any:
    clients = {"stepfunctions": states, "s3": storage}
    deployment = SimpleNamespace(data_bucket="data", state_machine_arn=MACHINE)
    return SimpleNamespace(client=clients.__getitem__, deployment=deployment)


def started(stub: Stubber, given: Any) -> None:
    stub.add_response(
        "start_execution",
        {"executionArn": "arn:one", "startDate": NOW},
        {
            "stateMachineArn": MACHINE,
            "name": "run-1",
            "input": json.dumps(given, separators=(",", ":")),
        },
    )


def test_a_few_images_are_the_input_itself(states: Any, stub: Stubber, storage: Any) -> None:
    started(stub, {"images": images(INLINE_IMAGES)})
    arn = start(project(states, storage), images(INLINE_IMAGES), name="run-1")
    assert arn == "arn:one"


def test_more_images_are_a_manifest(states: Any, stub: Stubber, storage: Any) -> None:
    key = "runs/run-1/manifest.jsonl"
    started(stub, {"source": {"bucket": "data", "manifest": key, "format": "JSONL"}})
    start(project(states, storage), images(INLINE_IMAGES + 1), name="run-1")
    body = storage.get_object(Bucket="data", Key=key)["Body"].read()
    assert [json.loads(line) for line in body.splitlines()] == images(INLINE_IMAGES + 1)


def test_a_refused_start_is_a_sentence(states: Any, stub: Stubber, storage: Any) -> None:
    stub.add_client_error("start_execution", "StateMachineDoesNotExist", "no such machine")
    with pytest.raises(ExecutionFailed, match="no such machine"):
        start(project(states, storage), images(1))


def waited(states: Any, storage: Any, count: int, timeout: float = 60) -> Run:
    return wait(states, storage, "arn:one", images(count), timeout=timeout, sleep=lambda _: None)


def test_a_small_run_s_results_are_its_output(states: Any, stub: Stubber, storage: Any) -> None:
    ended(stub, "RUNNING")
    ended(stub, "SUCCEEDED", output=json.dumps({"results": [accepted(i) for i in images(2)]}))
    assert waited(states, storage, 2).counts() == {"accepted": 2, "review": 0, "failed": 0}


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_a_large_run_s_results_come_from_its_files_and_none_is_missing(
    status: str, states: Any, stub: Stubber, storage: Any
) -> None:
    given = {"source": {"bucket": "data", "manifest": "runs/r/manifest.jsonl", "format": "JSONL"}}
    ended(
        stub, status, given, **({"error": "States.X", "cause": "why"} if status == "FAILED" else {})
    )
    for first in (6, 0):
        lines = [json.dumps(accepted(images(12)[n], index=n)) for n in range(first, first + 5)]
        body = "".join(f"{line}\n" for line in lines).encode()
        storage.put_object(Bucket="data", Key=f"runs/r/results/{first:09d}.jsonl", Body=body)
    run = waited(states, storage, 12)
    assert [result["image"] for result in run.results] == images(12)
    assert run.counts() == {"accepted": 10, "review": 0, "failed": 2}
    assert run.results[5]["error"]["Error"] == (
        "States.X" if status == "FAILED" else "ResultsMissing"
    )


def test_every_image_is_accounted_for_when_an_execution_fails(
    states: Any, stub: Stubber, storage: Any
) -> None:
    ended(stub, "FAILED", error="States.DataLimitExceeded", cause="too large")
    run = waited(states, storage, 2)
    assert run.counts() == {"accepted": 0, "review": 0, "failed": 2}
    assert run.results[1]["error"] == {"Error": "States.DataLimitExceeded", "Cause": "too large"}


def test_missing_results_are_failures_not_silence(states: Any, stub: Stubber, storage: Any) -> None:
    ended(stub, "SUCCEEDED", output=json.dumps({"results": []}))
    assert waited(states, storage, 2).counts()["failed"] == 2


def test_an_execution_that_does_not_end_is_given_up_by_name(
    states: Any, stub: Stubber, storage: Any
) -> None:
    ended(stub, "RUNNING")
    with pytest.raises(ExecutionFailed, match="arn:one still runs"):
        waited(states, storage, 1, timeout=-1)


def test_an_assignment_is_told_in_words() -> None:
    assigned: Any = {"vehicle": "bicycle", "bay": "A", "orders": "near", "max_km": 3.0}
    result = classified("a.png", "bicycle")
    assert assignment_text({**result, "assignment": assigned}) == "bay A, near orders to 3 km"
    assert assignment_text(result) == ""


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


def test_the_location_of_the_only_failed_image_is_printed_once() -> None:
    cause = "s3://data/gone.png: the bytes are neither a PNG nor a JPEG."
    failed: Result = {**FAILED, "error": {"Error": "UnsupportedImage", "Cause": cause}}
    with pytest.raises(ExecutionFailed) as refused:
        require_none_failed(Run(("arn",), (failed,)))
    assert str(refused.value) == (
        "Failed: s3://data/gone.png: UnsupportedImage: the bytes are neither a PNG nor a JPEG."
    )


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


def test_the_files_of_a_folder_that_are_passed_over_are_counted_and_the_first_named(
    tmp_path: Path,
) -> None:
    for name in ("van/a.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    images = local_images(str(tmp_path))
    assert passed_over(str(tmp_path), images) == (
        f"1 other file of {tmp_path} was passed over: hidden, or neither PNG nor JPEG by name; "
        "the first is notes.txt."
    )
    (tmp_path / "van" / ".a.png").touch()
    assert "2 other files" in passed_over(str(tmp_path), images)
    assert passed_over(str(images[0]), images) == ""
