"""The way of a request into moto: which service it is for, and what is not implemented."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.core.context import Context
from local_aws.core.patching import replace, wrap
from local_aws.server import request_cache
from local_aws.server.lazy_imports import defer_services

# A DELETE of one of these would delete the bucket.
_MISSING_S3_SUBRESOURCES = frozenset(
    ("metrics", "analytics", "intelligent-tiering", "metadataTable", "metadataConfiguration")
)


def install(context: Context) -> None:
    """Mend what every request of every service goes through."""
    del context
    defer_services()
    request_cache.install()
    _remember_services()
    _refuse_missing_services()
    _refuse_missing_actions()
    _refuse_missing_s3_requests()


def _remember_services() -> None:
    from moto import backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    fault = "lists its own folder and tries 200 patterns under one lock, for each request"
    names = tuple(backends.list_of_moto_modules())
    replace(backends, "list_of_moto_modules", lambda: names, fault=fault)
    known: dict[str, Any] = {}

    @wrap(DomainDispatcherApplication, "get_backend_for_host", fault=fault)
    def get_backend_for_host(original: Any, application: Any, host: str | None) -> Any:
        if host is None:
            return original(application, host)
        if host not in known:
            known[host] = original(application, host)
        return known[host]


def _refuse_missing_services() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    fault = "answers 500 for a service that it lacks, which clients try again for minutes"

    @wrap(DomainDispatcherApplication, "get_application", fault=fault)
    def get_application(original: Any, application: Any, environ: dict[str, Any]) -> Any:
        try:
            return original(application, environ)
        except AttributeError:  # what moto makes of a service that none of its patterns knows
            return _no_such_service


def _no_such_service(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    scope = environ.get("HTTP_AUTHORIZATION", "").split("/")
    service = scope[3] if len(scope) > 3 else "this service"
    message = f"The embedded AWS does not implement {service}."
    body = json.dumps({"__type": "NotImplemented", "message": message}).encode()
    headers = [("Content-Type", "application/json"), ("x-amzn-errortype", "NotImplemented")]
    start_response("400 Bad Request", [*headers, ("Content-Length", str(len(body)))])
    return [body]


def _refuse_missing_actions() -> None:
    from moto.core.responses import ActionResult, BaseResponse

    fault = "answers 500 for an action that it lacks, which clients try again for minutes"

    @wrap(BaseResponse, "call_action", fault=fault)
    def call_action(original: Any, response: Any) -> Any:
        try:
            return original(response)
        except NotImplementedError as error:
            _, headers, body = response.serialized(ActionResult(_refusal(response, error)))
            return 400, {**headers, "status": "400"}, body


def _refusal(response: Any, error: NotImplementedError) -> Exception:
    """Return an exception that moto serialises in the protocol of the request's service."""
    from moto.core.exceptions import ServiceException

    service = response.boto3_service_name
    action = response._get_action() or "this request"
    # moto takes the module of an exception's class for its service, unless it is not moto's own.
    kind = type("MissingAction", (ServiceException,), {"__module__": __name__})
    sentence = f"The embedded AWS does not implement {service}:{action} ({error})."
    refusal: Exception = kind("NotImplemented", sentence)
    return refusal


def _refuse_missing_s3_requests() -> None:
    from moto.s3.responses import S3Response

    @wrap(S3Response, "_bucket_response", fault="takes a subresource that it lacks for the bucket")
    def bucket_response(original: Any, response: Any, *args: Any, **more: Any) -> Any:
        missing = _MISSING_S3_SUBRESOURCES.intersection(response.querystring)
        if missing:
            raise NotImplementedError(f"the bucket's {min(missing)}")
        return original(response, *args, **more)
