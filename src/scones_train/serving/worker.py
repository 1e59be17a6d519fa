"""One process that answers requests, started by `scones_train.serving.workers`."""

import asyncio
import contextlib
import mmap
import os
import re
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scones_core.container_folders import Container
from scones_core.errors import SconesError
from scones_train.serving.application import Application
from scones_train.serving.predictor import Predictor

GRACE_SECONDS = 20
HEAD_SECONDS = 30.0
# How long connections that are kept open get to send a request that is already on its way.
LAST_SECONDS = 0.5
# Longer than those who keep connections do, so that it is never a request that meets the end.
KEEP_ALIVE_SECONDS = 75


# More than any client's head, and than one read of a socket that holds a body as well.
MAX_HEAD_BYTES = 1 << 20
# Where an offer to go on in HTTP/2 stands: among the first bytes of a request.
_OFFER_BYTES = 8192
_UPGRADE = re.compile(rb"\r\nupgrade:(?=[^\r]*h2c)", re.IGNORECASE)
_DECLINED = b"\r\nx-declined-upgrade:"


class DeadlineProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose connections end where a request's head is not complete in time, or too long.

    uvicorn bounds only how long a connection may be idle after an answer: half a head would keep
    one of the process's files for ever, and one without end would fill its memory. An offer to go
    on in HTTP/2, as Java's clients make it, is declined: uvicorn's parser would stop at it and
    lose the body (uvicorn#2722; RFC 9110, 7.8).
    """

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take what arrived; end the connection where a head has no end."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.close()
                return
            if b"h2c" in data[:_OFFER_BYTES]:
                head, end, body = data.partition(b"\r\n\r\n")
                data = _UPGRADE.sub(_DECLINED, head) + end + body
        super().data_received(data)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def on_message_begin(self) -> None:
        """Begin to wait for the end of a head whose first byte is here."""
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Wait no longer: the body has a deadline of its own."""
        self._forget_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._forget_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._forget_head()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Server(uvicorn.Server):
    """A server that reports when it is up, and stops without losing a request.

    Stopped, it answers a little longer: /ping says that it stops, and each answer
    ends its connection. Only then it closes those that are idle, and waits for the rest.
    """

    def __init__(
        self, config: uvicorn.Config, application: Application, line: socket.socket
    ) -> None:
        super().__init__(config)
        self._application, self._line = application, line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and say so."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._line, self._stop)
        with contextlib.suppress(OSError):  # Whoever started it is gone: the line ends as well.
            self._line.send(b"1")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Begin to stop; the same signal again, or the line's end, changes nothing."""
        asyncio.get_running_loop().call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._line)
        if self._application.stopping:
            return
        self._application.stopping = True
        idle = not self.server_state.connections
        loop.call_later(0 if idle else LAST_SECONDS, setattr, self, "should_exit", True)


def main() -> int:
    """Answer over the inherited socket until the line ends; return 0, or 1 without a model."""
    # Until it serves, it has nothing to lose; afterwards `Server` handles both.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    listener, shared, number = (int(argument) for argument in sys.argv[1:])
    cores = len(os.sched_getaffinity(0))
    try:
        predictor = Predictor.load(Container.of(os.environ).model_dir, cores)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    # For images whose decoding would hold up the others.
    with ThreadPoolExecutor(cores, thread_name_prefix="classify") as executor:
        application = Application(predictor, executor, mmap.mmap(shared, 0), number)
        config = uvicorn.Config(
            application,
            http=DeadlineProtocol,
            loop="uvloop",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = Server(config, application, socket.socket(fileno=0))
        server.run(sockets=[socket.socket(fileno=listener)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
