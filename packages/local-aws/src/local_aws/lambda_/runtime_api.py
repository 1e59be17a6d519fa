"""The Lambda Runtime API for one worker: a listener of its own that hands out invocations.

Each worker has its own port, so that a request, or its absence, is always that worker's.
Paths and headers: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import json
import socketserver
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

# 6 MB and what an answer's envelope may add: the quota of a synchronous answer.
MAX_RESPONSE_BYTES = 6_291_556
_PREFIX = "/2018-06-01/runtime"
_PIECE_BYTES = 1_048_576
_REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 410: "Gone"}


@dataclass(slots=True)
class Invocation:
    """One event on its way through a worker. `result` and `failed` are set before `done`.

    The request id stays the same when an event is tried again.
    """

    body: bytes
    function_arn: str
    timeout_seconds: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_context: str = ""
    deadline: float = 0.0
    result: bytes = b""
    failed: bool = False
    seconds: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    def finish(self, result: bytes, *, failed: bool) -> None:
        """Set the outcome, unless there is one."""
        if not self.done.is_set():
            self.result, self.failed = result, failed
            self.done.set()

    def headers(self) -> dict[str, str]:
        """Return what the runtime is told beside the event."""
        trace = f"Root=1-{int(time.time()):08x}-{self.request_id.replace('-', '')[:24]};Sampled=0"
        context = {"Lambda-Runtime-Client-Context": self.client_context}
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": trace,
            **(context if self.client_context else {}),
        }


class RuntimeApi:
    """A listener on a free port of the loopback, for one runtime.

    `initialised` is set when the runtime first asks for an event, or reports that it cannot
    start; `init_error` then is its report. `close` ends a waiting runtime's request.
    """

    def __init__(self) -> None:
        self.initialised = threading.Event()
        self.init_error: bytes | None = None
        self._lock = threading.Lock()
        # The runtime's connection while it waits for an event, or the event that waits for it.
        self._waiting: _Handler | None = None
        self._next: Invocation | None = None
        self._closed = False
        self._current: Invocation | None = None
        self._server = _Listener(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Return `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def hand_out(self, invocation: Invocation) -> None:
        """Give the runtime its next event; a waiting one gets it from this thread."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
            self._current = invocation
            self._next = None if waiting else invocation
        if waiting is not None:
            waiting.give(invocation)

    def close(self) -> None:
        """Stop listening. Returns at once; the listener's thread ends by itself."""
        with self._lock:
            waiting, self._waiting, self._closed = self._waiting, None, True
        if waiting is not None:
            waiting.give(None)
        threading.Thread(target=self._server.end, daemon=True).start()

    def ask(self, handler: "_Handler") -> None:
        """Give the runtime's connection the next event, once there is one."""
        with self._lock:
            given, self._next = self._next, None
            if given is None and not self._closed:
                self._waiting = handler
        # Set after the runtime is known to wait, so that the first event finds it.
        self.initialised.set()
        if given is not None or self._closed:
            handler.give(given)

    def report(self, path: str, body: bytes | None) -> bool:
        """Take what the runtime posts; return whether the path is one of the API's.

        `body` is None for one that is over the quota of an answer.
        """
        if path == f"{_PREFIX}/init/error":
            self.init_error = _too_large() if body is None else body
            self.initialised.set()
            return True
        start, _, kind = path.rpartition("/")
        current = self._current
        if current is None or start != f"{_PREFIX}/invocation/{current.request_id}":
            return False
        if kind not in ("response", "error"):
            return False
        if body is None:
            current.finish(_too_large(), failed=True)
        else:
            current.finish(body, failed=kind == "error")
        return True


def _too_large() -> bytes:
    said = (
        f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
    )
    error = {"errorMessage": said, "errorType": "Function.ResponseSizeTooLarge"}
    return json.dumps(error).encode()


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 8
    allow_reuse_address = True

    def __init__(self, api: RuntimeApi) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Handler)

    def end(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a killed worker's connection breaks."""


class _Handler(socketserver.StreamRequestHandler):
    """Just enough HTTP for one known client; anything else ends the connection.

    http.server reads each request with the parser for e-mail, which takes longer than all the
    rest of a warm invocation.
    """

    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            while line := self.rfile.readline(65_536):
                method, path, _ = line.decode("ascii").split(" ", 2)
                self._serve(method, path, self._headers())

    def _serve(self, method: str, path: str, headers: dict[str, str]) -> None:
        if method == "POST":
            body = self._body(headers)
            known = self.server.api.report(path, body)
            self._answer(202 if known else 400, b'{"status":"OK"}', {})
        elif path != f"{_PREFIX}/invocation/next":
            self._answer(404, b"{}", {})
        else:
            self.server.api.ask(self)

    def give(self, invocation: Invocation | None) -> None:
        """Answer the runtime that waits; None tells it that there is nothing more."""
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            if invocation is None:
                self._answer(410, b"{}", {})
            else:
                self._answer(200, invocation.body, invocation.headers())

    def _headers(self) -> dict[str, str]:
        found = {}
        while line := self.rfile.readline(65_536).strip():
            name, _, value = line.decode("latin-1").partition(":")
            found[name.lower()] = value.strip()
        return found

    def _body(self, headers: dict[str, str]) -> bytes | None:
        """Return the body; None, with nothing kept of it, when it is over the quota."""
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        left = int(headers.get("content-length") or 0)
        if left <= MAX_RESPONSE_BYTES:
            return self.rfile.read(left)
        while left > 0 and (piece := self.rfile.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
        return None

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        self.wfile.flush()
