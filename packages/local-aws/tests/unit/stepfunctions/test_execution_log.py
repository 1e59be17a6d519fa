import json
import types
from typing import Any

import pytest

from local_aws.stepfunctions.execution_log import MAX_DATA_BYTES, is_logged, log_message, log_of


@pytest.mark.parametrize(
    ("level", "kind", "logged"),
    [
        ("ALL", "PassStateEntered", True),
        ("ERROR", "TaskFailed", True),
        ("ERROR", "MapIterationAborted", True),
        ("ERROR", "FailStateEntered", True),
        ("ERROR", "TaskSucceeded", False),
        ("ERROR", "ExecutionStarted", False),
        ("FATAL", "TaskFailed", False),
        ("FATAL", "ExecutionTimedOut", True),
        ("OFF", "ExecutionFailed", False),
    ],
)
def test_a_level_has_its_events(level: str, kind: str, logged: bool) -> None:
    assert is_logged(level, kind) is logged


EVENT = {
    "id": 2,
    "previousEventId": 1,
    "type": "PassStateEntered",
    "stateEnteredEventDetails": {"name": "P", "input": "{}", "inputDetails": {"truncated": False}},
}


def test_data_is_left_out_unless_it_is_asked_for() -> None:
    entry = json.loads(log_message(EVENT, "PassStateEntered", 5, "arn", False))
    assert entry["details"] == {"name": "P"}
    assert (entry["id"], entry["previous_event_id"], entry["event_timestamp"]) == ("2", "1", "5")
    entry = json.loads(log_message(EVENT, "PassStateEntered", 5, "arn", True))
    assert entry["details"]["input"] == "{}"


def test_data_that_is_too_large_is_truncated() -> None:
    large = {"name": "P", "input": "x" * (MAX_DATA_BYTES + 1)}
    event = {**EVENT, "stateEnteredEventDetails": large}
    entry = json.loads(log_message(event, "PassStateEntered", 5, "arn", True))
    assert entry["details"] == {"name": "P", "inputDetails": {"truncated": True}}


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"level": "OFF"},
        {"level": "ALL", "destinations": []},
        {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "x"}}]},
    ],
)
def test_without_a_level_and_a_group_there_is_no_log(configuration: dict[str, Any]) -> None:
    machine = types.SimpleNamespace(arn="arn:m", loggingConfiguration=configuration)
    assert log_of(machine, "a:a:a:a:a:a:m:e", "us-east-1") is None
