"""IAM's and STS's other patches: what sessions keep, and the status of a refusal.

With `LOCAL_AWS_IAM=off` every caller may do everything.
"""

import json
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from moto.core.responses import EmptyResult
from moto.iam.access_control import PermissionResult

from local_aws.core.clock import CLOCK
from local_aws.core.context import ACCOUNT_ID, Context
from local_aws.core.patching import add, patch
from local_aws.iam import deleted_principals, quotas  # noqa: F401 (they declare patches)
from local_aws.iam.callers import session_of
from local_aws.iam.policy_evaluation import Access, Principal, Verdict, verdict
from local_aws.iam.request_authorization import signed_request
from local_aws.iam.roles import is_enforced, role_id
from local_aws.iam.sessions import SessionRequest, require_valid

_UNBOUND = "takes any name, time and policy of a session, and drops its PolicyArns and Tags"
_PERMISSIONS = {
    Verdict.ALLOW: PermissionResult.PERMITTED,
    Verdict.SILENT: PermissionResult.NEUTRAL,
    Verdict.DENY: PermissionResult.DENIED,
}


# What the session that is being created keeps of its request.
_session_request: ContextVar[SessionRequest | None] = ContextVar("session_request", default=None)


def install(context: Context) -> None:
    """Raise LocalAwsError unless LOCAL_AWS_IAM has a value that it can have."""
    del context
    is_enforced()


@patch("moto.core.responses.BaseResponse.serialized", why="answers 400 to a denial")
def serialized(original: Any, response: Any, action_result: Any) -> Any:
    """Answer a refusal with its own status."""
    status, headers, body = original(response, action_result)
    own = getattr(action_result.result, "refusal_status", None)
    return (status, headers, body) if own is None else (own, headers, body)


@patch("moto.sts.models.AssumedRole.__init__", why="lets sessions expire by the host's clock")
def create_session(original: Any, session: Any, *args: Any, **more: Any) -> None:
    """Have a session expire by the embedded AWS's clock, and keep what its request gave it."""
    original(session, *args, **more)
    given = _session_request.get() or SessionRequest()
    session.policy_arns = given.policy_arns
    session.tags, session.source_identity = given.tags, given.source_identity
    session.role_id = role_id(session.role_arn)
    session.issued = CLOCK.now().isoformat(timespec="seconds")
    session.expiration += timedelta(seconds=CLOCK.advanced_seconds)


@patch("moto.sts.responses.TokenResponse.assume_role_with_web_identity", why=_UNBOUND)
@patch("moto.sts.responses.TokenResponse.assume_role", why=_UNBOUND)
def assume_role(original: Any, response: Any) -> Any:
    """Create a session with what its request gives it; raises STS's errors."""
    require_valid(response, is_chained=session_of(signed_request(response).key) is not None)
    token = _session_request.set(SessionRequest.of(response))
    try:
        return original(response)
    finally:
        _session_request.reset(token)


_UNBOUNDED = "has no permissions boundaries of users, and drops the one that a user is made with"
_RESPONSE = "moto.iam.responses.IamResponse"


@patch(f"{_RESPONSE}.create_user", why=_UNBOUNDED)
def create_user(original: Any, response: Any) -> Any:
    """Create a user with its permissions boundary."""
    answer = original(response)
    _bound(answer.result["User"], response._get_param("PermissionsBoundary"))
    return answer


@add(f"{_RESPONSE}.put_user_permissions_boundary", why=_UNBOUNDED)
def put_user_permissions_boundary(response: Any) -> Any:
    """Give a user another permissions boundary; raises NoSuchEntity."""
    user = response.backend.get_user(response._get_param("UserName"))
    _bound(user, response._get_param("PermissionsBoundary"))
    return EmptyResult()


@add(f"{_RESPONSE}.delete_user_permissions_boundary", why=_UNBOUNDED)
def delete_user_permissions_boundary(response: Any) -> Any:
    """Take a user's permissions boundary away; raises NoSuchEntity."""
    _bound(response.backend.get_user(response._get_param("UserName")), None)
    return EmptyResult()


def _bound(user: Any, arn: str | None) -> None:
    user.permissions_boundary_arn = arn
    user.permissions_boundary = (
        {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": arn,
        }
        if arn
        else None
    )


@patch(
    "moto.s3.models.FakeBucket.get_permission",
    why="takes every statement of a bucket's policy as one about every caller",
)
def get_permission(original: Any, bucket: Any, action: str, resource: str) -> Any:
    """Return what a bucket's policy says of the account's administrator."""
    if not is_enforced():
        return original(bucket, action, resource)
    documents = [json.loads(bucket.policy)] if bucket.policy else []
    values = {"aws:securetransport": "true", "aws:sourceip": "127.0.0.1"}
    administrator = Principal(ACCOUNT_ID, arn=f"arn:aws:iam::{ACCOUNT_ID}:root")
    return _PERMISSIONS[verdict(documents, Access(action, resource, values), administrator)]
