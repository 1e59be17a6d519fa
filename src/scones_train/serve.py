"""The serving container's program: `python -m scones_train.serve`.

GET /ping answers 200 once the model is loaded. POST /invocations takes one image and answers
a JSON list of probabilities in label order. Errors are JSON, `{"error": "<one sentence>"}`:
400 for bytes that are no image, 413 for too many bytes or pixels, 415 for another content
type. It imports no PyTorch, so it starts fast and stays small.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from types import FrameType
from typing import Any

import uvicorn

from scones_core.errors import SconesError, SettingsError
from scones_train.container import Container
from scones_train.decode import MAX_BYTES, ImageError, ImageTooBig, decode
from scones_train.predictor import Predictor

CONTENT_TYPES = ("image/png", "image/jpeg", "application/x-image")
# A client that is still sending reads its answer only if what it sends is taken, up to here.
DRAINED_BYTES = 4 * MAX_BYTES
GRACE_SECONDS = 20

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, Any]


class Application:
    """The ASGI application around one predictor."""

    def __init__(self, predictor: Predictor, executor: Executor) -> None:
        self._predictor, self._executor = predictor, executor

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] == "http":
            status, body = await self._answer(scope, receive)
            await _send(send, status, body)

    async def _answer(self, scope: Mapping[str, Any], receive: Receive) -> Answer:
        wanted = {"/ping": "GET", "/invocations": "POST"}.get(scope["path"])
        if wanted is None:
            return _error(404, "There are /ping and /invocations.")
        if scope["method"] != wanted:
            return _error(405, f"{scope['path']} takes {wanted}.")
        if wanted == "GET":
            return 200, {"status": "healthy"}
        return await self._invocation(_content_type(scope), receive)

    async def _invocation(self, content_type: str, receive: Receive) -> Answer:
        try:
            body = await _read(receive)
        except ImageTooBig as error:
            return _error(413, str(error))
        if content_type not in CONTENT_TYPES:
            return _error(415, f"The content type is one of {', '.join(CONTENT_TYPES)}.")
        loop = asyncio.get_running_loop()
        try:
            # Away from the event loop, so that /ping answers while images are decoded.
            return 200, await loop.run_in_executor(self._executor, self.classify, body)
        except ImageTooBig as error:
            return _error(413, str(error))
        except ImageError as error:
            return _error(400, str(error))

    def classify(self, body: bytes) -> list[float]:
        """Return the probabilities, in label order, of one encoded image; raises ImageError."""
        pixels = decode(body, self._predictor.card.size)
        return [float(value) for value in self._predictor.probabilities(pixels[None])[0]]


def _error(status: int, sentence: str) -> Answer:
    return status, {"error": sentence}


def _content_type(scope: Mapping[str, Any]) -> str:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


async def _read(receive: Receive) -> bytes:
    """Return the request's body; raises ImageTooBig once it is longer than is taken."""
    body, length, more = bytearray(), 0, True
    while more and length <= DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError
        chunk = message.get("body", b"")
        length += len(chunk)
        if length <= MAX_BYTES:
            body += chunk
        more = message.get("more_body", False)
    if length > MAX_BYTES:
        raise ImageTooBig(f"The body is longer than {MAX_BYTES} bytes.")
    return bytes(body)


async def _send(send: Send, status: int, body: Any) -> None:
    content = json.dumps(body, allow_nan=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def main() -> int:
    """Serve the model folder that the environment names until told to stop; return 0 or 1."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        listener = _listen(os.environ)
        predictor = Predictor.load(Container.of(os.environ).model_dir)
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
    # One thread an image and as many as there are cores: more images a second than the same
    # threads within one image.
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="classify") as executor:
        config = uvicorn.Config(
            Application(predictor, executor),
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
