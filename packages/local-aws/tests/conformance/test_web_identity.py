"""Roles that are taken with a token of an OIDC provider, as GitHub's jobs do.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import ACCOUNT, Aws, new_client, policy
from local_aws.testing.web_identity import AUDIENCE, take_role, web_token

ISSUER = "tokens.example.com"
SUBJECT = "repo:owner/name:environment:dev"


def token(
    issuer: str = ISSUER, subject: str = SUBJECT, audience: str = AUDIENCE, **more: Any
) -> str:
    return web_token(issuer, subject, audience, **more)


@pytest.fixture(scope="module")
def provider(aws: Aws) -> str:
    made = aws.client("iam").create_open_id_connect_provider(
        Url=f"https://{ISSUER}", ClientIDList=[AUDIENCE], ThumbprintList=["0" * 40]
    )
    arn: str = made["OpenIDConnectProviderArn"]
    return arn


@pytest.fixture
def role(aws: Aws, provider: str) -> str:
    """A role under a path, which may read the roles outside of it alone."""
    name, iam = f"web-{uuid.uuid4().hex[:8]}", aws.client("iam")
    says = {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": SUBJECT}
    trust = {"Effect": "Allow", "Principal": {"Federated": provider}}
    trust |= {"Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": says}}
    iam.create_role(RoleName=name, Path="/ci/", AssumeRolePolicyDocument=policy(trust))
    outside = f"arn:aws:iam::{ACCOUNT}:role/web-*"
    reads = {"Effect": "Allow", "Action": ["iam:GetRole", "iam:CreateRole"], "Resource": outside}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(reads))
    return name


def take(aws: Aws, role: str, bearing: str) -> dict[str, str]:
    return take_role(aws.local.endpoint_url, f"arn:aws:iam::{ACCOUNT}:role/ci/{role}", bearing)


REFUSED: dict[str, tuple[str | dict[str, Any], str]] = {
    "another subject": ({"subject": "repo:owner/name:environment:prod"}, "AccessDenied"),
    "another audience": ({"audience": "elsewhere"}, "InvalidIdentityToken"),
    "an unknown issuer": ({"issuer": "other.example.com"}, "InvalidIdentityToken"),
    "expired": ({"exp": 1_700_000_000}, "ExpiredTokenException"),
    "not valid yet": ({"nbf": 4_000_000_000, "exp": 4_000_000_300}, "InvalidIdentityToken"),
    "no end": ({"exp": None}, "InvalidIdentityToken"),
    "no token": ("abcd", "InvalidIdentityToken"),
    "no claims": ("a.W10.c", "InvalidIdentityToken"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_role_is_taken_with_no_token_but_the_one_that_it_trusts(
    aws: Aws, role: str, case: str
) -> None:
    given, code = REFUSED[case]
    bearing = given if isinstance(given, str) else token(**given)
    with pytest.raises(ClientError) as caught:
        take(aws, role, bearing)
    assert caught.value.response["Error"]["Code"] == code


def test_a_token_ends_by_the_clock(aws: Aws, role: str) -> None:
    bearing = token()
    assert take(aws, role, bearing)
    aws.advance(301)
    with pytest.raises(ClientError) as caught:
        take(aws, role, bearing)
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"


def test_a_role_that_is_taken_with_a_token_has_its_own_rights_and_a_path_that_counts(
    aws: Aws, role: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"""
    iam = new_client(aws.local.endpoint_url, "iam", **take(aws, role, token()))
    other, nobody = f"web-{uuid.uuid4().hex[:8]}", policy()
    iam.create_role(RoleName=other, AssumeRolePolicyDocument=nobody)
    assert iam.get_role(RoleName=other)["Role"]["RoleName"] == other
    with pytest.raises(ClientError, match=f"role/ci/{role} because"):
        iam.get_role(RoleName=role)
    with pytest.raises(ClientError, match=f"role/ci/{other}2 because"):
        iam.create_role(RoleName=f"{other}2", Path="/ci/", AssumeRolePolicyDocument=nobody)
