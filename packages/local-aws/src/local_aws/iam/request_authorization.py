"""What each request passes before it is answered: its signature, and what its caller may do."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from moto.core.utils import get_service_model
from moto.s3.exceptions import BucketAccessDeniedError, S3ClientError

from local_aws.core.patching import patch, set_value
from local_aws.core.refusals import refuse_action
from local_aws.iam.access_decisions import (
    AccessDenied,
    authorise,
    denial_code,
    require_trusting_role,
    require_undenied,
)
from local_aws.iam.callers import KeyRefused, caller_of, require_valid_key
from local_aws.iam.pass_role import TrustMissing, require_assumable
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.post_policies import FormRefused, require_allowed
from local_aws.iam.required_access import is_encrypted, request_accesses, service_prefix
from local_aws.iam.resources import NotAName
from local_aws.iam.roles import is_enforced
from local_aws.iam.s3_requests import (
    code_accesses,
    is_public,
    missing_object_accesses,
    s3_accesses,
)
from local_aws.iam.signatures import Signed, signed_form, signed_with
from local_aws.iam.web_identity import TokenRefused, require_trusted_token

_REFUSALS = (AccessDenied, KeyRefused, NotAName, TrustMissing, TokenRefused)
_UNASKED = "asks no policies, or knows no resource, condition and service's name"
_AUTHORISATION = "moto.core.authorization.ActionAuthenticatorMixin"


set_value(
    f"{_AUTHORISATION}._authenticate_and_authorize_normal_action", lambda *_: None, why=_UNASKED
)


def authorise_action(original: Any, response: Any) -> Any:
    """Answer a request only when its caller may make it."""
    if is_enforced():
        try:
            _decide(response)
        except _REFUSALS as error:
            return _refused(response, error)
    return original(response)


@patch(f"{_AUTHORISATION}._authenticate_and_authorize_s3_action", why=_UNASKED)
def authorise_s3_request(
    original: Any, response: Any, bucket_name: str | None = None, key_name: str | None = None
) -> None:
    """Raise moto's own kinds of refusal for what the caller may not do in S3."""
    del original
    if not is_enforced():
        return
    try:
        signed = signed_request(response)
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


def _decide(response: Any) -> None:
    signed = signed_request(response)
    service, operation = service_prefix(signed.service), str(response._get_action() or "")
    if (service, operation) == ("sts", "AssumeRoleWithWebIdentity"):
        role, token = response._get_param("RoleArn"), response._get_param("WebIdentityToken")
        require_trusted_token(str(role), str(token))
        return
    signed.require_unexpired()
    require_valid_key(signed.key)
    if caller_of(signed.key) is not None:
        authorise(signed.key, request_accesses(response, signed.service))
        _require_readable(signed.key, code_accesses(response, service, operation))
    elif (service, operation) == ("sts", "AssumeRole"):
        for access in request_accesses(response, signed.service):
            require_trusting_role(access)
    elif not is_encrypted(response.headers):
        require_undenied(request_accesses(response, signed.service))
    require_assumable(response, service, operation)


def _require_readable(key: str, accesses: list[Access]) -> None:
    """Raise AccessDenied, in Lambda's words, for code that the caller may not read."""
    try:
        authorise(key, accesses)
    except AccessDenied as error:
        name = accesses[0].resource.rpartition(":::")[2]
        raise AccessDenied(
            "Your access has been denied by S3, please make sure your request credentials have "
            f"permission to GetObject for {name}. S3 Error Code: AccessDenied. S3 Error Message: "
            f"{error}"
        ) from error


def signed_request(response: Any) -> Signed:
    """Return what a request is signed with, and which service answers it; a body is not believed.

    moto finds services by other names as well (`queue` is SQS), and by a header where the address
    is signed; policies know the one name that clients sign for.
    """
    header, query = response.headers.get("Authorization") or "", response.parsed_url.query
    service = get_service_model(response.boto3_service_name).signing_name
    return replace(signed_with(header, query), service=service)


def _refused(response: Any, error: Exception) -> Any:
    """Return the answer to a request that is refused, in the protocol of its service."""
    if isinstance(error, NotAName | TrustMissing | TokenRefused):
        return refuse_action(response, error.code, str(error))
    service = service_prefix(signed_request(response).service)
    code = error.code_for(service) if isinstance(error, KeyRefused) else denial_code(service)
    return refuse_action(response, code, str(error), HTTPStatus.FORBIDDEN)


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
