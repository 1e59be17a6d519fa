"""The Lambda Runtime API for one worker: a listener of its own that hands out invocations.

Each worker has its own port, so that a request, or its absence, is always that worker's.
Paths and headers: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PREFIX = "/2018-06-01/runtime"


@dataclass(slots=True)
class Invocation:
    """One event on its way through a worker. `result` and `failed` are set before `done`."""

    body: bytes
    function_arn: str
    timeout_seconds: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline: float = 0.0
    result: bytes = b""
    failed: bool = False
    done: threading.Event = field(default_factory=threading.Event)

    def finish(self, result: bytes, *, failed: bool) -> None:
        """Set the outcome, unless there is one."""
        if not self.done.is_set():
            self.result, self.failed = result, failed
            self.done.set()

    def headers(self) -> dict[str, str]:
        """Return what the runtime is told beside the event."""
        trace = f"Root=1-{int(time.time()):08x}-{self.request_id.replace('-', '')[:24]};Sampled=0"
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": trace,
        }


class RuntimeApi:
    """A listener on a free port of the loopback, for one runtime.

    `initialised` is set when the runtime first asks for an event, or reports that it cannot
    start; `init_error` then is its report. `close` ends a waiting runtime's request.
    """

    def __init__(self) -> None:
        self.initialised = threading.Event()
        self.init_error: bytes | None = None
        self._inbox: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
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
        """Give the runtime its next event."""
        self._inbox.put(invocation)

    def close(self) -> None:
        """Stop listening. Returns at once; the listener's thread ends by itself."""
        self._inbox.put(None)
        threading.Thread(target=self._server.end, daemon=True).start()

    def take(self) -> Invocation | None:
        """Return the next event for the runtime, None when the listener closes."""
        self.initialised.set()
        self._current = self._inbox.get()
        return self._current

    def report(self, path: str, body: bytes) -> bool:
        """Take what the runtime posts; return whether the path is one of the API's."""
        if path == f"{_PREFIX}/init/error":
            self.init_error = body
            self.initialised.set()
            return True
        start, _, kind = path.rpartition("/")
        current = self._current
        if current is None or start != f"{_PREFIX}/invocation/{current.request_id}":
            return False
        if kind not in ("response", "error"):
            return False
        current.finish(body, failed=kind == "error")
        return True


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 8

    def __init__(self, api: RuntimeApi) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Handler)

    def end(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a killed worker's connection breaks."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Log no access."""

    def do_GET(self) -> None:
        """Answer `/invocation/next` when there is an event."""
        if self.path != f"{_PREFIX}/invocation/next":
            self._answer(404, b"{}", {})
            return
        invocation = self.server.api.take()
        if invocation is None:
            self._answer(410, b"{}", {})
        else:
            self._answer(200, invocation.body, invocation.headers())

    def do_POST(self) -> None:
        """Take a response, an error or an init error."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.server.api.report(self.path, body)
        self._answer(202 if known else 400, b'{"status":"OK"}', {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
