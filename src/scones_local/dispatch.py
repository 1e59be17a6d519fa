"""The way of a request into moto: which service it is for, and what is not implemented."""

import functools
from typing import Any

from scones_local.context import Context
from scones_local.registry import replace, wrap


def install(context: Context) -> None:
    """Mend what every request of every service goes through."""
    del context
    _remember_services()
    _refuse_missing_actions()
    _refuse_missing_s3_requests()


def _remember_services() -> None:
    from moto import backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    fault = "lists its own folder and tries 200 patterns under one lock, for each request"
    names = functools.cache(backends.list_of_moto_modules)
    replace(backends, "list_of_moto_modules", lambda: tuple(names()), fault=fault)
    known: dict[str, Any] = {}

    @wrap(DomainDispatcherApplication, "get_backend_for_host", fault=fault)
    def get_backend_for_host(original: Any, application: Any, host: str | None) -> Any:
        if host is None:
            return original(application, host)
        if host not in known:
            known[host] = original(application, host)
        return known[host]


def _refuse_missing_actions() -> None:
    from moto.core.exceptions import ServiceException
    from moto.core.responses import ActionResult, BaseResponse

    fault = "answers 500 for an action that it lacks, which clients try again for minutes"

    @wrap(BaseResponse, "call_action", fault=fault)
    def call_action(original: Any, response: Any) -> Any:
        try:
            return original(response)
        except NotImplementedError as error:
            refusal = ServiceException("NotImplemented", _sentence(response, error))
            _, headers, body = response.serialized(ActionResult(refusal))
            return 400, {**headers, "status": "400"}, body


def _sentence(response: Any, error: NotImplementedError) -> str:
    service = response.boto3_service_name
    action = response._get_action() or "this request"
    return f"The embedded AWS does not implement {service}:{action} ({error})."


def _refuse_missing_s3_requests() -> None:
    from moto.core.utils import convert_to_flask_response

    fault = "answers 500 for an S3 request that it lacks, which clients try again for minutes"

    @wrap(convert_to_flask_response, "__call__", fault=fault)
    def call(original: Any, converter: Any, args: Any = None, **more: Any) -> Any:
        from flask import Response

        try:
            return original(converter, args, **more)
        except NotImplementedError as error:
            body = (
                '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NotImplemented</Code>'
                f"<Message>The embedded AWS does not implement this request ({error}).</Message>"
                "</Error>"
            )
            return Response(body, status=400, content_type="application/xml")
