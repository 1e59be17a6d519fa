"""Step Functions is the outside world here: botocore's Stubber answers for it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from scones_core.errors import ExecutionFailed
from scones_core.events import ImageRef
from scones_toolkit.tasks.running import Execution, start, wait

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
