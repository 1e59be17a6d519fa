"""Callers of the embedded AWS that act with a role, and what they are refused."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import ACCOUNT, Aws, new_client, policy

IAM_ARN = f"arn:aws:iam::{ACCOUNT}"


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """Return a statement that allows it."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class Caller:
    """A role with its policy, and clients of a session of it."""

    def __init__(
        self,
        aws: Aws,
        *statements: dict[str, Any],
        principal: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        self._aws = aws
        self.name = f"r-{uuid.uuid4().hex[:8]}"
        who = principal or {"AWS": f"{IAM_ARN}:root"}
        trust = {"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}
        iam = aws.client("iam")
        made = iam.create_role(
            RoleName=self.name,
            AssumeRolePolicyDocument=policy(trust | more.pop("trust", {})),
            **more,
        )
        self.arn = made["Role"]["Arn"]
        if statements:
            iam.put_role_policy(
                RoleName=self.name, PolicyName="own", PolicyDocument=policy(*statements)
            )

    def client(self, service: str, **more: Any) -> Any:
        """Return a client of a new session; `more` goes to AssumeRole."""
        sts = self._aws.client("sts")
        found = sts.assume_role(RoleArn=self.arn, RoleSessionName="one", **more)["Credentials"]
        return new_client(
            self._aws.local.endpoint_url,
            service,
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=found["SecretAccessKey"],
            aws_session_token=found["SessionToken"],
        )


def refusal(call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Return the answer of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return dict(caught.value.response)


def denied(call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Return the error of a call that must be denied."""
    response = refusal(call, **arguments)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403, response
    return dict(response["Error"])
