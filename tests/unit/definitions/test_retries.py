"""Every step of every state machine is tried again after a fault that passes by itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.definitions import machines

MACHINES = machines()
JOB = "arn:aws:states:::sagemaker:create"


def tasks(node: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each Task state with its name, those within a Map too."""
    if isinstance(node, dict):
        if node.get("Type") == "Task":
            yield name, node
        for key, value in node.items():
            yield from tasks(value, key)


STATES = {
    f"{machine}-{name}": state
    for machine, definition in MACHINES.items()
    for name, state in tasks(definition)
}
TASKS = [pytest.param(state, id=name) for name, state in STATES.items()]


def calling(resource: str) -> list[Any]:
    """Return the steps whose resource begins so, as parameters."""
    return [
        pytest.param(state, id=name)
        for name, state in STATES.items()
        if state["Resource"].startswith(resource)
    ]


def caught(state: dict[str, Any]) -> set[str]:
    return {error for retry in state.get("Retry", ()) for error in retry["ErrorEquals"]}


@pytest.mark.parametrize("state", TASKS)
def test_a_step_is_tried_again_a_bounded_number_of_times(state: dict[str, Any]) -> None:
    assert state.get("Retry"), "a throttled call would fail the whole execution"
    for retry in state["Retry"]:
        assert 1 <= retry["MaxAttempts"] <= 10
        assert retry["BackoffRate"] > 1
        assert retry["JitterStrategy"] == "FULL", "all would come again at once"


@pytest.mark.parametrize("state", calling(JOB))
def test_a_job_that_failed_is_not_run_again_but_one_that_could_not_start_is(
    state: dict[str, Any],
) -> None:
    assert "SageMaker.AmazonSageMakerException" in caught(state)
    assert not {"States.ALL", "States.TaskFailed", "States.Timeout"} & caught(state), (
        "a job fails for its data or its code, and costs hours"
    )


@pytest.mark.parametrize("state", TASKS)
def test_what_does_not_pass_fails_within_minutes(state: dict[str, Any]) -> None:
    """A permission that is missing has the same name as an overload; a full quota has its own."""
    for retry in state["Retry"]:
        if "SageMaker.ResourceLimitExceededException" not in retry["ErrorEquals"]:
            waits = [
                min(
                    retry["IntervalSeconds"] * retry["BackoffRate"] ** attempt,
                    retry.get("MaxDelaySeconds", 10**6),
                )
                for attempt in range(retry["MaxAttempts"])
            ]
            assert sum(waits) <= 60


@pytest.mark.parametrize("state", calling("arn:aws:states:::aws-sdk:"))
def test_a_call_is_tried_again_whatever_the_service_names_its_fault(state: dict[str, Any]) -> None:
    assert "States.TaskFailed" in caught(state)
