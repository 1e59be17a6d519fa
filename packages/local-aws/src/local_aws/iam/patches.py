"""IAM's patches: what is changed in moto, so that policies decide on each request.

With `LOCAL_AWS_IAM=off` every caller may do everything.
"""

import json
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import BucketAccessDeniedError, S3ClientError

from local_aws.core.clock import CLOCK
from local_aws.core.context import ACCOUNT_ID, Context
from local_aws.core.patching import patch, set_value
from local_aws.iam import quotas  # noqa: F401 (importing it declares its patches)
from local_aws.iam.authorization import (
    AccessDenied,
    authorise,
    denial_code,
    require_trusting_role,
    require_undenied,
)
from local_aws.iam.callers import KeyRefused, caller_of, require_valid_key, session_of
from local_aws.iam.pass_role import TrustMissing, require_assumable
from local_aws.iam.policy import Access, Principal, Verdict, verdict
from local_aws.iam.post_policies import FormRefused, require_allowed
from local_aws.iam.required_access import is_encrypted, request_accesses, service_prefix
from local_aws.iam.roles import is_enforced
from local_aws.iam.s3_requests import is_public, missing_object_accesses, s3_accesses
from local_aws.iam.sessions import SessionRequest, require_valid
from local_aws.iam.signatures import Signed, signed_form, signed_with
from local_aws.iam.web_identity import TokenRefused, require_trusted_token

_REFUSALS = (AccessDenied, KeyRefused, TrustMissing, TokenRefused)
_UNASKED = "asks no policies, or knows no resource, condition and service's name"
_UNBOUND = "takes any name, time and policy of a session, and drops its PolicyArns and Tags"
_AUTHORISATION = "moto.core.authorization.ActionAuthenticatorMixin"
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


set_value(
    f"{_AUTHORISATION}._authenticate_and_authorize_normal_action", lambda *_: None, why=_UNASKED
)


def authorise_action(original: Any, response: Any) -> Any:
    """Answer a request only when its caller may make it."""
    if is_enforced():
        try:
            _decide(response)
        except _REFUSALS as error:
            status, headers, body = response.serialized(ActionResult(_refusal(response, error)))
            return status, {**headers, "status": str(status)}, body
    return original(response)


@patch("moto.sts.models.AssumedRole.__init__", why="lets sessions expire by the host's clock")
def create_session(original: Any, session: Any, *args: Any, **more: Any) -> None:
    """Have a session expire by the embedded AWS's clock, and keep what its request gave it."""
    original(session, *args, **more)
    given = _session_request.get() or SessionRequest()
    session.policy_arns = given.policy_arns
    session.tags, session.source_identity = given.tags, given.source_identity
    session.expiration += timedelta(seconds=CLOCK.advanced_seconds)


@patch("moto.sts.responses.TokenResponse.assume_role_with_web_identity", why=_UNBOUND)
@patch("moto.sts.responses.TokenResponse.assume_role", why=_UNBOUND)
def assume_role(original: Any, response: Any) -> Any:
    """Create a session with what its request gives it; raises STS's errors."""
    require_valid(response, is_chained=session_of(_signed(response).key) is not None)
    token = _session_request.set(SessionRequest.of(response))
    try:
        return original(response)
    finally:
        _session_request.reset(token)


@patch(f"{_AUTHORISATION}._authenticate_and_authorize_s3_action", why=_UNASKED)
def authorise_s3_request(
    original: Any, response: Any, bucket_name: str | None = None, key_name: str | None = None
) -> None:
    """Raise moto's own kinds of refusal for what the caller may not do in S3."""
    del original
    if not is_enforced():
        return
    try:
        signed = _signed(response)
        if bucket_name and key_name is None and response.form_data.get("key"):
            key_name = response.querystring["key"][0]  # with the file's name filled in
            if not signed.key:
                signed = signed_form(response.form_data)
                _require_allowed_form(response, signed, bucket_name, str(key_name))
        key = signed.key
        signed.require_unexpired()
        if key:
            require_valid_key(key)
        elif bucket_name and key_name and is_public(response, bucket_name, key_name):
            return
        if caller_of(key) is None:
            if not is_encrypted(response.headers):
                require_undenied(s3_accesses(response, bucket_name, key_name))
            return
        authorise(key, s3_accesses(response, bucket_name, key_name))
        if bucket_name and key_name:
            authorise(key, missing_object_accesses(response, bucket_name, key_name))
    except AccessDenied as error:
        raise _s3_denied(str(error), bucket_name) from error
    except KeyRefused as error:
        raise _s3_refused(error) from error


def _require_allowed_form(response: Any, signed: Signed, bucket: str, key: str) -> None:
    if not signed.key:
        return
    signed.require_unexpired()
    content = response.body or b""
    size = len(content.encode() if isinstance(content, str) else content)
    try:
        require_allowed({**response.form_data, "key": key}, bucket, size)
    except FormRefused as error:
        if error.code == "AccessDenied":
            raise AccessDenied(str(error)) from error
        raise S3ClientError(error.code, str(error)) from error


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


def _decide(response: Any) -> None:
    signed = _signed(response)
    service, operation = service_prefix(signed.service), str(response._get_action() or "")
    if (service, operation) == ("sts", "AssumeRoleWithWebIdentity"):
        role, token = response._get_param("RoleArn"), response._get_param("WebIdentityToken")
        require_trusted_token(str(role), str(token))
        return
    signed.require_unexpired()
    require_valid_key(signed.key)
    if caller_of(signed.key) is not None:
        authorise(signed.key, request_accesses(response, signed.service))
    elif (service, operation) == ("sts", "AssumeRole"):
        for access in request_accesses(response, signed.service):
            require_trusting_role(access)
    elif not is_encrypted(response.headers):
        require_undenied(request_accesses(response, signed.service))
    require_assumable(response, service, operation)


def _signed(response: Any) -> Signed:
    """Return what a request is signed with, and which service answers it; a body is not believed.

    moto finds services by other names as well (`queue` is SQS), and by a header where the address
    is signed; policies know the one name that clients sign for.
    """
    header, query = response.headers.get("Authorization") or "", response.parsed_url.query
    service = get_service_model(response.boto3_service_name).signing_name
    return replace(signed_with(header, query), service=service)


def _refusal(response: Any, error: Exception) -> Exception:
    """Return an exception that moto serialises in the protocol of the request's service."""
    service = service_prefix(_signed(response).service)
    if isinstance(error, TrustMissing | TokenRefused):
        code, status = error.code, 400
    elif isinstance(error, KeyRefused):
        code, status = error.code_for(service), 403
    else:
        code, status = denial_code(service), 403
    # moto takes the module of an exception's class for its service, unless it is not moto's own.
    attributes = {"__module__": __name__, "refusal_status": status}
    refusal: Exception = type("Refusal", (ServiceException,), attributes)(code, str(error))
    return refusal


def _s3_denied(sentence: str, bucket: str | None) -> Exception:
    # moto catches this class where it deletes several objects, and reports the denial for each.
    attributes = {"__module__": __name__, "refusal_status": 403}
    refusal: Any = type("S3Refusal", (BucketAccessDeniedError,), attributes)(bucket or "")
    refusal.message = sentence
    return refusal  # type: ignore[no-any-return]


def _s3_refused(error: KeyRefused) -> Exception:
    if error.expired:
        return S3ClientError("ExpiredToken", "The provided token has expired.")
    sentence = "The AWS Access Key Id you provided does not exist in our records."
    refusal: Any = S3ClientError("InvalidAccessKeyId", sentence)
    refusal.refusal_status = 403
    return refusal  # type: ignore[no-any-return]
