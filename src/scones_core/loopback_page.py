"""A page of a task, for the person at this host: HTTP on the loopback, behind a token.

Other programs and other sites reach the loopback too: a site's script may post a form to it, and
a site's name may be made to point to it (DNS rebinding). So a request must name the loopback as
its host, come from the page itself, and carry the token that only the printed address has. The
page's policy has the browser load and send nothing elsewhere.
"""

import contextlib
import json
import secrets
import socket
import sys
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from scones_core.errors import SconesError, SettingsError

HOST = "127.0.0.1"
# How long a request may take to arrive, and a kept connection to be idle.
READ_SECONDS = 30.0
# Of a body that is too long, so many times the limit is read and dropped.
DISCARDED = 4
# A browser opens six connections to a host.
MAX_CONNECTIONS = 24
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the page: `path` without the query, header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What a request is answered by."""

    body: bytes
    content_type: str
    status: int = 200

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Self:
        """Return a value as JSON; raises ValueError for NaN and infinity."""
        body = json.dumps(value, allow_nan=False).encode()
        return cls(body, "application/json", status)


class Refused(Exception):
    """A request that is answered by another status than 200, and why in one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


Application = Callable[[Request], Response]


class LoopbackPage:
    """A server of one page on 127.0.0.1; as a context manager it is closed at the end.

    `application` answers GET and POST requests, in several threads. A SconesError that it raises
    is answered with 400, `Refused` with its status; both as JSON, `{"error": "<one sentence>"}`.
    `port` 0 takes a free one. Raises SettingsError for a port that cannot be listened on.
    """

    def __init__(self, application: Application, *, port: int = 0, max_body_bytes: int) -> None:
        self.application, self.max_body_bytes = application, max_body_bytes
        self.token = secrets.token_hex(24)
        self._once = secrets.token_hex(24)
        self._lock = threading.Lock()
        self.connections = _Connections()
        try:
            self._server = _Server(self, port)
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"Port {port} of {HOST} cannot be listened on ({error}); name another by --port."
            ) from error
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that the page is on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address to open, with the token."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def url_once(self) -> str:
        """An address that works once, for a command line: all users of a host see those."""
        return f"http://{HOST}:{self.port}/?token={self._once}"

    def accepts(self, token: str) -> bool:
        """Return whether a token of an address is this page's; one for a single use is used up."""
        given = token.encode()
        with self._lock:
            if self._once and secrets.compare_digest(given, self._once.encode()):
                self._once = ""
                return True
        return secrets.compare_digest(given, self.token.encode())

    @property
    def cookie(self) -> str:
        """The name of the cookie that has the token; cookies know no ports."""
        return f"scones-{self.port}"

    def serve(self) -> None:
        """Answer requests in this thread until it is interrupted."""
        self._server.serve_forever(poll_interval=0.2)

    def start(self) -> None:
        """Answer requests in another thread until the page is closed."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Connections:
    """The open connections, so many at most, and which of them have shown the token.

    Whoever has none cannot keep the page's own browser out: where there are too many, the oldest
    that has not shown the token is closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signed_in: dict[socket.socket, bool] = {}

    def admit(self, connection: socket.socket) -> bool:
        """Return whether there is room for a connection, or could be made."""
        with self._lock:
            if len(self._signed_in) >= MAX_CONNECTIONS:
                strangers = (each for each, known in self._signed_in.items() if not known)
                oldest = next(strangers, None)
                if oldest is None:
                    return False
                del self._signed_in[oldest]
                # Its thread reads the end then. It may have been closed from the other side.
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._signed_in[connection] = False
            return True

    def sign_in(self, connection: socket.socket) -> None:
        """Note that a connection has shown the token."""
        with self._lock:
            if connection in self._signed_in:
                self._signed_in[connection] = True

    def leave(self, connection: socket.socket) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._signed_in.pop(connection, None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A request that still runs does not hold up the end.
    block_on_close = False
    # Beyond five that wait to be taken, the default, a browser tries again after a second.
    request_queue_size = 2 * MAX_CONNECTIONS

    def __init__(self, page: LoopbackPage, port: int) -> None:
        self.page = page
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer one connection in its own thread; one too many is closed."""
        if self.page.connections.admit(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer the requests of one connection, and count it out."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.page.connections.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say what went wrong; a browser that went away is no news."""
        error = sys.exception()
        if not isinstance(error, (ConnectionError, TimeoutError)):
            sys.stderr.write(f"The page's server failed by a fault of its own: {error!r}\n")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "scones", ""
    timeout = READ_SECONDS

    def setup(self) -> None:
        """Send an answer at once, not together with the next one."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        """Answer a GET request."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a POST request."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal is the task's."""

    def _answer(self) -> None:
        try:
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            self._require_own(url.path)
            if self.command == "GET" and url.path == "/" and "token" in query:
                self._sign_in(query["token"])
                return
            self._require_token()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, url.path, query, headers, self._body())
            response = self.server.page.application(request)
        except Refused as error:
            response = self._error(error.status, str(error))
        except SconesError as error:
            response = self._error(400, str(error))
        except ValueError:
            response = self._error(400, "The request cannot be read.")
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        # One request must not end the page; what went wrong stands in the terminal.
        except Exception as error:
            sys.stderr.write(f"The page failed by a fault of its own: {error!r}\n")
            response = self._error(500, "The page failed; its terminal says how.")
        self._send(response)

    def _require_own(self, path: str) -> None:
        """Refuse what another site makes a browser send."""
        port, host = self.server.page.port, self.headers.get("Host", "")
        if host not in (f"{HOST}:{port}", f"localhost:{port}"):
            raise Refused(403, f"This page answers at {HOST}:{port} only.")
        origin = self.headers.get("Origin")
        if (origin or self.command == "POST") and origin != f"http://{host}":
            raise Refused(403, "Requests are taken from the page itself only.")
        # A link may lead here; anything else from another site may not.
        site, mode = self.headers.get("Sec-Fetch-Site"), self.headers.get("Sec-Fetch-Mode")
        if site in ("cross-site", "same-site") and (mode != "navigate" or path != "/"):
            raise Refused(403, "Requests are taken from the page itself only.")

    def _sign_in(self, token: str) -> None:
        """Have the browser keep the token, out of the address that it shows."""
        page = self.server.page
        if not page.accepts(token):
            raise Refused(403, "The token is not this page's; open the address it printed.")
        cookie = f"{page.cookie}={page.token}; Path=/; HttpOnly; SameSite=Strict"
        self._send(Response(b"", "text/plain", 303), {"Location": "/", "Set-Cookie": cookie})

    def _require_token(self) -> None:
        page = self.server.page
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(page.cookie)
        except CookieError:
            found = None
        if found is None or not secrets.compare_digest(found.value.encode(), page.token.encode()):
            raise Refused(403, "Open the address that the task printed; it has the page's token.")
        page.connections.sign_in(self.connection)

    def _body(self) -> bytes:
        """Return the body, empty without one; raises Refused for one that is too long."""
        if self.headers.get("Transfer-Encoding"):
            raise Refused(411, "The body needs a length.")
        text = self.headers.get("Content-Length") or "0"
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise Refused(400, "The body's length is not a number.")
        limit = self.server.page.max_body_bytes
        if int(text) > limit:
            self._discard(min(int(text), DISCARDED * limit))
            raise Refused(413, f"The file has {int(text):,} bytes; at most {limit:,} are taken.")
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            raise ConnectionResetError
        return body

    def _discard(self, length: int) -> None:
        """Read so many bytes: a browser that is still sending does not see an answer."""
        while length > 0 and (part := self.rfile.read(min(length, 1 << 16))):
            length -= len(part)

    def _error(self, status: int, sentence: str) -> Response:
        # What is left of a body would be taken for the next request.
        self.close_connection = True
        return Response.json({"error": sentence}, status)

    def _send(self, response: Response, more: Mapping[str, str] | None = None) -> None:
        self.send_response(response.status, HTTPStatus(response.status).phrase)
        length = {"Content-Length": str(len(response.body)), "Content-Type": response.content_type}
        closing = {"Connection": "close"} if self.close_connection else {}
        for name, value in {**HEADERS, **length, **closing, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)
