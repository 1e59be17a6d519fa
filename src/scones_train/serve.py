"""The serving container's program: `python -m scones_train.serve`.

It answers as `scones_train.application` says, and imports no PyTorch, so it starts fast and
stays small.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import uvicorn

from scones_core.errors import SconesError, SettingsError
from scones_train.application import Application
from scones_train.container import Container
from scones_train.predictor import Predictor

GRACE_SECONDS = 20
# How long connections that are kept open get to send a request that is already on its way.
LAST_SECONDS = 0.5


class Server(uvicorn.Server):
    """A server that stops without losing a request.

    Told to stop, it answers for a moment more: /ping says that it stops, and each answer
    ends its connection. Only then it closes those that are idle, and waits for the rest.
    """

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second signal stops at once."""
        if self._application.stopping or not self.server_state.connections:
            super().handle_exit(sig, frame)
            return
        self._application.stopping = True
        loop = asyncio.get_running_loop()
        end = super().handle_exit
        loop.call_soon_threadsafe(loop.call_later, LAST_SECONDS, end, sig, frame)


def main() -> int:
    """Serve the model folder that the environment names until told to stop; return 0 or 1."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        listener = _listen(os.environ)
        predictor = Predictor.load(Container.of(os.environ).model_dir, os.cpu_count() or 1)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _run(predictor, listener)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    # While the server runs, its own handlers stop it; it repeats the signal when it is done.
    raise SystemExit(0)


def _listen(environ: Mapping[str, str]) -> socket.socket:
    """Return the bound socket: every address, unless SCONES_BIND_HOST names one."""
    host = environ.get("SCONES_BIND_HOST") or "0.0.0.0"  # noqa: S104 (the container's contract)
    port = environ.get("SAGEMAKER_BIND_TO_PORT") or "8080"
    try:
        listener = socket.create_server((host, int(port)), backlog=512)
    except (OSError, OverflowError, ValueError) as error:
        raise SettingsError(
            f"Port {port} of {host} cannot be listened on ({error}); set SAGEMAKER_BIND_TO_PORT."
        ) from error
    # asyncio sets this for sockets of its own only; without it, an answer on a kept connection
    # waits some 40 ms for the peer's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _run(predictor: Predictor, listener: socket.socket) -> None:
    # For images whose decoding would hold up the others.
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="classify") as executor:
        application = Application(predictor, executor)
        config = uvicorn.Config(
            application,
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        Server(config, application).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
