"""The serving container's program: `python -m scones_train.serving.serve`.

It listens, and keeps a worker for each core, which runs `scones_train.serving.application`.
Neither imports PyTorch, so they start fast and stay small.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from types import FrameType

from scones_core.errors import SconesError, SettingsError
from scones_train.serving.workers import Workers


def main() -> int:
    """Serve the model folder that the environment names until it is stopped; return 0 or 1."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        count, listener = _count(os.environ), _listen(os.environ)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return asyncio.run(Workers(listener, count).run())


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _count(environ: Mapping[str, str]) -> int:
    """Return how many workers there are: SageMaker's own variable says it, else the cores."""
    text = environ.get("SAGEMAKER_MODEL_SERVER_WORKERS") or str(len(os.sched_getaffinity(0)))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:4]) <= 256):
        raise SettingsError(
            f"SAGEMAKER_MODEL_SERVER_WORKERS is {text[:20]!r}; set it to a number from 1 to 256."
        )
    return int(text)


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


if __name__ == "__main__":
    sys.exit(main())
