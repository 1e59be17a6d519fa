"""Invoke over HTTP, without moto's way of a request: by far the most frequent call.

That way (a Flask application, routing, a copy of all headers, an answer built from the service
model) takes several times as long as a warm invocation. Authorisation, errors and request ids
are the same here.
"""

import base64
import dataclasses
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.authorization import AccessDenied, authorise
from local_aws.iam.policy import Access
from local_aws.iam.required_access import common_values
from local_aws.iam.signatures import KeyRefused, require_valid_key, signed_by
from local_aws.lambda_.errors import refusal, too_large
from local_aws.lambda_.invoke import MAX_REQUEST_BYTES, Answer, Invoking, Request
from local_aws.server.admin_api import Wsgi

_START = "/2015-03-31/functions/"
_END = "/invocations"


def with_invocations(application: Wsgi, invoking: Invoking) -> Wsgi:
    """Return the application with Lambda's Invoke answered here."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        is_invoke = path.startswith(_START) and path.endswith(_END)
        if not is_invoke or environ["REQUEST_METHOD"] != "POST":
            return application(environ, start)
        return _serve(environ, start, invoking)

    return answer


def _serve(
    environ: dict[str, Any], start: Callable[..., Any], invoking: Invoking
) -> Iterable[bytes]:
    from moto.core.exceptions import JsonRESTError, ServiceException

    try:
        request = _request(environ)
        answer = invoking.invoke(request)
        status, headers, body = _answered(answer, environ)
    except (JsonRESTError, ServiceException) as error:
        status, headers, body = _refused(error)
    phrase = HTTPStatus(status).phrase
    start(f"{status} {phrase}", [*headers.items(), ("Content-Length", str(len(body)))])
    return [body] if body else []


def _request(environ: dict[str, Any]) -> Request:
    signed = signed_by(environ)
    query = parse_qs(environ.get("QUERY_STRING", ""))
    request = Request(
        name=environ["PATH_INFO"][len(_START) : -len(_END)],
        body=b"",
        region=signed.region,
        qualifier=query.get("Qualifier", [None])[0],
        kind=environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse"),
        client_context=_client_context(environ.get("HTTP_X_AMZ_CLIENT_CONTEXT", "")),
    )
    forwarded = {"X-Forwarded-Proto": environ.get("HTTP_X_FORWARDED_PROTO", "https")}
    _authorise(signed.key, request, forwarded)
    return dataclasses.replace(request, body=_body(environ))


def _client_context(given: str) -> str:
    """Return the context as the runtime gets it: JSON on one line."""
    if not given:
        return ""
    try:
        return json.dumps(json.loads(base64.b64decode(given, validate=True)))
    except ValueError as error:
        raise refusal(
            "InvalidRequestContentException",
            f"Client context must be base64-encoded JSON: {error}",
            400,
        ) from error


def _authorise(key: str, request: Request, headers: Mapping[str, str]) -> None:
    access = invocation_access(request.name, request.qualifier, request.region, headers)
    try:
        require_valid_key(key)
        authorise(key, [access])
    except KeyRefused as error:
        raise refusal(error.code_for("lambda"), str(error), 403) from error
    except AccessDenied as error:
        raise refusal("AccessDeniedException", str(error), 403) from error


def invocation_access(
    name: str, qualifier: str | None, region: str, headers: Mapping[str, str]
) -> Access:
    """Return what the caller of an Invoke must be allowed."""
    function = name.rpartition("function:")[2]
    arn = f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{function}"
    resource = f"{arn}:{qualifier}" if qualifier else arn
    return Access("lambda:InvokeFunction", resource, common_values(region, headers))


def _body(environ: dict[str, Any]) -> bytes:
    if environ.get("wsgi.input_terminated"):
        body: bytes = environ["wsgi.input"].read(MAX_REQUEST_BYTES + 1)
        return body
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > MAX_REQUEST_BYTES:
        raise too_large(MAX_REQUEST_BYTES)
    read: bytes = environ["wsgi.input"].read(length)
    return read


def _answered(answer: Answer, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    headers = {
        "Content-Type": "application/json",
        "x-amzn-RequestId": answer.request_id or str(uuid.uuid4()),
        "X-Amz-Executed-Version": answer.version,
    }
    if answer.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail" and answer.status == HTTPStatus.OK:
        headers["X-Amz-Log-Result"] = answer.tail()
    return answer.status, headers, answer.payload


def _refused(error: Any) -> tuple[int, dict[str, str], bytes]:
    status = error.code if isinstance(error.code, int) else 400
    code = getattr(error, "error_type", None) or error.code
    fields = {"Type": "User", "message": error.message, **getattr(error, "fields", {})}
    headers = {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": str(code),
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = "1"
    return status, headers, json.dumps(fields).encode()
