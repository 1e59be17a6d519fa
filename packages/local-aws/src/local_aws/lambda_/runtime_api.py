"""The Lambda Runtime API for one worker: a listener of its own that hands out invocations.

Each worker has its own port, so that a request, or its absence, is always that worker's. The
connection must be that of the worker's process, and a request must not come from a web page.
Paths and headers: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import json
import socketserver
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# 6 MB and what an answer's envelope may add: the quota of a synchronous answer.
MAX_RESPONSE_BYTES = 6_291_556
_PREFIX = "/2018-06-01/runtime"
_PIECE_BYTES = 1_048_576
_EXPECT_SECONDS = 5.0
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    410: "Gone",
}


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
    trace: str = ""
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
        """Return the headers that the runtime gets with the event."""
        context = {"Lambda-Runtime-Client-Context": self.client_context}
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            **({"Lambda-Runtime-Trace-Id": self.trace} if self.trace else {}),
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
        self._free = threading.Condition(self._lock)
        self._peer: int | None = None
        self._expected = threading.Event()
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

    def expect(self, pid: int) -> None:
        """Serve the connections of that process; before this is called none is served."""
        self._peer = pid
        self._expected.set()

    def admits(self, address: tuple[str, int]) -> bool:
        """Return whether a connection from that address is the expected process's."""
        if not self._expected.wait(_EXPECT_SECONDS) or self._peer is None:
            return False
        return owns_connection(self._peer, address, self._server.server_address[1])

    def deliver(self, invocation: Invocation) -> None:
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
        """Give the runtime's connection the next event, once there is one.

        A second one that asks while the first waits is refused.
        """
        with self._lock:
            taken = self._waiting is not None
            if not taken:
                given, self._next = self._next, None
                if given is None and not self._closed:
                    self._waiting = handler
        if taken:
            handler.refuse(409)
            return
        # Set after the runtime is known to wait, so that the first event finds it.
        self.initialised.set()
        if given is not None or self._closed:
            handler.give(given)

    def left(self, handler: "_Handler") -> None:
        """Note that a connection has ended, so that another one may wait."""
        with self._lock:
            if self._waiting is handler:
                self._waiting = None
            self._free.notify_all()

    def wait_until_free(self, seconds: float) -> bool:
        """Return whether no connection waits for an event, within that time."""
        with self._lock:
            return self._free.wait_for(lambda: self._waiting is None, seconds)

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


def owns_connection(pid: int, client: tuple[str, int], port: int) -> bool:
    """Return whether a process holds the client's end of a connection to a port here.

    Where the system has no /proc, every process of this host is taken for the right one.
    """
    if not Path("/proc/self/net/tcp").exists():
        return True
    inode = _inode(client[1], port)
    if inode is None:
        return False
    socket_link = f"socket:[{inode}]"
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) == socket_link:
                    return True
    return False


def _inode(client_port: int, port: int) -> str | None:
    """Return the socket of the loopback's connection from one port to another."""
    ends = f" 0100007F:{client_port:04X} 0100007F:{port:04X} "
    for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines():
        if ends in line:
            return line.split()[9]
    return None


def _too_large() -> bytes:
    message = (
        f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
    )
    error = {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
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
        if not self.server.api.admits(self.client_address):
            return
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                while line := self.rfile.readline(65_536):
                    method, path, _ = line.decode("ascii").split(" ", 2)
                    headers = self._headers()
                    if self._is_foreign(headers):
                        self.refuse(403)
                        return
                    self._serve(method, path, headers)
        finally:
            self.server.api.left(self)

    def _is_foreign(self, headers: dict[str, str]) -> bool:
        """Return whether a browser sent the request, or it was meant for another host."""
        from_page = any(name == "origin" or name.startswith("sec-fetch-") for name in headers)
        return from_page or headers.get("host") != self.server.api.address

    def refuse(self, status: int) -> None:
        """Answer a request that is not served."""
        with contextlib.suppress(OSError, ValueError):
            self._answer(status, b"{}", {})

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
        """Answer the runtime that waits; None says that no event will come."""
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
