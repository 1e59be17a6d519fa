"""What STS checks of a session that is asked for, and what a session has of its request.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

import re
from dataclasses import dataclass
from typing import Any

from moto.sts.exceptions import STSClientError, STSValidationError

from local_aws.iam.policy_documents import policy_problem
from local_aws.iam.roles import role_of

MIN_SECONDS, MAX_SECONDS, MAX_CHAINED_SECONDS = 900, 43_200, 3_600
_NAME = r"[\w+=,.@-]*"
_LIMIT = "The requested DurationSeconds exceeds the "


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What a session keeps of its request: managed policies, tags, the source identity."""

    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    source_identity: str = ""

    @classmethod
    def of(cls, response: Any) -> "SessionRequest":
        """Return it from the parameters of a request."""
        arns = response._get_param("PolicyArns") or ()
        tags = response._get_param("Tags") or ()
        return cls(
            tuple(str(policy["arn"]) for policy in arns),
            tuple((str(tag["Key"]), str(tag["Value"])) for tag in tags),
            str(response._get_param("SourceIdentity") or ""),
        )


def require_valid(response: Any, *, is_chained: bool) -> None:
    """Raise STS's own error for a session's name, time or policy that STS refuses.

    `is_chained` says that the caller is itself a session of a role.
    """
    _require_name(str(response._get_param("RoleSessionName") or ""))
    if (given := response._get_param("DurationSeconds")) is not None:
        _require_duration(str(given), str(response._get_param("RoleArn")), is_chained=is_chained)
    if (policy := response._get_param("Policy")) is not None:
        _require_policy(str(policy))


def _require_name(name: str) -> None:
    if not 2 <= len(name) <= 64:
        limit = "greater than or equal to 2" if len(name) < 2 else "less than or equal to 64"
        raise _invalid(name, "roleSessionName", f"Member must have length {limit}")
    if not re.fullmatch(_NAME, name, re.ASCII):
        constraint = f"Member must satisfy regular expression pattern: {_NAME}"
        raise _invalid(name, "roleSessionName", constraint)


def _require_duration(given: str, role_arn: str, *, is_chained: bool) -> None:
    if not re.fullmatch(r"-?[0-9]{1,18}", given, re.ASCII):
        raise STSClientError("MalformedInput", "DurationSeconds is not an integer.")
    seconds = int(given)
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        is_short = seconds < MIN_SECONDS
        limit = f"greater than or equal to {MIN_SECONDS}" if is_short else ""
        limit = limit or f"less than or equal to {MAX_SECONDS}"
        raise _invalid(given, "durationSeconds", f"Member must have value {limit}")
    if is_chained and seconds > MAX_CHAINED_SECONDS:
        raise STSValidationError(f"{_LIMIT}1 hour session limit for roles assumed by role chaining")
    longest = getattr(role_of(role_arn), "max_session_duration", None) or MAX_CHAINED_SECONDS
    if seconds > int(longest):
        raise STSValidationError(f"{_LIMIT}MaxSessionDuration set for this role.")


def _require_policy(text: str) -> None:
    if policy_problem(text):
        raise STSClientError("MalformedPolicyDocument", "Syntax errors in policy.")


def _invalid(value: str, name: str, constraint: str) -> STSValidationError:
    return STSValidationError(
        f"1 validation error detected: Value '{value[:256]}' at '{name}' failed to satisfy "
        f"constraint: {constraint}"
    )
