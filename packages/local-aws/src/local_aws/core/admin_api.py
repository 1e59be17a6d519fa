"""The embedded AWS's own HTTP paths, below `/_local_aws/`: what AWS has no API for.

No S3 bucket can have that name: it begins with an underscore.
"""

import dataclasses
import json
import urllib.parse
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from local_aws.errors import LocalAwsError

PREFIX = "/_local_aws/"
HEALTH_PATH = f"{PREFIX}health"
PATCHES_PATH = f"{PREFIX}patches"
PROCESSES_PATH = f"{PREFIX}processes"
ACCESS_PATH = f"{PREFIX}iam/access"
STATUS_PATH = f"{PREFIX}status"
CLOCK_PATH = f"{PREFIX}clock"
MAX_BODY_BYTES = 1_000_000

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# Gets the JSON object of a request with a body, else the query's parameters.
Handler = Callable[[dict[str, Any]], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """An answer that is not JSON."""

    content: bytes
    content_type: str = "text/html; charset=utf-8"


class Routes:
    """A table of methods and paths; a WSGI application for those below `PREFIX`."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], Handler] = {}

    def route(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Return a decorator that has its function answer that method and path.

        What the function returns is the answer's JSON, unless it is a `Page`; a LocalAwsError
        of it answers 400 with its sentence. Registering again replaces. Raises ValueError for a
        path that is not below `PREFIX`.
        """
        if not path.startswith(PREFIX):
            raise ValueError(f"{path} is not below {PREFIX}")

        def decorate(handler: Handler) -> Handler:
            self._handlers[method, path] = handler
            return handler

        return decorate

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        status, page = self._answer(environ)
        length = str(len(page.content))
        headers = [("Content-Type", page.content_type), ("Content-Length", length)]
        start_response(f"{status.value} {status.phrase}", headers)
        return [page.content]

    def _answer(self, environ: dict[str, Any]) -> tuple[HTTPStatus, Page]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        handler = self._handlers.get((method, path))
        if handler is None:
            return self._refuse(method, path)
        try:
            value = handler(_request(environ))
        except LocalAwsError as error:
            return HTTPStatus.BAD_REQUEST, _message(str(error))
        return HTTPStatus.OK, value if isinstance(value, Page) else _json(value)

    def _refuse(self, method: str, path: str) -> tuple[HTTPStatus, Page]:
        methods = sorted(known for known, at in self._handlers if at == path)
        if not methods:
            return HTTPStatus.NOT_FOUND, _message(f"There is no {path}.")
        sentence = f"{path} takes {' and '.join(methods)}, not {method}."
        return HTTPStatus.METHOD_NOT_ALLOWED, _message(sentence)


def serve_own_paths(application: Wsgi, routes: Routes) -> Wsgi:
    """Return the application with the table's paths answered by the table."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        own = environ.get("PATH_INFO", "").startswith(PREFIX)
        return (routes if own else application)(environ, start_response)

    return answer


def _request(environ: dict[str, Any]) -> dict[str, Any]:
    if environ["REQUEST_METHOD"] == "GET":
        return dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", "")))
    content = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
    if len(content) > MAX_BODY_BYTES:
        raise LocalAwsError(f"A request may have at most {MAX_BODY_BYTES} bytes.")
    try:
        body = json.loads(content or b"{}")
    except RecursionError as error:
        raise LocalAwsError("The request is nested too deeply.") from error
    except ValueError as error:
        raise LocalAwsError(f"The request is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise LocalAwsError("The request is not a JSON object.")
    return body


def _json(value: Any) -> Page:
    return Page(json.dumps(value).encode(), "application/json")


def _message(sentence: str) -> Page:
    return _json({"message": sentence})


ROUTES = Routes()
route = ROUTES.route
