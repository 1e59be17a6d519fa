"""The definition as a text: what Terraform renders and Step Functions reads."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from scones_core.errors import WorkflowError
from scones_core.events import INLINE_IMAGES, MAX_STATE_BYTES
from scones_core.settings import WorkflowSettings
from scones_lambdas.classify_batch import IMAGE_SECONDS, STOP_SECONDS
from scones_lambdas.clients import RECORD_LIMITS, RUNTIME_LIMITS, S3_LIMITS
from scones_lambdas.result_destinations import RESERVED_SECONDS
from tests.support.definitions import FOLDER, rendered, text

TEXT, SHARED_TEXT = text("classify"), text("distributed_map")
MACHINE = rendered()
ITEM = MACHINE["States"]["ClassifyImages"]["ItemProcessor"]["States"]
INVOKE = "arn:aws:states:::lambda:invoke"
TASKS = {name: state for name, state in ITEM.items() if state.get("Resource") == INVOKE}
LARGE = {name: state for name, state in MACHINE["States"].items() if "ItemBatcher" in state}
BATCH = json.loads(SHARED_TEXT)["ItemProcessor"]["States"]["ClassifyBatch"]
RECORD = {name: MACHINE["States"][name] for name in ("RecordResults", "CloseRun")}
INVOCATIONS = {**TASKS, **RECORD, "ClassifyBatch": BATCH}

EXPRESS_SECONDS = 300
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

# Read from where they are set, so that a change in Terraform alone turns the chain red.
LOCALS = (FOLDER.parent / "locals.tf").read_text()
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

FUNCTION_OF = {
    **{name: name for name in TASKS},
    **dict.fromkeys(RECORD, "RecordResults"),
    "ClassifyBatch": "ClassifyBatch",
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
    assert {*FUNCTION_OF.values(), "CollectInbox"} == FUNCTION_TIMEOUTS.keys()
    assert CLIENT_SECONDS.keys() == TASKS.keys()


def test_there_are_errors_of_both_kinds() -> None:
    assert RETRYABLE
    assert {leaf.__name__ for leaf in leaves(WorkflowError)} > RETRYABLE


@pytest.mark.parametrize("name", ["SerializeImage", "ClassifyImage"])
def test_exactly_the_retryable_leaves_and_lambda_s_own_faults_are_retried(name: str) -> None:
    ours = {error for error in retried(TASKS[name]) if not error.startswith("Lambda.")}
    assert ours == RETRYABLE


@pytest.mark.parametrize("name", INVOCATIONS)
def test_lambda_s_own_faults_are_retried(name: str) -> None:
    assert retried(INVOCATIONS[name]) >= {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    }
    assert "States.ALL" not in retried(INVOCATIONS[name])


@pytest.mark.parametrize("name", INVOCATIONS)
def test_pauses_grow_are_bounded_and_spread(name: str) -> None:
    assert INVOCATIONS[name]["Retry"]
    for retrier in INVOCATIONS[name]["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["BackoffRate"] > 1
        assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]


@pytest.mark.parametrize("name", TASKS)
def test_every_fault_of_an_image_stays_with_that_image(name: str) -> None:
    [catcher] = TASKS[name]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert catcher["ResultPath"] == "$.error", "the item must survive"


@pytest.mark.parametrize("name", INVOCATIONS)
def test_each_timeout_is_longer_than_what_it_holds(name: str) -> None:
    state = INVOCATIONS[name]["TimeoutSeconds"]
    function = FUNCTION_TIMEOUTS[FUNCTION_OF[name]]
    assert CLIENT_SECONDS.get(name, 0) < function
    assert function + COLD_START_SECONDS <= state
    assert state < MACHINE["TimeoutSeconds"]


def test_a_batch_has_time_to_end_its_last_image_and_to_record_all() -> None:
    """What is begun with STOP_SECONDS left ends in time, and half of the time is for work."""
    assert (
        IMAGE_SECONDS + RESERVED_SECONDS < STOP_SECONDS < 0.9 * FUNCTION_TIMEOUTS["ClassifyBatch"]
    )
    send = RECORD_LIMITS.worst_case_seconds
    assert send < RESERVED_SECONDS


def test_a_batch_ends_with_all_its_tries_before_an_express_execution_does() -> None:
    for retrier in BATCH["Retry"]:
        # A refused call comes back at once; only another fault may take a whole call's time.
        throttled = retrier["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
        calls = 1 if throttled else 1 + retrier["MaxAttempts"]
        assert calls * BATCH["TimeoutSeconds"] + pauses(retrier) < EXPRESS_SECONDS


def test_the_slowest_image_ends_before_the_execution_does() -> None:
    tasks = [state for state in ITEM.values() if state["Type"] == "Task"]
    assert sum(map(slowest, tasks)) < MACHINE["TimeoutSeconds"]


def slowest(state: dict[str, Any]) -> float:
    """Return the seconds after which the retrier with the most patience has given up."""
    longest: float = max(
        state["TimeoutSeconds"] * (1 + retrier["MaxAttempts"]) + pauses(retrier)
        for retrier in state["Retry"]
    )
    return longest


def pauses(retrier: dict[str, Any]) -> float:
    """Return the longest that a retrier waits in all."""
    waits = (
        min(
            retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt,
            retrier["MaxDelaySeconds"],
        )
        for attempt in range(retrier["MaxAttempts"])
    )
    return float(sum(waits))


def test_a_count_that_fails_costs_no_result() -> None:
    state = ITEM["CountFailure"]
    assert slowest(state) < 60
    assert state["ResultPath"] is None
    assert state["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": state["Next"]}
    ]


def test_a_task_does_not_wait_for_longer_than_an_execution_may_take() -> None:
    assert WorkflowSettings().execution_timeout_seconds <= MACHINE["TimeoutSeconds"]


def test_the_placeholders_are_texts_that_terraform_fills() -> None:
    both = TEXT + SHARED_TEXT
    assert set(re.findall(r"\$\{(\w+)\}", both)) == {
        "serialize_function_arn",
        "classify_function_arn",
        "filter_function_arn",
        "batch_function_arn",
        "record_function_arn",
        "metric_namespace",
        "data_bucket",
    }
    assert "%{" not in both, "Terraform's templates would read it"
    assert "arn:aws:lambda" not in both
    assert "$LATEST" not in both


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


def test_small_runs_are_as_long_as_the_core_says() -> None:
    assert re.findall(r"images\[(\d+)\]", TEXT) == [str(INLINE_IMAGES)]


def test_a_batch_is_smaller_than_a_state_may_be() -> None:
    assert len(LARGE) == 6
    for state in LARGE.values():
        assert state["ItemBatcher"]["MaxInputBytesPerBatch"] < MAX_STATE_BYTES
        assert state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] == "EXPRESS"
        assert state["Next"] == "CloseRun"


def names_of_states(flow: dict[str, Any]) -> Iterator[str]:
    for name, state in flow["States"].items():
        yield name
        if "ItemProcessor" in state:
            yield from names_of_states(state["ItemProcessor"])


def test_no_two_states_of_the_machine_have_one_name() -> None:
    names = list(names_of_states(MACHINE))
    assert sorted(names) == sorted(set(names)), "Step Functions refuses such a definition"
