"""Tokens of an OIDC provider, with which somebody outside the account takes a role.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

import base64
import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.iam.models import iam_backends

from local_aws.core.clock import CLOCK
from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.access_decisions import AccessDenied
from local_aws.iam.policy_evaluation import Access, Principal, Verdict, verdict
from local_aws.iam.roles import role_of, trust_of

ACTION = "sts:AssumeRoleWithWebIdentity"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
_CLAIMS = ("amr", "aud", "azp", "email", "oaud", "sub")


class TokenRefused(Exception):
    """A token that is none, whose time is over, or from a provider that the account lacks."""

    def __init__(self, sentence: str, code: str = "InvalidIdentityToken") -> None:
        super().__init__(sentence)
        self.code = code


def require_trusted_token(role_arn: str, token: str) -> None:
    """Raise TokenRefused or AccessDenied unless the role's trust takes the bearer of a token.

    Issuer, audience, subject and times are checked; the signature is not, since nobody's keys
    can be fetched from here.
    """
    claims = _claims(token)
    _require_valid_now(token, claims)
    issuer = str(claims.get("iss", "")).removeprefix("https://")
    provider = _provider(issuer)
    if provider is None or not set(_texts(claims.get("aud"))) & set(provider.client_id_list):
        raise TokenRefused("No OpenIDConnect provider found in your account for this token.")
    values = {
        f"{issuer}:{name}".lower(): _texts(claims[name]) for name in _CLAIMS if name in claims
    }
    role = role_of(role_arn)
    bearer = Principal(ACCOUNT_ID, federated=provider.arn)
    access = Access(ACTION, role_arn, values)
    if role is None or verdict([trust_of(role)], access, bearer) is not Verdict.ALLOW:
        raise AccessDenied(f"Not authorized to perform {ACTION}")


def _claims(token: str) -> dict[str, Any]:
    """Return what a JSON Web Token says; raises TokenRefused where it is none."""
    parts = token.split(".")
    try:
        body = parts[1] + "=" * (-len(parts[1]) % 4)
        found = json.loads(base64.urlsafe_b64decode(body))
    except (IndexError, ValueError) as error:
        raise TokenRefused("The ID Token provided is not a valid JWT.") from error
    if not isinstance(found, dict):
        raise TokenRefused("The ID Token provided is not a valid JWT.")
    return found


def _require_valid_now(token: str, claims: Mapping[str, Any]) -> None:
    """Raise TokenRefused before the token's time (`nbf`) and after it (`exp`)."""
    now, end = CLOCK.now(), _end(token)
    if "nbf" in claims and now < _time(claims, "nbf"):
        raise TokenRefused("Token is not valid yet: the current time is before its nbf")
    if end <= now:
        raise TokenRefused(
            f"Token expired: current date/time {int(now.timestamp())} must be before the "
            f"expiration date/time {int(end.timestamp())}",
            "ExpiredTokenException",
        )


@functools.lru_cache(maxsize=512)
def _end(token: str) -> datetime:
    """Return when a token ends by the embedded AWS's clock; fixed when it is first seen.

    It ages from when it was issued (`iat`, to the second).
    """
    claims = _claims(token)
    if "exp" not in claims:
        raise TokenRefused("Missing a required claim: exp")
    end = _time(claims, "exp")
    if "iat" not in claims:
        return end
    issued = _time(claims, "iat") + timedelta(seconds=1)
    return end + (CLOCK.at(issued) - issued)


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims[name]
    try:
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise TokenRefused(f"The claim {name} of the token is not a time.") from error


def _texts(claim: Any) -> list[str]:
    return [str(value) for value in (claim if isinstance(claim, list) else [claim])]


def _provider(issuer: str) -> Any:
    known = iam_backends[ACCOUNT_ID]["aws"].open_id_providers
    return known.get(f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}")
