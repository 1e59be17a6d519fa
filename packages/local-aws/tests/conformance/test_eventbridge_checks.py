"""Targets, events and schedules that EventBridge refuses, against its API pages."""

import datetime
from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_code


def template(paths: dict[str, str], text: str) -> dict[str, Any]:
    return {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": text}}


@pytest.mark.parametrize(
    "given",
    [
        {"Input": "{no"},
        {"Input": "{}", "InputPath": "$.detail"},
        {"InputPath": "detail"},
        template({"a": "$.id"}, '"<b>"'),
        template({"a": "id"}, '"<a>"'),
        template({"aws.id": "$.id"}, '"<aws.id>"'),
        template({f"p{number}": "$.id" for number in range(101)}, '"text"'),
    ],
)
def test_a_target_with_a_wrong_input_is_refused(aws: Aws, given: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html"""
    events, rule = aws.client("events"), unique("r")
    events.put_rule(Name=rule, EventPattern='{"source": ["own"]}')
    target = {"Id": "1", "Arn": aws.queue()[1]}
    right = template({"a": "$.id"}, '{"id": <a>, "rule": <aws.events.rule-name>}')
    assert error_code(events.put_targets, Rule=rule, Targets=[{**target, **right}]) is None
    wrong = {**target, **given}
    assert error_code(events.put_targets, Rule=rule, Targets=[wrong]) == "ValidationException"


def test_an_event_in_the_name_of_aws_fails_its_entry(aws: Aws) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html"""
    entry = {"Source": "aws.s3", "DetailType": "Object Created", "Detail": "{}"}
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def schedule(aws: Aws, **more: Any) -> tuple[dict[str, Any], str | None]:
    target = {"Arn": aws.queue()[1], "RoleArn": aws.role, **more.pop("Target", {})}
    settings = {
        "Name": unique("s"),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ScheduleExpression": "rate(1 hour)",
        **more,
        "Target": target,
    }
    return settings, error_code(aws.client("scheduler").create_schedule, **settings)


@pytest.mark.parametrize(
    "given",
    [
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}},
        {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
        {
            "StartDate": datetime.datetime(2090, 1, 2, tzinfo=datetime.UTC),
            "EndDate": datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC),
        },
        {"Target": {"RetryPolicy": {"MaximumRetryAttempts": 186}}},
        {"Target": {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "Input": "{no"}},
    ],
)
def test_a_schedule_with_a_wrong_value_is_refused(aws: Aws, given: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html"""
    assert schedule(aws, **given)[1] == "ValidationException"


def test_a_group_is_made_once_and_the_default_one_stays(aws: Aws) -> None:
    """https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateScheduleGroup.html"""
    scheduler, group = aws.client("scheduler"), unique("g")
    scheduler.create_schedule_group(Name=group)
    settings, failed = schedule(aws, GroupName=group)
    assert failed is None
    assert error_code(scheduler.create_schedule_group, Name=group) == "ConflictException"
    kept = scheduler.get_schedule(Name=settings["Name"], GroupName=group)
    assert kept["ActionAfterCompletion"] == "NONE"
    assert error_code(scheduler.delete_schedule_group, Name="default") == "ValidationException"
    assert error_code(scheduler.delete_schedule_group, Name="absent") == "ResourceNotFoundException"
    assert schedule(aws)[1] is None
