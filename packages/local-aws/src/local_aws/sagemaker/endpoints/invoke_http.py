"""InvokeEndpoint over HTTP, answered before moto: its way there takes longer than the invocation.

The rest of the runtime API (InvokeEndpointAsync, requests without a signature) goes to moto.
"""

import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from local_aws.core.admin_api import Wsgi
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.refusals import signed_service
from local_aws.iam.access_decisions import AccessDenied, authorise, denial_code
from local_aws.iam.callers import KeyRefused, caller_of, require_valid_key
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.required_access import common_values, condition_headers
from local_aws.iam.signatures import signed_by
from local_aws.sagemaker.endpoints.invocations import (
    CUSTOM_ATTRIBUTES,
    INFERENCE_ID,
    MAX_BODY_BYTES,
    TARGET_VARIANT,
    Answer,
    Invocation,
    refused_with,
)

_START, _END = "/endpoints/", "/invocations"


def with_invocations(application: Wsgi, invoke: Callable[[Invocation], Answer]) -> Wsgi:
    """Return the application with signed requests of InvokeEndpoint answered by `invoke`."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        is_invocation = path.startswith(_START) and path.endswith(_END)
        if (
            not is_invocation
            or environ["REQUEST_METHOD"] != "POST"
            or signed_service(environ) != "sagemaker"
        ):
            return application(environ, start)
        name = path[len(_START) : -len(_END)]
        body = _body(environ)
        found = _refusal(environ, name) or invoke(_invocation(environ, name, body))
        headers = {
            **found.headers,
            "x-amzn-RequestId": str(uuid.uuid4()),
            "Content-Length": str(len(found.body)),
        }
        start(f"{found.status} {HTTPStatus(found.status).phrase}", [*headers.items()])
        return [found.body]

    return answer


def _invocation(environ: dict[str, Any], name: str, body: bytes) -> Invocation:
    def header(given: str) -> str:
        value: str = environ.get("HTTP_" + given.upper().replace("-", "_"), "")
        return value

    return Invocation(
        endpoint=name,
        body=body,
        content_type=environ.get("CONTENT_TYPE") or "",
        accept=header("Accept"),
        custom_attributes=header(CUSTOM_ATTRIBUTES),
        inference_id=header(INFERENCE_ID),
        target_variant=header(TARGET_VARIANT),
    )


def _refusal(environ: dict[str, Any], name: str) -> Answer | None:
    """Return the answer for a caller that may not invoke the endpoint; None for one that may."""
    signed = signed_by(environ)
    try:
        signed.require_unexpired()
        require_valid_key(signed.key)
        if caller_of(signed.key) is not None:
            arn = f"arn:aws:sagemaker:{signed.region}:{ACCOUNT_ID}:endpoint/{name}"
            values = common_values(signed.region, condition_headers(environ))
            authorise(signed.key, [Access("sagemaker:InvokeEndpoint", arn, values)])
    except KeyRefused as error:
        return refused_with(403, error.code_for("sagemaker"), str(error))
    except AccessDenied as error:
        return refused_with(403, denial_code("sagemaker"), str(error))
    return None


def _body(environ: dict[str, Any]) -> bytes:
    """Return the body, of which no more is read than shows that it is too long."""
    body: bytes = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
    return body
