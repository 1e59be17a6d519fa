"""Sizes and numbers of policies that IAM refuses, in its own words."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws

TRUST_STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
TRUST = {"Version": "2012-10-17", "Statement": [TRUST_STATEMENT]}


def document(characters: int, *, spaces: int = 0) -> str:
    """Return a policy of so many characters, and so many blanks that do not count."""
    body = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::"}],
    }
    text = json.dumps(body, separators=(",", ":"))
    text = text.replace("arn:aws:s3:::", "arn:aws:s3:::" + "b" * (characters - len(text)))
    assert len(text) == characters
    return text.replace(",", "," + " " * spaces, 1)


def refusal(call: Callable[..., Any], **given: str) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    response = caught.value.response
    assert response["Error"]["Code"] == "LimitExceeded"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 409
    return response["Error"]["Message"]


@pytest.fixture
def iam(aws: Aws) -> Any:
    return aws.client("iam")


@pytest.fixture
def name() -> str:
    return f"quota-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def role(iam: Any, name: str) -> str:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    return name


def test_a_managed_policy_and_its_versions_have_6144_characters(iam: Any, name: str) -> None:
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document(6_144, spaces=50))["Policy"][
        "Arn"
    ]
    said = refusal(iam.create_policy, PolicyName=f"{name}-2", PolicyDocument=document(6_145))
    assert said == "Cannot exceed quota for PolicySize: 6144"
    new = {"PolicyArn": arn, "PolicyDocument": document(6_145)}
    assert refusal(iam.create_policy_version, **new) == said


def test_the_policies_within_a_role_have_10240_characters_together(iam: Any, role: str) -> None:
    iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=document(10_000))
    more = {"RoleName": role, "PolicyName": "b", "PolicyDocument": document(241)}
    assert refusal(iam.put_role_policy, **more) == (
        f"Maximum policy size of 10240 bytes exceeded for role {role}"
    )
    # The same name replaces it.
    iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=document(9_000))
    iam.put_role_policy(**more)


def test_those_within_a_user_have_2048_and_within_a_group_5120(iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    iam.create_group(GroupName=name)
    iam.put_user_policy(UserName=name, PolicyName="a", PolicyDocument=document(2_048))
    iam.put_group_policy(GroupName=name, PolicyName="a", PolicyDocument=document(5_120))
    user = {"UserName": name, "PolicyName": "a", "PolicyDocument": document(2_049)}
    group = {"GroupName": name, "PolicyName": "b", "PolicyDocument": document(200)}
    assert "2048 bytes exceeded for user" in refusal(iam.put_user_policy, **user)
    assert "5120 bytes exceeded for group" in refusal(iam.put_group_policy, **group)


def test_a_trust_policy_has_2048_characters(iam: Any, role: str) -> None:
    actions = [f"sts:Tag{number:04}" for number in range(200)]
    long = json.dumps({**TRUST, "Statement": [{**TRUST_STATEMENT, "Action": actions}]})
    said = "Cannot exceed quota for ACLSizePerRole: 2048"
    new = {"RoleName": f"{role}-2", "AssumeRolePolicyDocument": long}
    assert refusal(iam.create_role, **new) == said
    assert refusal(iam.update_assume_role_policy, RoleName=role, PolicyDocument=long) == said


@pytest.mark.parametrize("kind", ["Role", "User", "Group"])
def test_ten_managed_policies_are_attached_and_one_of_them_again(
    iam: Any, name: str, kind: str
) -> None:
    owner = {f"{kind}Name": name}
    trust = {"AssumeRolePolicyDocument": json.dumps(TRUST)} if kind == "Role" else {}
    getattr(iam, f"create_{kind.lower()}")(**owner, **trust)
    attach = getattr(iam, f"attach_{kind.lower()}_policy")
    arns = [
        iam.create_policy(PolicyName=f"{name}-{n}", PolicyDocument=document(200))["Policy"]["Arn"]
        for n in range(11)
    ]
    for arn in arns[:10]:
        attach(**owner, PolicyArn=arn)
    said = f"Cannot exceed quota for PoliciesPer{kind}: 10"
    assert refusal(attach, **owner, PolicyArn=arns[10]) == said
    attach(**owner, PolicyArn=arns[0])
