"""The HTTP server in front of everything: kept connections, and never too few threads."""

import itertools
import queue
import re
import select
import socket
import threading
from typing import Any
from urllib.parse import unquote_to_bytes

from cheroot import server as cheroot_server
from cheroot import wsgi
from cheroot.workers.threadpool import WorkerThread

from local_aws.core.admin_api import Wsgi
from local_aws.server.connection_streams import streams
from local_aws.server.peers import is_own
from local_aws.server.request_bodies import MAX_BYTES, RequestBody

# What waits to be accepted when hundreds of clients come at once.
BACKLOG = 1024
# The sum of what a laptop's clients keep open; a kept connection needs no thread.
_KEPT_CONNECTIONS = 4096
_IDLE_SECONDS = 600
# A thread waits so long for a connection's next request before the connection is watched by the
# thread that accepts: most clients go on at once, and each handing over costs as much as a call.
_LINGER_MILLISECONDS = 30
_ERROR_LEVEL = 40
# More than any client sends: URLs of S3 and Lambda's client context have some kilobytes.
MAX_HEAD_BYTES = 1 << 20
_METADATA = b"X-Amz-Meta-"
# No whitespace before the colon, no folded line and no control character in a value, for which
# https://www.rfc-editor.org/rfc/rfc9112#section-5 has a request refused.
_HEADER = re.compile(rb"([^\0- :\x7f]+):([^\0\r\n]*)\r\n")
_CRLF = b"\r\n"
_LENGTH = b"Content-Length"
# A second one with another value makes two requests out of one.
_ONCE = (_LENGTH, b"Host")
# Under it moto looks for the names of headers that WSGI cannot spell.
_NAMES = "moto.preserved_header_names"


class ThreadPool:
    """Threads that take connections, one more whenever none is free. Thread-safe.

    A request may wait for other requests (an execution for its functions, a function for the
    bucket that it reads), so any bound on the threads would be a deadlock for some workload.
    It has the attributes that cheroot asks of a pool.
    """

    min = 16

    def __init__(self, server: Any) -> None:
        self._server = server
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # Threads that wait, less the connections that wait for them.
        self._free = 0
        self._names = itertools.count()

    def start(self) -> None:
        """Start the first threads."""
        for _ in range(self.min):
            self._start_thread(idle=True)

    def put(self, connection: Any) -> None:
        """Have a thread serve the connection at once."""
        with self._lock:
            needed = self._free == 0
            self._free -= not needed
        self._waiting.put(connection)
        if needed:
            self._start_thread(idle=False)

    def get(self) -> Any:
        """Return the next connection; a thread comes back for it when it has served one."""
        thread: Any = threading.current_thread()
        if thread.counted:
            with self._lock:
                self._free += 1
        thread.counted = True
        return self._waiting.get()

    def stop(self, timeout: float = 0) -> None:
        """Wait for nothing: the threads end with the process."""

    def _start_thread(self, *, idle: bool) -> None:
        thread: Any = WorkerThread(self._server)  # type: ignore[no-untyped-call]
        thread.counted = idle
        thread.daemon = True
        thread.name = f"request-{next(self._names)}"
        thread.start()


class _HeaderReader:
    """Drops what WSGI would take for another header, and keeps S3's metadata keys."""

    def __call__(self, stream: Any, headers: dict[bytes, bytes]) -> None:
        """Add the headers of a request; raises ValueError for a malformed one."""
        while (line := stream.readline()) != _CRLF:
            found = _HEADER.fullmatch(line)
            if found is None:
                raise ValueError("Malformed header line.")
            name, value = found[1].title(), found[2].strip()
            if b"_" in name and not name.startswith(_METADATA):
                continue
            before = headers.get(name)
            if before is not None and name not in _ONCE:
                value = b", ".join((before, value))
            elif before not in (None, value):
                raise ValueError(f"Two {name.decode()} headers with different values.")
            headers[name] = value


class _Request(cheroot_server.HTTPRequest):
    header_reader = _HeaderReader()

    def read_request_line(self) -> bool:
        """Read the first line; return False, with an answer given, for a malformed one."""
        try:
            read: bool = super().read_request_line()  # type: ignore[no-untyped-call]
        except ValueError:  # as of a path that begins as the address of another host
            return self._refuse("Malformed Request-URI")
        return read

    def read_request_headers(self) -> bool:
        """Read the headers; return False, with an answer given, if the body's end is not clear."""
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        length, coding = map(self.inheaders.get, (_LENGTH, b"Transfer-Encoding"))
        if length is not None and not length.isdigit():
            return self._refuse("Malformed Content-Length Header.")
        if coding is not None and not (
            self.chunked_read and coding.lower() == b"chunked" and length is None
        ):
            return self._refuse("Malformed Transfer-Encoding Header.")
        return True

    def _refuse(self, why: str) -> bool:
        # The connection is closed: nobody knows where the next request begins.
        self.simple_response("400 Bad Request", why)
        return False

    def send_headers(self) -> None:
        """Keep the head until the first of the body, so that both are sent in one.

        What nobody has read of the request's body is dropped before; a connection on which no
        other request can follow is closed.
        """
        self.close_connection = self.close_connection or not self.rfile.skip()
        self.conn.wfile.corked = True
        try:
            super().send_headers()
        finally:
            self.conn.wfile.corked = False

    def respond(self) -> None:
        """Answer; send the head of an answer that has no body."""
        super().respond()
        self.conn.wfile.flush()


class _Connection(cheroot_server.HTTPConnection):
    RequestHandlerClass = _Request

    def __init__(self, server: Any, sock: socket.socket, _: Any = None) -> None:
        super().__init__(server, sock, streams)
        self.is_own = is_own(sock)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def communicate(self) -> bool:
        """Serve requests as long as one follows the other; return whether to keep it open."""
        kept: bool = super().communicate()  # type: ignore[no-untyped-call]
        while kept and (self.rfile.has_data() or self._poll.poll(_LINGER_MILLISECONDS)):
            kept = super().communicate()  # type: ignore[no-untyped-call]
        return kept


class _Gateway(wsgi.Gateway_10):
    """WSGI as moto expects it: the whole path decoded, and next to it the path as it came."""

    def get_environ(self) -> Any:
        """Return the environment of a request, a dictionary."""
        length = None if self.req.chunked_read else int(self.req.inheaders.get(_LENGTH, 0))
        self.req.rfile = RequestBody(self.req.conn.rfile, length)
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        uri = environ["REQUEST_URI"]
        path = uri.partition("?")[0]
        environ["RAW_URI"] = uri
        environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        names = [name.decode() for name in self.req.inheaders if b"_" in name]
        environ[_NAMES] = {f"HTTP_{name.upper().replace('-', '_')}": name for name in names}
        return environ


class WebServer(wsgi.Server):
    """Serves a WSGI application on a bound socket, from `start` to `stop`."""

    ConnectionClass = _Connection
    keep_alive_conn_limit = _KEPT_CONNECTIONS
    max_request_header_size = MAX_HEAD_BYTES
    max_request_body_size = MAX_BYTES
    expiration_interval = 0.1

    def __init__(self, listener: socket.socket, application: Wsgi) -> None:
        address = listener.getsockname()
        super().__init__(address, application, request_queue_size=BACKLOG, timeout=_IDLE_SECONDS)
        self.gateway = _Gateway
        self.requests = ThreadPool(self)
        self._listener = listener

    def bind(self, *_: int) -> socket.socket:
        """Take the socket that is bound already, whatever the address family."""
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = self._listener
        return self._listener

    def process_conn(self, conn: Any) -> None:
        """Have a thread serve a connection; one of another user of the host is closed."""
        if conn.is_own:
            super().process_conn(conn)
        else:
            conn.close()

    def start(self) -> None:
        """Serve in a thread; return once connections are taken."""
        self.prepare()
        threading.Thread(target=self.serve, name="accept", daemon=True).start()

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Log faults alone: a client that goes away is none."""
        if level >= _ERROR_LEVEL:
            super().error_log(msg, level, traceback)
