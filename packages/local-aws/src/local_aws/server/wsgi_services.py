"""A service of moto as a WSGI application: its own URL map and handlers, without Flask's rounds.

moto asks Flask only for the URL map and the request. Its contexts, signals and CORS headers for
browsers would take as long as moto's own work.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any
from xml.parsers.expat import ExpatError

from botocore.exceptions import ClientError
from moto.core.request import Request
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response

from local_aws.core.admin_api import Wsgi
from local_aws.core.refusals import error_body
from local_aws.server.routing import BodyRefused

LOG = logging.getLogger(__name__)
_NO_XML = (
    "The XML you provided was not well-formed or did not validate against our published schema."
)


def service_application(service: Any) -> Wsgi:
    """Return the application of the service that moto calls by this name."""
    return ServiceApplication(service, create_backend_app(service))


class _Request(Request):
    # moto then reads the body as a server hands it over.
    from_wsgi_server = True

    @property
    def raw_url(self) -> str:
        """Return the address as it came; werkzeug's way there takes it apart several times."""
        host, query = self.environ.get("HTTP_HOST"), self.environ.get("QUERY_STRING")
        if not host:
            return super().raw_url
        url = f"{self.environ['wsgi.url_scheme']}://{host}{self.raw_path}"
        return f"{url}?{query}" if query else url


class ServiceApplication:
    """Answers the requests of one service.

    What moto has no path or no handler for is refused with a status of 400, and so is what a
    handler fails at, whose trace goes to the log: clients take a 404 for a missing resource,
    and try again for minutes after a 500.
    """

    def __init__(self, service: str, flask_application: Any) -> None:
        self._service = service
        self._map = flask_application.url_map
        self._views = flask_application.view_functions

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        answer: Iterable[bytes] = self._answer(environ)(environ, start_response)
        return answer

    def _answer(self, environ: dict[str, Any]) -> Any:
        request = _Request(environ)
        try:
            endpoint, _ = self._map.bind_to_environ(environ).match()
            return _response(request, self._views[endpoint].callback)
        except NotFound:
            action = f"{self._service}: {request.method} {request.path}"
            return _error(
                request, "NotImplemented", f"The embedded AWS does not implement {action}."
            )
        except HTTPException as error:
            return error.get_response(environ)
        except NotImplementedError as error:
            sentence = f"The embedded AWS does not implement this request ({error})."
            return _error(request, "NotImplemented", sentence)
        except (BodyRefused, ExpatError, RecursionError) as error:
            return _unreadable(request, error)
        except Exception as error:
            return _failure(request, error)


def _response(request: Request, callback: Callable[..., Any]) -> Response:
    try:
        result = callback(request, request.raw_url, dict(request.headers.items()))
    except ClientError as error:
        result = 400, {}, error.response["Error"]["Message"]
    status, headers, content = result if len(result) == 3 else (200, {}, result)
    response = Response(content, status, headers)
    response.headers.setdefault("Content-Type", "text/html; charset=utf-8")
    if request.method == "HEAD" and "content-length" in headers:
        response.headers["Content-Length"] = headers["content-length"]
    return response


def _unreadable(request: Request, error: Exception) -> Response:
    if isinstance(error, ExpatError):
        return _error(request, "MalformedXML", _NO_XML)
    refused = isinstance(error, BodyRefused)
    sentence = str(error) if refused else "The request is nested too deeply."
    return _error(request, "SerializationException", sentence)


def _failure(request: Request, error: Exception) -> Response:
    LOG.exception("%s %s failed", request.method, request.url)
    fault = f"{type(error).__name__}: {error}"
    sentence = f"The embedded AWS failed with {fault}. Its log has the trace; report it."
    return _error(request, "EmbeddedAwsFailure", sentence)


def _error(request: Request, code: str, sentence: str) -> Response:
    kind, body = error_body(request.environ, code, sentence)
    return Response(body, status=400, headers={"x-amzn-errortype": code}, content_type=kind)
