"""What EventBridge's operations answer and refuse, as recorded on AWS accounts."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.testing.aws import ACCOUNT, REGION, Aws, unique
from local_aws.testing.callers import refusal

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:any"


@pytest.fixture(scope="module")
def events(aws: Aws) -> Any:
    return aws.client("events")


@pytest.fixture
def bus(events: Any) -> str:
    name = unique("bus")
    events.create_event_bus(Name=name, Description="of a test")
    return name


def error(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    found = refusal(call, **arguments)["Error"]
    return found["Code"], found["Message"]


def entry(**more: str) -> dict[str, str]:
    return {"Source": "s", "DetailType": "t", "Detail": "{}", **more}


@pytest.mark.parametrize("pattern", ['{"n": 42}', '{"a": [{"EXISTS": true}]}', "[]", "{"])
def test_a_pattern_that_is_none_is_refused_wherever_it_is_given(events: Any, pattern: str) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html"""
    event = json.dumps({"n": 1})
    for call, more in (
        (events.put_rule, {"Name": unique("r")}),
        (events.test_event_pattern, {"Event": event}),
    ):
        code, message = error(call, EventPattern=pattern, **more)
        assert code == "InvalidEventPatternException"
        assert message.startswith("Event pattern is not valid. Reason: ")


@pytest.mark.parametrize("event", ['"text"', "[1]", "{no"])
def test_an_event_that_is_no_object_is_refused(events: Any, event: str) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html"""
    found = error(events.test_event_pattern, EventPattern='{"a": [1]}', Event=event)
    assert found == ("ValidationException", "Parameter Event is not valid.")


@pytest.mark.parametrize("detail", ['"text"', "[1]", "{no", "1", "null"])
def test_a_detail_that_is_no_object_fails_its_entry_only(events: Any, detail: str) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html"""
    answer = events.put_events(Entries=[entry(Detail=detail), entry()])
    assert answer["FailedEntryCount"] == 1
    failed, sent = answer["Entries"]
    assert failed == {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    assert sent["EventId"]


def test_a_bus_that_is_not_there_fails_no_call(events: Any) -> None:
    answer = events.put_events(Entries=[entry(EventBusName="none"), entry()])
    assert answer["FailedEntryCount"] == 0
    assert all(one["EventId"] for one in answer["Entries"])


def test_too_many_entries_and_too_large_ones_are_refused(events: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"""
    assert error(events.put_events, Entries=[entry()] * 11)[0] == "ValidationException"
    large = json.dumps({"a": "x" * 262_144})
    assert error(events.put_events, Entries=[entry(Detail=large)])[0] == "ValidationException"
    halves = [entry(Detail=json.dumps({"a": "x" * 131_073}))] * 2
    assert error(events.put_events, Entries=halves)[0] == "ValidationException"


def test_a_rule_has_five_targets_with_valid_ids_and_lists_them_in_pages(
    events: Any, bus: str
) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html"""
    rule = {"Rule": unique("r"), "EventBusName": bus}
    pattern = '{"source": ["s"]}'
    events.put_rule(Name=rule["Rule"], EventBusName=bus, EventPattern=pattern)

    def targets(*ids: str) -> dict[str, Any]:
        return {**rule, "Targets": [{"Id": one, "Arn": QUEUE} for one in ids]}

    for wrong in ("a b", "!", "x" * 65):
        code, message = error(events.put_targets, **targets("a", wrong))
        assert code == "ValidationException"
        assert f"Value '{wrong}' at 'targets.2.member.id' failed" in message
    events.put_targets(**targets("1", "2", "3", "4", "5"))
    events.put_targets(**targets("5", "4"))
    assert error(events.put_targets, **targets("6"))[0] == "LimitExceededException"
    ids: list[str] = []
    page: dict[str, str | None] = {}
    for size in (2, 2, 1):
        answer = events.list_targets_by_rule(**rule, Limit=2, **page)
        assert len(answer["Targets"]) == size
        ids += [target["Id"] for target in answer["Targets"]]
        page = {"NextToken": answer.get("NextToken")}
    assert ids == ["1", "2", "3", "4", "5"]
    assert page == {"NextToken": None}


def test_buses_are_listed_with_their_times_by_prefix_and_in_pages(events: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListEventBuses.html"""
    start = unique("listed")
    for number in range(3):
        events.create_event_bus(Name=f"{start}-{number}", Description=str(number))
    first = events.list_event_buses(NamePrefix=start, Limit=2)
    second = events.list_event_buses(NamePrefix=start, Limit=2, NextToken=first["NextToken"])
    assert "NextToken" not in second
    found = first["EventBuses"] + second["EventBuses"]
    assert [one["Description"] for one in found] == ["0", "1", "2"]
    for one in found:
        described = events.describe_event_bus(Name=one["Name"])
        for name in ("CreationTime", "LastModifiedTime", "Description", "Arn"):
            assert one[name] == described[name]


def statements(events: Any, bus: str) -> dict[str, Any]:
    found = json.loads(events.describe_event_bus(Name=bus)["Policy"])["Statement"]
    return {statement["Sid"]: statement for statement in found}


def test_permissions_are_added_and_removed_one_by_one(events: Any, bus: str) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html"""
    none = error(events.remove_permission, EventBusName=bus, StatementId="a")
    assert none == ("ResourceNotFoundException", "EventBus does not have a policy.")
    for sid, principal in (("a", "111111111111"), ("b", "111111111111"), ("c", "*")):
        events.put_permission(
            EventBusName=bus, Action="events:PutEvents", Principal=principal, StatementId=sid
        )
    found = statements(events, bus)
    root = {"AWS": "arn:aws:iam::111111111111:root"}
    assert [found[sid]["Principal"] for sid in "abc"] == [root, root, "*"]
    assert found["a"]["Resource"] == events.describe_event_bus(Name=bus)["Arn"]
    events.remove_permission(EventBusName=bus, StatementId="a")
    assert list(statements(events, bus)) == ["b", "c"]
    unknown = error(events.remove_permission, EventBusName=bus, StatementId="a")
    assert unknown == (
        "ResourceNotFoundException",
        "Statement with the provided id does not exist.",
    )
    whole = {"Sid": "w", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents"}
    whole["Resource"] = found["a"]["Resource"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": whole})
    events.put_permission(EventBusName=bus, Policy=policy)
    assert statements(events, bus) == {"w": whole}


def test_what_is_not_there_is_named_with_its_bus(events: Any, bus: str) -> None:
    missing = "Event bus none does not exist."
    assert error(events.describe_event_bus, Name="none")[1] == missing
    pattern = '{"source": ["s"]}'
    asked = {"Name": "r", "EventBusName": "none", "EventPattern": pattern}
    assert error(events.put_rule, **asked)[1] == missing
    sentence = f"Rule none does not exist on EventBus {bus}."
    for call, named in (
        (events.describe_rule, {"Name": "none"}),
        (events.enable_rule, {"Name": "none"}),
        (events.disable_rule, {"Name": "none"}),
        (events.list_targets_by_rule, {"Rule": "none"}),
        (events.put_targets, {"Rule": "none", "Targets": [{"Id": "1", "Arn": QUEUE}]}),
        (events.remove_targets, {"Rule": "none", "Ids": ["1"]}),
    ):
        found = error(call, **named, EventBusName=bus)
        assert found == ("ResourceNotFoundException", sentence)
