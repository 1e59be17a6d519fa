"""Errors of the server itself, in the protocol of the service that was called."""

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

# REST-XML, by the names that signatures have; an unsigned request is taken for S3's.
_XML_SERVICES = frozenset(("", "s3", "s3-outposts", "cloudfront", "route53"))
# What no answer in XML can hold, of a value that it repeats.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def refuse(
    environ: dict[str, Any],
    start_response: Callable[..., Any],
    code: str,
    sentence: str,
    status: HTTPStatus = HTTPStatus.BAD_REQUEST,
) -> Iterable[bytes]:
    """Answer a request with an error that the service's client can read."""
    content_type, text = error_body(environ, code, sentence)
    body = b"" if environ.get("REQUEST_METHOD") == "HEAD" else text.encode()
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-errortype", code),
    ]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def refuse_action(
    response: Any, code: str, sentence: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST
) -> tuple[int, dict[str, str], Any]:
    """Return what moto's action of a request answers instead: an error in its service's protocol.

    `response` is moto's object that answers the request.
    """
    # moto takes the module of an exception's class for its service, unless it is not moto's own.
    kind = type("Refusal", (ServiceException,), {"__module__": __name__})
    readable = _NOT_IN_XML.sub("?", sentence)
    _, headers, body = response.serialized(ActionResult(kind(code, readable)))
    return status.value, {**headers, "status": str(status.value)}, body


def error_body(environ: dict[str, Any], code: str, sentence: str) -> tuple[str, str]:
    """Return the content type and the text of an error."""
    service = signed_service(environ)
    kind, sentence = environ.get("CONTENT_TYPE", ""), _NOT_IN_XML.sub("?", sentence)
    if service == "ec2":
        error = f"<Code>{code}</Code><Message>{escape(sentence)}</Message>"
        return (
            "text/xml",
            f"{_XML_HEAD}<Response><Errors><Error>{error}</Error></Errors></Response>",
        )
    if "form" in kind:
        error = f"<Error><Code>{code}</Code><Message>{escape(sentence)}</Message></Error>"
        return "text/xml", f"{_XML_HEAD}<ErrorResponse>{error}</ErrorResponse>"
    if "json" in kind or (service not in _XML_SERVICES and "xml" not in kind):
        return "application/json", json.dumps({"__type": code, "message": sentence})
    error = f"<Code>{code}</Code><Message>{escape(sentence)}</Message>"
    return "application/xml", f"{_XML_HEAD}<Error>{error}</Error>"


def signed_service(environ: dict[str, Any]) -> str:
    """Return the service that a request's signature names, "" without a signature."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0]
    parts = scope.split("/")
    return parts[-2].lower() if len(parts) > 3 else ""
