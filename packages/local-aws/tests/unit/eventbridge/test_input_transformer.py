import json
from typing import Any

import pytest

from local_aws.eventbridge.delivery import DeliveryFailed
from local_aws.eventbridge.input_transformer import at_path, is_missing, target_input

EVENT = {
    "time": "2026-11-21T00:00:00Z",
    "detail-type": "t",
    "resources": ["arn:a", "arn:b"],
    "detail": {"name": 'a "b"', "n": 2, "list": [1, 2], "deep": {"x y": 1}},
}
RULE = "arn:aws:events:us-east-1:123456789012:rule/bus/r"


def shaped(template: str, **paths: str) -> str:
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    return target_input({"InputTransformer": transformer}, EVENT, RULE)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT),
        ("$.detail-type", "t"),
        ("$.resources[1]", "arn:b"),
        ("$.detail['deep']['x y']", 1),
    ],
)
def test_a_path_leads_to_its_value(path: str, expected: Any) -> None:
    assert at_path(EVENT, path) == expected


@pytest.mark.parametrize("path", ["$.none", "$.resources[9]", "$.detail.n.m"])
def test_a_path_may_lead_nowhere(path: str) -> None:
    assert is_missing(at_path(EVENT, path))


def test_values_are_quoted_where_the_template_is_not() -> None:
    text = shaped(
        '{"a": <name>, "b": "<name>", "c": <list>}', name="$.detail.name", list="$.detail.list"
    )
    assert json.loads(text) == {"a": 'a "b"', "b": 'a "b"', "c": [1, 2]}


def test_what_is_reserved_needs_no_path() -> None:
    text = shaped('{"rule": <aws.events.rule-name>, "event": <aws.events.event>}')
    assert json.loads(text) == {
        "rule": "r",
        "event": {"time": EVENT["time"], "detailType": "t", "resources": EVENT["resources"]},
    }


def test_lists_and_objects_within_quotes_lose_their_own_quotes() -> None:
    """Recorded on AWS."""
    paths = {"list": "$.resources", "deep": "$.detail.deep", "numbers": "$.detail.list"}
    assert shaped('"<list> of <deep>, <numbers>"', **paths) == '"[arn:a,arn:b] of {x y:1}, [1,2]"'


def test_a_variable_that_is_not_in_the_event_leaves_nothing() -> None:
    assert json.loads(shaped('{"a": "<x>!"}', x="$.detail.none")) == {"a": "!"}
    with pytest.raises(DeliveryFailed, match="gives no JSON"):
        shaped('{"a": <x>}', x="$.detail.none")


def test_several_quoted_lines_are_a_template() -> None:
    assert shaped('"one <n>"\n"two"', n="$.detail.n") == '"one 2"\n"two"'


def test_an_input_path_that_leads_nowhere_gives_an_empty_object() -> None:
    assert target_input({"InputPath": "$.detail.none"}, EVENT, RULE) == "{}"
