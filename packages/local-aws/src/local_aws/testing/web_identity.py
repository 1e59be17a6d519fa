"""Roles taken with a token of an OIDC provider, as GitHub's jobs do."""

import base64
import json
import time
import uuid
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

AUDIENCE = "sts.amazonaws.com"


def web_token(issuer: str, subject: str, audience: str = AUDIENCE, **more: Any) -> str:
    """Return a JSON Web Token that nobody signed, valid for five minutes from now."""
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + 300, "jti": uuid.uuid4().hex}
    claims = {"iss": f"https://{issuer}", "aud": audience, "sub": subject, **times, **more}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({}, claims, {}))
    return ".".join(part.decode().rstrip("=") for part in parts)


def take_role(endpoint_url: str, role_arn: str, token: str) -> dict[str, str]:
    """Return the role's credentials, as a session's arguments."""
    sts = boto3.client(
        "sts",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    taken: Any = sts.assume_role_with_web_identity(
        RoleArn=role_arn, RoleSessionName="job", WebIdentityToken=token
    )["Credentials"]
    return {
        "aws_access_key_id": taken["AccessKeyId"],
        "aws_secret_access_key": taken["SecretAccessKey"],
        "aws_session_token": taken["SessionToken"],
    }
