"""The review page's server: loopback only, for the one who has its token.

Any page that the reviewer's browser has open may send requests to this host. So the server checks
the Host header (another name may be made to point here), the Origin, and a token that no other
page knows: a request without it changes and shows nothing.
"""

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from scones_core.errors import MonitorError, SconesError
from scones_core.reviews import Agreement, Answer
from scones_monitor.review.session import NotCurrent, ReviewSession

HOST = "127.0.0.1"
MAX_BODY_BYTES = 4096
FIRST_IMAGE_SECONDS = 2.0
"""How long a request waits for the first image to be loaded."""

PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
OTHER_START = (
    "This page belongs to an earlier start of inv review, or its address is incomplete. Open the "
    "address that inv review printed last; every answer that you gave is kept."
)
REFUSED = "Requests of other pages are refused."


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class ReviewServer:
    """A server on 127.0.0.1; `port` 0 takes a free one.

    `upload` gives what the page shows of the uploads: how many answers wait, and what is wrong.
    `others` gives the answers of other reviewers as they are now.
    """

    def __init__(
        self,
        session: ReviewSession,
        port: int = 0,
        *,
        upload: Callable[[], tuple[int, str]] = lambda: (0, ""),
        others: Callable[[], tuple[Answer, ...]] = tuple,
    ) -> None:
        self._session, self._upload, self._others = session, upload, others
        self._token = secrets.token_urlsafe(32)
        self._once = {secrets.token_urlsafe(32)}
        self._lock = threading.Lock()
        self._pages = {
            path: ((files(__package__) / "page" / name).read_bytes(), kind)
            for path, (name, kind) in PAGES.items()
        }
        review = self

        class Handler(_Handler):
            server_of = review

        try:
            self._http = _Http((HOST, port), Handler)
        except OSError as error:
            raise MonitorError(
                f"The port {port} cannot be used: {error.strerror}; give another --port, or none."
            ) from error
        self.port: int = self._http.server_address[1]
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.1,), name="review-server", daemon=True
        )

    @property
    def address(self) -> str:
        """The page's address with its token, for a person."""
        return f"http://{HOST}:{self.port}/#{self._token}"

    @property
    def address_once(self) -> str:
        """An address that works once: a browser's command line is seen by all users of a host."""
        (code,) = self._once or {""}
        return f"http://{HOST}:{self.port}/#{code}"

    def start(self) -> None:
        """Answer requests in the background."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._http.shutdown()
        self._http.server_close()

    def page(self, path: str) -> tuple[bytes, str] | None:
        """Return a file of the page and its content type."""
        return self._pages.get(path)

    def hosts(self) -> set[str]:
        """Return the values of the Host header that are this server's."""
        return {f"{name}:{self.port}" for name in (HOST, "localhost")}

    def exchange(self, code: str) -> str:
        """Return the token for a code of an address; raises _Refused for an unknown one."""
        if hmac.compare_digest(code.encode(), self._token.encode()):
            return self._token
        with self._lock:
            for known in self._once:
                if hmac.compare_digest(code.encode(), known.encode()):
                    self._once.discard(known)
                    return self._token
        raise _Refused(HTTPStatus.UNAUTHORIZED, OTHER_START)

    def require_token(self, header: str) -> None:
        """Raise _Refused without the token in an Authorization header."""
        if not hmac.compare_digest(header.encode(), f"Bearer {self._token}".encode()):
            raise _Refused(HTTPStatus.UNAUTHORIZED, OTHER_START)

    def get(self, path: str) -> tuple[bytes, str]:
        """Return the body and the type for a GET below /api/."""
        if path == "/api/state":
            self._session.look_again()
            return self._json(self._session.state(FIRST_IMAGE_SECONDS))
        if path == "/api/agreement":
            found = self._session.agreements(self._others())
            return self._json({"pairs": [_pair(one) for one in found]})
        if path.startswith("/api/image/"):
            return self._session.picture(path.removeprefix("/api/image/")), "image/png"
        raise _Refused(HTTPStatus.NOT_FOUND, "There is nothing at this address.")

    def post(self, path: str, body: Mapping[str, Any]) -> tuple[bytes, str]:
        """Return the body and the type for a POST below /api/, once the change is on disk."""
        if path == "/api/answer":
            item, label, seconds = _text(body, "item"), _text(body, "label"), _seconds(body)
            return self._json(self._session.answer(item, label, seconds))
        if path == "/api/skip":
            return self._json(self._session.skip(_text(body, "item"), _seconds(body)))
        if path == "/api/undo":
            return self._json(self._session.undo())
        if path == "/api/resume":
            return self._json(self._session.resume_skipped())
        raise _Refused(HTTPStatus.NOT_FOUND, "There is nothing at this address.")

    def _json(self, content: dict[str, Any]) -> tuple[bytes, str]:
        if "progress" in content:
            pending, trouble = self._upload()
            content["progress"]["not_uploaded"] = pending
            content["trouble"] = " ".join(t for t in (content["trouble"], trouble) if t)
        return json.dumps(content).encode(), "application/json"


def _pair(one: Agreement) -> dict[str, Any]:
    return {
        "other": one.second,
        "n": one.n,
        "agreed": one.agreed,
        "kappa": one.kappa,
        "disagreements": [
            {"id": sha256, "own": own, "other": other}
            for sha256, own, other in one.disagreements[:200]
        ],
    }


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"The request has no {name}; reload the page.")
    return value


def _seconds(body: Mapping[str, Any]) -> float:
    value = body.get("seconds", 0)
    # A comparison is false for NaN.
    return float(value) if type(value) in (int, float) and 0 <= value < 1e9 else 0.0


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    # After a restart on the same port, connections of the old process may still linger.
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a browser that goes away is no error of this task."""


class _Handler(BaseHTTPRequestHandler):
    server_of: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "review", ""
    # Seconds that a connection may be silent.
    timeout = 60

    def do_GET(self) -> None:
        """Answer a file of the page, or a request of it."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answer a change."""
        self._answer(self._post)

    def _get(self) -> tuple[bytes, str]:
        path = urlsplit(self.path).path
        page = self.server_of.page(path)
        if page is not None:
            return page
        self._require_own_page()
        self.server_of.require_token(self.headers.get("Authorization", ""))
        return self.server_of.get(path)

    def _post(self) -> tuple[bytes, str]:
        body = self._body()
        self._require_own_page()
        path = urlsplit(self.path).path
        if path == "/api/session":
            return json.dumps({"token": self.server_of.exchange(_text(body, "code"))}).encode(), (
                "application/json"
            )
        self.server_of.require_token(self.headers.get("Authorization", ""))
        return self.server_of.post(path, body)

    def _answer(self, method: Callable[[], tuple[bytes, str]]) -> None:
        status = HTTPStatus.OK
        try:
            self._require_own_host()
            body, kind = method()
        except _Refused as error:
            # Its body may not have been read.
            self.close_connection = True
            status, body, kind = error.status, _sentence(error), "application/json"
        except NotCurrent as error:
            status, body, kind = HTTPStatus.CONFLICT, _sentence(error), "application/json"
        except SconesError as error:
            status, body, kind = (
                HTTPStatus.SERVICE_UNAVAILABLE,
                _sentence(error),
                "application/json",
            )
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _require_own_host(self) -> None:
        if self.headers.get("Host", "") not in self.server_of.hosts():
            raise _Refused(
                HTTPStatus.FORBIDDEN,
                f"Open the page as http://{HOST}:{self.server_of.port}: other names are refused.",
            )

    def _require_own_page(self) -> None:
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{h}" for h in self.server_of.hosts()}:
            raise _Refused(HTTPStatus.FORBIDDEN, REFUSED)
        if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise _Refused(HTTPStatus.FORBIDDEN, REFUSED)

    def _body(self) -> Mapping[str, Any]:
        wrong = _Refused(HTTPStatus.BAD_REQUEST, "The request is not a small JSON object.")
        length = self.headers.get("Content-Length", "")
        # The type is one that no form of another page can send.
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES or kind != "application/json":
            raise wrong
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise wrong from None
        if not isinstance(body, dict):
            raise wrong
        return body

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows the address."""


def _sentence(error: Exception) -> bytes:
    return json.dumps({"error": str(error)}).encode()
