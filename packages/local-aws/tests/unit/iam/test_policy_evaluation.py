import time
from typing import Any

import pytest

from local_aws.iam.access_decisions import denial_message
from local_aws.iam.conditions import conditions_hold, matches
from local_aws.iam.policy_evaluation import Access, Denial, Policies, Principal, denial

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/one"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
CALLER = Principal(ACCOUNT, arn=SESSION, role_arn=ROLE)
READ = Access("s3:GetObject", "arn:aws:s3:::b/in/a.png", {"s3:prefix": "in/"})


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": "*", **more}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(
    *identity: dict[str, Any],
    access: Access = READ,
    resource: dict[str, Any] | None = None,
    boundary: list[dict[str, Any]] | None = None,
    session: list[dict[str, Any]] | None = None,
    key_policy: bool = False,
) -> Denial | None:
    policies = Policies(identity=[document(*identity)], boundary=boundary, session=session)
    return denial(CALLER, policies, access, resource, key_policy=key_policy)


def test_nothing_is_allowed_by_default() -> None:
    assert decide() == Denial("identity-based policy", explicit=False)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Action": ["s3:Put*", "S3:getobject"]},
        {"Action": "*"},
        {"Action": "s3:Get????ct"},
        {"Resource": ["arn:aws:s3:::c/*", "arn:aws:s3:::b/in/*"]},
        {"Resource": "arn:aws:s3:::b/${s3:prefix}*"},
        {"Resource": "arn:aws:s3:::${aws:PrincipalTag/bucket, 'b'}/*"},
    ],
)
def test_an_allowance_that_matches_allows(change: dict[str, Any]) -> None:
    assert decide(statement(**change)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"Action": "s3:Get"},
        {"Action": "s3.GetObject"},
        {"Resource": "arn:aws:s3:::b/IN/*"},
        {"Resource": "arn:aws:s3:::b"},
        {"Resource": "arn:aws:s3:::b/${aws:username}*"},
        {"Condition": {"StringEquals": {"s3:prefix": "out/"}}},
    ],
)
def test_an_allowance_that_does_not_match_allows_nothing(change: dict[str, Any]) -> None:
    assert decide(statement(**change)) == Denial("identity-based policy", explicit=False)


def test_an_explicit_denial_outdoes_every_allowance() -> None:
    assert decide(statement(), statement("Deny")) == Denial("identity-based policy", explicit=True)


def test_not_action_and_not_resource_are_about_the_rest() -> None:
    but_deletes = {"Effect": "Allow", "NotAction": "s3:Delete*", "Resource": "*"}
    elsewhere = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::b/in/*"}
    assert decide(but_deletes, elsewhere) is None
    delete = Access("s3:DeleteObject", READ.resource)
    assert decide(but_deletes, elsewhere, access=delete) is not None
    other = Access("s3:GetObject", "arn:aws:s3:::b/out/a.png")
    assert decide(but_deletes, elsewhere, access=other) == Denial(
        "identity-based policy", explicit=True
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [("boundary", "permissions boundary"), ("session", "session policy")],
)
def test_a_bound_allows_nothing_by_itself_and_takes_away(kind: str, name: str) -> None:
    def bounded(bound: dict[str, Any], *identity: dict[str, Any]) -> Denial | None:
        bounds: dict[str, Any] = {kind: [document(bound)]}
        return decide(*identity, **bounds)

    assert bounded(statement(), statement()) is None
    narrow = statement(Action="s3:PutObject")
    assert bounded(narrow, statement()) == Denial(name, explicit=False)
    assert bounded(statement("Deny"), statement()) == Denial(name, explicit=True)
    assert bounded(statement()) == Denial("identity-based policy", explicit=False)


UNKNOWN = [
    {"Condition": {"StringEqualsIfExists": {"aws:NoSuchKey": "x"}}},
    {"Condition": {"ForAllValues:StringEquals": {"s3:NoSuchKey": "x"}}},
    {"Condition": {"Null": {"s3:NoSuchKey": "true"}}},
    {"Condition": {"StringNotEquals": {"s3:prefix": "${aws:NoSuchKey}"}}},
    {"Condition": {"StringEquals": {"s3:prefix": ["in/", "${aws:NoSuchKey}"]}}},
    {"Resource": "arn:aws:s3:::b/${aws:NoSuchKey}/*"},
]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_a_key_without_a_value_here_allows_nothing_and_denies(unknown: dict[str, Any]) -> None:
    assert decide(statement(**unknown)) is not None
    found = decide(statement(), statement("Deny", **unknown))
    assert found == Denial("identity-based policy", explicit=True)


def test_what_is_excepted_by_an_unknown_variable_is_not_allowed_and_is_denied() -> None:
    excepted = {"Action": "*", "NotResource": "arn:aws:s3:::b/${aws:NoSuchKey}/*"}
    assert decide({"Effect": "Allow", **excepted}) is not None
    assert decide(statement(), {"Effect": "Deny", **excepted}) is not None


@pytest.mark.parametrize("key", ["aws:SourceVpc", "dynamodb:LeadingKeys", "example.com:sub"])
def test_a_key_that_a_request_has_not_on_aws_either_is_absent(key: str) -> None:
    """A read of S3 has neither a network's key nor one of DynamoDB's."""
    given: dict[str, Any] = {"Condition": {"StringEquals": {key: "x"}}}
    assert decide(statement(), statement("Deny", **given)) is None
    assert decide(statement(**given)) is not None


def test_an_unknown_key_decides_only_where_the_rest_is_met() -> None:
    rest = {"StringEquals": {"s3:prefix": "out/", "s3:NoSuchKey": "x"}}
    assert decide(statement(), statement("Deny", Condition=rest)) is None


@pytest.mark.parametrize("who", ["*", {"AWS": "*"}, {"AWS": ROLE}, {"AWS": [SESSION]}])
def test_a_resource_that_names_the_role_is_enough(who: str | dict[str, Any]) -> None:
    assert decide(resource=document(statement(Principal=who))) is None


@pytest.mark.parametrize(
    "who", [{"AWS": ROOT}, {"AWS": ACCOUNT}, {"Service": "s3.amazonaws.com"}, {"AWS": ROLE + "2"}]
)
def test_a_resource_that_names_another_or_the_account_is_not(who: dict[str, str]) -> None:
    assert decide(resource=document(statement(Principal=who))) is not None


def test_a_resource_denies_even_what_the_role_allows() -> None:
    denied = Denial("resource-based policy", explicit=True)
    for who in ("*", {"AWS": ROOT}, {"AWS": ROLE}):
        assert decide(statement(), resource=document(statement("Deny", Principal=who))) == denied
    all_but_it = {"Effect": "Deny", "Action": "*", "NotPrincipal": {"AWS": ROLE}}
    assert decide(statement(), resource=document(all_but_it)) is None


def test_a_denial_for_all_but_the_account_hits_the_roles_of_the_account() -> None:
    all_but_root = {"Effect": "Deny", "Action": "*", "NotPrincipal": {"AWS": ROOT}}
    assert decide(statement(), resource=document(all_but_root)) == Denial(
        "resource-based policy", explicit=True
    )
    all_but_both = {**all_but_root, "NotPrincipal": {"AWS": [ROOT, ROLE]}}
    assert decide(statement(), resource=document(all_but_both)) is None


@pytest.mark.parametrize("value", ["*", "a*", "?", "${*}"])
def test_what_a_variable_gives_is_no_wildcard(value: str) -> None:
    values = {"aws:principaltag/owner": value, "s3:prefix": value}
    held = {"s3:prefix": "home/${aws:PrincipalTag/owner}"}
    assert not conditions_hold({"StringLike": held}, values | {"s3:prefix": "home/a"})
    for operator in ("StringLike", "StringEquals"):
        assert conditions_hold({operator: held}, values | {"s3:prefix": f"home/{value}"})
    everything = {"s3:prefix": "${s3:prefix}"}
    assert conditions_hold({"StringLike": everything}, values)
    assert not conditions_hold({"ArnLike": {"a": "arn:aws:s3:::${*}"}}, {"a": "arn:aws:s3:::b"})
    assert conditions_hold({"StringEquals": {"a": "${*}${?}${$}"}}, {"a": "*?$"})


def test_only_a_session_that_is_named_itself_escapes_the_bounds() -> None:
    narrow = [document(statement(Action="s3:PutObject"))]
    named = document(statement(Principal={"AWS": SESSION}))
    assert decide(resource=named, boundary=narrow) is None
    role = document(statement(Principal={"AWS": ROLE}))
    assert decide(resource=role, boundary=narrow) == Denial("permissions boundary", explicit=False)


def test_a_key_is_used_only_as_its_policy_lets_the_account_decide() -> None:
    use = Access("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k")
    mine = statement(Action="kms:Decrypt")
    handed = document(statement(Action="kms:*", Principal={"AWS": ROOT}))
    kept = document(statement(Action="kms:*", Principal={"AWS": ROLE + "2"}))
    assert decide(mine, access=use, resource=handed, key_policy=True) is None
    assert decide(access=use, resource=handed, key_policy=True) is not None
    assert decide(mine, access=use, resource=kept, key_policy=True) == Denial(
        "resource-based policy", explicit=False
    )


VALUES = {
    "s3:prefix": "model/a",
    "aws:securetransport": "true",
    "aws:sourceip": "127.0.0.1",
    "aws:currenttime": "2026-11-20T12:00:00+00:00",
    "aws:sourcearn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f",
    "s3:max-keys": "10",
    "aws:tagkeys": ["team", "cost"],
}


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "met"),
    [
        ("StringEquals", "S3:Prefix", "model/a", True),
        ("StringEquals", "s3:prefix", ["x", "model/b"], False),
        ("StringEqualsIgnoreCase", "s3:prefix", "MODEL/A", True),
        ("StringNotEquals", "s3:prefix", "model/a", False),
        ("StringNotEquals", "aws:SourceVpc", "model/a", True),
        ("StringLike", "s3:prefix", "model/*", True),
        ("StringLike", "aws:SourceVpc", "*", False),
        ("StringLikeIfExists", "aws:SourceVpc", "x", True),
        ("StringNotLike", "s3:prefix", "model/*", False),
        ("Bool", "aws:SecureTransport", "false", False),
        ("Bool", "aws:SecureTransport", True, True),
        ("Null", "aws:SourceVpc", "true", True),
        ("Null", "s3:prefix", True, False),
        ("ArnLike", "aws:SourceArn", f"arn:aws:lambda:*:{ACCOUNT}:function:*", True),
        ("ArnEquals", "aws:SourceArn", f"arn:aws:states:*:{ACCOUNT}:*", False),
        ("ArnNotLike", "aws:SourceArn", "arn:aws:lambda:*:*:*", False),
        ("NumericLessThanEquals", "s3:max-keys", 10, True),
        ("NumericGreaterThan", "s3:max-keys", "10", False),
        ("NumericEquals", "s3:prefix", "10", False),
        ("DateLessThan", "aws:CurrentTime", "2026-11-21T00:00:00Z", True),
        ("DateGreaterThan", "aws:CurrentTime", "2026-11-21T00:00:00Z", False),
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", True),
        ("NotIpAddress", "aws:SourceIp", "127.0.0.0/8", False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["cost", "x"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["cost"], False),
        ("ForAllValues:StringEquals", "aws:SourceVpc", ["cost"], True),
        ("StringSounds", "s3:prefix", "model/a", False),
    ],
)
def test_conditions(operator: str, key: str, wanted: Any, met: bool) -> None:
    assert conditions_hold({operator: {key: wanted}}, VALUES) is met


def test_every_condition_must_hold() -> None:
    block = {"StringLike": {"s3:prefix": "model/*"}, "Bool": {"aws:SecureTransport": "false"}}
    assert not conditions_hold(block, VALUES)


def test_only_star_and_question_mark_are_wildcards() -> None:
    assert matches("a[b]*", "a[b]c\nd")
    assert not matches("a[b]*", "abc")


@pytest.mark.parametrize(
    ("access", "found", "message"),
    [
        (
            Access("lambda:InvokeFunction", "arn:f"),
            Denial("identity-based policy", explicit=False),
            f"User: {SESSION} is not authorized to perform: lambda:InvokeFunction on resource: "
            "arn:f because no identity-based policy allows the lambda:InvokeFunction action",
        ),
        (
            Access("s3:GetObject", "arn:o"),
            Denial("resource-based policy", explicit=True),
            f"User: {SESSION} is not authorized to perform: s3:GetObject on resource: "
            '"arn:o" with an explicit deny in a resource-based policy',
        ),
        (
            Access("kms:Decrypt", "arn:k"),
            Denial("permissions boundary", explicit=False),
            f"User: {SESSION} is not authorized to perform: kms:Decrypt on resource: "
            "arn:k because no permissions boundary allows the kms:Decrypt action",
        ),
        (
            Access("sns:Publish", "arn:t"),
            Denial("identity-based policy", explicit=True),
            f"User: {SESSION} is not authorized to perform: SNS:Publish on resource: "
            "arn:t with an explicit deny in an identity-based policy",
        ),
        (
            Access("sts:AssumeRole", ROLE),
            Denial("trust policy", explicit=False),
            f"User: {SESSION} is not authorized to perform: sts:AssumeRole on resource: {ROLE}",
        ),
    ],
)
def test_denials_are_worded_as_aws_words_them(access: Access, found: Denial, message: str) -> None:
    assert denial_message(SESSION, access, found) == message


def test_of_several_values_any_needs_one_and_all_none() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html"""
    asked = {"aws:TagKeys": ["a", "b"]}
    for operator in ("StringEquals", "StringNotEquals", "StringLike"):
        assert not conditions_hold({f"ForAnyValue:{operator}": asked}, {})
        assert conditions_hold({f"ForAnyValue:{operator}IfExists": asked}, {})
        assert conditions_hold({f"ForAllValues:{operator}": asked}, {})
    assert conditions_hold({"ForAnyValue:StringNotEquals": asked}, {"aws:tagkeys": ["a", "c"]})
    assert not conditions_hold({"ForAnyValue:StringNotEquals": asked}, {"aws:tagkeys": ["a"]})
    assert not conditions_hold({"ForAllValues:StringEquals": asked}, {"aws:tagkeys": ["a", "c"]})


def test_a_pattern_of_many_wildcards_takes_no_time() -> None:
    began = time.monotonic()
    assert not matches("*a" * 20 + "b", "a" * 1_000)
    assert matches("*a" * 20 + "*", "a" * 20)
    assert time.monotonic() - began < 5
