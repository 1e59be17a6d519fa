import json
from typing import Any

import pytest

from local_aws.iam.policy_documents import policy_problem
from local_aws.iam.policy_evaluation import Access, Principal, Verdict, verdict

STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}


def problem(**more: Any) -> str:
    return policy_problem(json.dumps({"Statement": [{**STATEMENT, **more}]}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("5", "not an object"),
        ("[]", "not an object"),
        ("null", "not an object"),
        ("{}", "no Statement"),
        ('{"Version": "2026-01-01", "Statement": []}', "Version"),
        ('{"Statement": 5}', "a statement is not an object"),
        ('{"Statement": [5]}', "a statement is not an object"),
    ],
)
def test_a_text_that_is_no_policy_is_named(text: str, says: str) -> None:
    assert says in policy_problem(text)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"Effect": "deny"}, "neither Allow nor Deny"),
        ({"Effect": None}, "neither Allow nor Deny"),
        ({"Action": 5}, "Action is not of the form"),
        ({"Action": [["sqs:*"]]}, "Action is not of the form"),
        ({"NotAction": "sqs:*"}, "not one of Action and NotAction"),
        ({"Resource": {}}, "Resource is not of the form"),
        ({"Principal": 5}, "Principal is not of the form"),
        ({"Principal": {"AWS": 5}}, "Principal is not of the form"),
        ({"Principal": {"Robot": "r"}}, "Principal is not of the form"),
        ({"Condition": 5}, "Condition is not an object"),
        ({"Condition": {"StringEquals": 5}}, "keys of StringEquals"),
        ({"Condition": {"StringEquals": {"a": {}}}}, "a value of StringEquals"),
        ({"Condition": {"Foo": {"a": "b"}}}, "Foo is no operator"),
        ({"Condition": {"Every:StringEquals": {"a": "b"}}}, "is no operator"),
    ],
)
def test_what_is_wrong_with_a_statement_is_named(more: dict[str, Any], says: str) -> None:
    assert says in problem(**more)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Principal": {"AWS": ["a", "b"], "Service": "s3.amazonaws.com"}},
        {"Condition": {"ForAllValues:StringNotLikeIfExists": {"aws:TagKeys": ["a", "b"]}}},
        {"Condition": {"Null": {"a": True}, "NumericLessThan": {"b": 5}}},
    ],
)
def test_a_right_policy_has_no_problem(more: dict[str, Any]) -> None:
    assert problem(**more) == ""
    assert policy_problem(json.dumps({"Version": "2012-10-17", "Statement": STATEMENT})) == ""


@pytest.mark.parametrize("effect", ["deny", "ALLOW", None, 5])
def test_a_statement_with_another_effect_allows_nothing(effect: Any) -> None:
    access, anyone = Access("sqs:SendMessage", "q"), Principal("123456789012", arn="a")
    statement = {**STATEMENT, "Effect": effect}
    assert verdict([{"Statement": [statement]}], access, anyone) is Verdict.DENY


@pytest.mark.parametrize(
    "more", [{"Condition": {"Null": {"a": []}}}, {"Resource": [None]}, {"NotAction": "*"}]
)
def test_a_statement_that_was_kept_before_it_was_checked_allows_nothing(
    more: dict[str, Any],
) -> None:
    document = {"Statement": [{**STATEMENT, **more}]}
    asked = Access("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")
    assert verdict([document], asked, Principal("123456789012")) is Verdict.SILENT
