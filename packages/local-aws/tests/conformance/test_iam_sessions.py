from typing import Any

import pytest

from local_aws.testing.aws import Aws
from local_aws.testing.callers import Caller, allow, denied, refusal

ALL = {"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}


def assume(aws: Aws, role: Caller, **more: Any) -> dict[str, str]:
    given = {"RoleArn": role.arn, "RoleSessionName": "one", **more}
    error: dict[str, str] = refusal(aws.client("sts").assume_role, **given)["Error"]
    return error


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"RoleSessionName": "a/b"}, "ValidationError", "regular expression pattern"),
        ({"RoleSessionName": "a\nb"}, "ValidationError", "regular expression pattern"),
        ({"DurationSeconds": 43_201}, "ValidationError", "less than or equal to 43200"),
        ({"DurationSeconds": 3_601}, "ValidationError", "MaxSessionDuration set for this role"),
        ({"Policy": "{"}, "MalformedPolicyDocument", "Syntax errors"),
        ({"Policy": '{"Statement": "x"}'}, "MalformedPolicyDocument", "Syntax errors"),
    ],
)
def test_a_session_that_sts_refuses(aws: Aws, given: dict[str, Any], code: str, words: str) -> None:
    """docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
    found = assume(aws, Caller(aws), **given)
    assert found["Code"] == code
    assert words in found["Message"]


def test_a_session_of_a_session_lasts_an_hour_at_most(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining"""
    long = Caller(aws, MaxSessionDuration=7_200)
    asked = {"RoleArn": long.arn, "RoleSessionName": "one", "DurationSeconds": 7_200}
    aws.client("sts").assume_role(**asked)
    chained = Caller(aws, allow("sts:AssumeRole")).client("sts")
    assert "role chaining" in refusal(chained.assume_role, **asked)["Error"]["Message"]


def test_tags_of_a_session_need_the_roles_trust_and_count_in_policies(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html"""
    tags = [{"Key": "team", "Value": "a"}]
    assert "sts:TagSession" in assume(aws, Caller(aws), Tags=tags)["Message"]
    ours = {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}
    role = Caller(aws, allow("s3:*", **ours), trust=ALL)
    assert role.client("s3", Tags=tags).list_buckets()
    denied(role.client("s3").list_buckets)
    asked = {"Condition": {"StringEquals": {"aws:RequestTag/team": "a"}}}
    only = Caller(aws, allow("s3:*"), trust=ALL | asked)
    assert assume(aws, only, Tags=[{"Key": "team", "Value": "b"}])["Code"] == "AccessDenied"
    assert only.client("sts", Tags=tags).get_caller_identity()


def test_a_source_identity_needs_the_roles_trust_and_counts_in_policies(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html"""
    found = assume(aws, Caller(aws), SourceIdentity="mary")
    assert "sts:SetSourceIdentity" in found["Message"]
    mary = {"Condition": {"StringEquals": {"aws:SourceIdentity": "mary"}}}
    role = Caller(aws, allow("s3:*", **mary), trust=ALL)
    assert role.client("s3", SourceIdentity="mary").list_buckets()
    denied(role.client("s3", SourceIdentity="john").list_buckets)
