"""The definition as a text: what Terraform renders and Step Functions reads."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import WorkflowError
from scones_core.settings import WorkflowSettings
from scones_lambdas.clients import RUNTIME_LIMITS, S3_LIMITS

DEFINITION = Path(__file__).parents[3] / "terraform/definitions/classify.asl.json"
TEXT = DEFINITION.read_text(encoding="utf-8")
MACHINE = json.loads(TEXT)
ITEM = MACHINE["States"]["ClassifyImages"]["ItemProcessor"]["States"]
INVOKE = "arn:aws:states:::lambda:invoke"
TASKS = {name: state for name, state in ITEM.items() if state.get("Resource") == INVOKE}

# Read from where they are set, so that a change in Terraform alone turns the chain red.
LOCALS = (DEFINITION.parents[1] / "locals.tf").read_text()
FUNCTION_TIMEOUTS = {
    "".join(part.title() for part in name.split("_")): int(seconds)
    for name, seconds in re.findall(
        r"^    (\w+) = \{\n.*?^      timeout_seconds = (\d+)$", LOCALS, re.MULTILINE | re.DOTALL
    )
}

CLIENT_SECONDS = {
    # The header, and what follows it where metadata comes first.
    "SerializeImage": 2 * S3_LIMITS.worst_case_seconds,
    # The labels, once a process, and the image.
    "ClassifyImage": 2 * S3_LIMITS.worst_case_seconds + RUNTIME_LIMITS.worst_case_seconds,
    "FilterInferences": 0,
}

COLD_START_SECONDS = 10
"""What Lambda gives an initialisation, in addition to the function's own timeout."""


def leaves(kind: type[WorkflowError]) -> Iterator[type[WorkflowError]]:
    subclasses = kind.__subclasses__()
    if not subclasses:
        yield kind
    for subclass in subclasses:
        yield from leaves(subclass)


def retried(state: dict[str, Any]) -> set[str]:
    return {name for retrier in state["Retry"] for name in retrier["ErrorEquals"]}


RETRYABLE = {leaf.__name__ for leaf in leaves(WorkflowError) if leaf.retryable}


def test_each_function_has_its_task() -> None:
    assert TASKS.keys() == FUNCTION_TIMEOUTS.keys() == CLIENT_SECONDS.keys()


def test_there_are_errors_of_both_kinds() -> None:
    assert RETRYABLE
    assert {leaf.__name__ for leaf in leaves(WorkflowError)} > RETRYABLE


@pytest.mark.parametrize("name", ["SerializeImage", "ClassifyImage"])
def test_exactly_the_retryable_leaves_and_lambda_s_own_faults_are_retried(name: str) -> None:
    ours = {error for error in retried(TASKS[name]) if not error.startswith("Lambda.")}
    assert ours == RETRYABLE


@pytest.mark.parametrize("name", TASKS)
def test_lambda_s_own_faults_are_retried(name: str) -> None:
    assert retried(TASKS[name]) >= {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    }
    assert "States.ALL" not in retried(TASKS[name])


@pytest.mark.parametrize("name", TASKS)
def test_pauses_grow_are_bounded_and_spread(name: str) -> None:
    assert TASKS[name]["Retry"]
    for retrier in TASKS[name]["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["BackoffRate"] > 1
        assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]


@pytest.mark.parametrize("name", TASKS)
def test_every_fault_of_an_image_stays_with_that_image(name: str) -> None:
    [catcher] = TASKS[name]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert catcher["ResultPath"] == "$.error", "the item must survive"


@pytest.mark.parametrize("name", TASKS)
def test_each_timeout_is_longer_than_what_it_holds(name: str) -> None:
    state = TASKS[name]["TimeoutSeconds"]
    assert CLIENT_SECONDS[name] < FUNCTION_TIMEOUTS[name]
    assert FUNCTION_TIMEOUTS[name] + COLD_START_SECONDS <= state
    assert state < MACHINE["TimeoutSeconds"]


def test_the_slowest_image_ends_before_the_execution_does() -> None:
    tasks = [state for state in ITEM.values() if state["Type"] == "Task"]
    assert sum(map(slowest, tasks)) < MACHINE["TimeoutSeconds"]


def slowest(state: dict[str, Any]) -> float:
    """Return the seconds after which the retrier with the most patience has given up."""
    return max(
        state["TimeoutSeconds"] * (1 + retrier["MaxAttempts"])
        + sum(
            min(
                retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt,
                retrier["MaxDelaySeconds"],
            )
            for attempt in range(retrier["MaxAttempts"])
        )
        for retrier in state["Retry"]
    )


def test_a_count_that_fails_costs_no_result() -> None:
    state = ITEM["CountFailure"]
    assert slowest(state) < 60
    assert state["ResultPath"] is None
    assert state["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": state["Next"]}
    ]


def test_the_execution_s_timeout_is_the_one_of_the_settings() -> None:
    assert MACHINE["TimeoutSeconds"] == WorkflowSettings().execution_timeout_seconds


def test_the_placeholders_are_texts_that_terraform_fills() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == {
        "serialize_function_arn",
        "classify_function_arn",
        "filter_function_arn",
        "metric_namespace",
    }
    assert "%{" not in TEXT, "Terraform's templates would read it"
    assert "arn:aws:lambda" not in TEXT
    assert "$LATEST" not in TEXT


def test_states_are_reached_and_named() -> None:
    for states, start in ((MACHINE["States"], MACHINE["StartAt"]), (ITEM, "SerializeImage")):
        assert start in states
        targets = set(re.findall(r'"(?:Next|Default)": "(\w+)"', json.dumps(states)))
        assert targets - set(ITEM) - set(MACHINE["States"]) == set()
        assert set(states) - targets == {start}


def test_map_concurrency_is_within_what_an_inline_map_takes() -> None:
    state = MACHINE["States"]["ClassifyImages"]
    assert state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "INLINE"
    assert 1 <= state["MaxConcurrency"] <= 40


def test_a_full_batch_stays_below_the_history_s_limit() -> None:
    events_of_three_tasks = 17
    assert WorkflowSettings().images_per_execution * events_of_three_tasks < 25_000
