"""The page's own paths, and the root, which S3's ListBuckets has too."""

import importlib.resources
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.core.context import Context
from local_aws.dashboard.captures import captures
from local_aws.dashboard.endpoints import endpoints, functions, jobs
from local_aws.dashboard.executions import Executions
from local_aws.server.admin_api import PREFIX, Page, Wsgi, route

PATH = f"{PREFIX}page/"
_FILES = {
    "page.css": "text/css; charset=utf-8",
    "graph.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
# Everything is the server's own; thumbnails come within the JSON.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def install(context: Context) -> None:
    """Answer what the page asks for."""
    executions = Executions(context)

    @route("GET", f"{PATH}overview")
    def read_overview(query: dict[str, Any]) -> dict[str, Any]:
        del query
        return {
            "executions": executions.listed(),
            "endpoints": endpoints(context),
            "functions": functions(context),
            "jobs": jobs(context),
        }

    route("GET", f"{PATH}execution")(executions.described)
    route("GET", f"{PATH}captures")(lambda _: captures(context))
    for name, kind in _FILES.items():
        _serve(name, kind)


def _serve(name: str, kind: str) -> None:
    @route("GET", f"{PATH}{name}")
    def read_file(query: dict[str, Any]) -> Page:
        del query
        return Page(_file(name), kind)


def serve_page(application: Wsgi) -> Wsgi:
    """Return the application with the page at the root, for a browser.

    S3's ListBuckets is the same request, with a signature.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not wants_page(environ):
            return application(environ, start_response)
        body = _file("index.html")
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ]
        start_response("200 OK", headers)
        return [body]

    return answer


def wants_page(environ: dict[str, Any]) -> bool:
    """Return whether a request is a browser's for the root."""
    return (
        environ.get("REQUEST_METHOD") == "GET"
        and environ.get("PATH_INFO") == "/"
        and "text/html" in environ.get("HTTP_ACCEPT", "")
        and "HTTP_AUTHORIZATION" not in environ
        and "X-Amz-" not in environ.get("QUERY_STRING", "")
    )


def _file(name: str) -> bytes:
    return importlib.resources.files(__package__).joinpath(name).read_bytes()
