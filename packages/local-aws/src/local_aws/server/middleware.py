"""Middleware: what a request passes on its way to a service, the outermost layer first.

Each layer takes the application below it and returns one that answers the same requests; it may
answer a request itself, or change the answer. docs/request.md describes the way of a request.
"""

import functools
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from local_aws.core.admin_api import PREFIX, ROUTES, Wsgi, serve_own_paths
from local_aws.core.context import Context
from local_aws.core.faults import answer_faults
from local_aws.core.refusals import refuse
from local_aws.core.request_chains import follow_requests
from local_aws.dashboard.page import serve_page
from local_aws.server.origin_check import check_origin
from local_aws.server.request_bodies import read_bodies
from local_aws.state.commits import commit_changes, hold_acknowledgements
from local_aws.state.saver import Saver

LOG = logging.getLogger(__name__)
Layer = Callable[[Wsgi], Wsgi]
TOO_DEEP = "The request is nested too deeply."
# What a browser may show as a page, or run.
_ACTIVE = ("html", "xml", "svg", "javascript", "ecmascript", "pdf")


def layers(context: Context, saver: Saver | None) -> list[Layer]:
    """Return the layers; without a saver nothing is saved."""
    return [
        refuse_failures,  # what nothing below expected: 400 with a sentence, never a closed line
        check_origin,  # other sites' pages, and hosts that are not this one: 403
        read_bodies,  # whole, before anything is done; one that is cut off: 400
        serve_page,  # "/", for a browser
        functools.partial(serve_own_paths, routes=ROUTES),  # /_local_aws/...
        answer_faults,  # those that a test asked for
        sandbox_content,  # what a bucket holds is no page of this origin
        follow_requests,  # of functions and executions: what led to them
        *(
            [functools.partial(hold_acknowledgements, saver=saver)] if saver else []
        ),  # of what the next layers accept
        *reversed(context.fronts),  # services that answer before moto, as Lambda's Invoke
        *(
            [functools.partial(commit_changes, saver=saver)] if saver else []
        ),  # saved, then answered
    ]


def stack(application: Wsgi, layers: Iterable[Layer]) -> Wsgi:
    """Return the application below its layers."""
    return functools.reduce(lambda below, layer: layer(below), reversed([*layers]), application)


def refuse_failures(application: Wsgi) -> Wsgi:
    """Return the application; an exception is a 400 with a sentence: clients repeat a 500."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return application(environ, start_response)
        except RecursionError:
            return refuse(environ, start_response, "SerializationException", TOO_DEEP)
        except Exception as error:
            LOG.exception("%s %s failed", environ["REQUEST_METHOD"], environ.get("PATH_INFO"))
            fault = f"{type(error).__name__}: {error}"
            sentence = f"The embedded AWS failed with {fault}. Its log has the trace; report it."
            code, status = "EmbeddedAwsFailure", HTTPStatus.BAD_REQUEST
            return refuse(environ, start_response, code, sentence, status)

    return answer


def sandbox_content(application: Wsgi) -> Wsgi:
    """Return the application; a browser gives its pages and scripts no right to this origin."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(PREFIX):
            return application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            kind = next((value for name, value in headers if name.lower() == "content-type"), "")
            if not kind or any(word in kind.lower() for word in _ACTIVE):
                headers = [
                    *headers,
                    ("Content-Security-Policy", "sandbox; default-src 'none'"),
                    ("X-Content-Type-Options", "nosniff"),
                ]
            return start_response(status, headers, *more)

        return application(environ, start)

    return answer
