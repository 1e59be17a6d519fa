"""The serving program's answers: an ASGI application around one predictor.

GET /ping answers 200 once the model is loaded, 503 while the program stops. POST /invocations
takes one image and answers a JSON list of probabilities in label order, or, asked by one of
the headers that InvokeEndpoint hands on, `X-Amzn-SageMaker-Custom-Attributes: top_k=5` or
`Accept: application/json; top_k=5`, the likeliest labels:
`[{"label": ..., "probability": ...}, ...]`. The answer's own custom attributes name the classes in
their order, `labels=bicycle,motorcycle`, where they fit: while a release of other classes is rolled
out, a caller cannot know which model answers. Errors are JSON, `{"error": "<one sentence>"}`: 400
for bytes that are not an image, 408 for a body that does not arrive in time, 413 for too many
bytes or pixels, 415 for another content type, 503 where more wait than can be answered soon.
"""

import asyncio
import json
import mmap
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import Executor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import UnsupportedImage
from scones_core.image_header import read_image_header
from scones_core.labels import labels_attribute
from scones_core.limits import ENDPOINT_BODY_BYTES
from scones_core.model_card import ModelCard
from scones_images import ImageError, ImageTooBig, decode

CONTENT_TYPES = ("image/png", "image/jpeg", "application/x-image")
# A client that is still sending reads its answer only if what it sends is taken, up to here.
DRAINED_BYTES = 4 * ENDPOINT_BODY_BYTES
# Beyond it a caller is asked at once to retry later, rather than to wait until it gives up.
MAX_WAITING = 256
# Bodies that are still arriving hold at most so many bytes in one process.
MAX_HELD_BYTES = 32 * ENDPOINT_BODY_BYTES
BODY_SECONDS = 30.0
# An image of so few bytes and so few declared pixels holds up everything else only briefly.
SMALL_BYTES, SMALL_PIXELS = 16 * 1024, 256 * 256
# As a parameter of a media type: any case, spaces around the sign, quotes around the value.
TOP_K = re.compile(r"""(?:^|[,;\s])top_k\s*=\s*"?([^,;\s"]*)""", re.IGNORECASE)
ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, Any]
Headers = Mapping[bytes, bytes]


class Refused(Exception):
    """A request that is answered by another status than 200, and why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Disconnected(Exception):
    """The caller ended the connection before its request was complete."""


class ImagePredictor(Protocol):
    """What answers images: the model that `Predictor` runs."""

    @property
    def card(self) -> ModelCard:
        """The model card."""

    def probabilities(self, images: NDArray[np.uint8], *, all_cores: bool) -> NDArray[np.float32]:
        """Return the probabilities of images of the card's size, shape (N, classes)."""


class Application:
    """Answers HTTP requests; `stopping` is set by whoever is about to stop it.

    `waiting` is the number of images that are being answered. `at_work` holds that number, up
    to 255, of each process over the same socket, in memory that they share; `own` is this one's.
    """

    def __init__(
        self,
        predictor: ImagePredictor,
        executor: Executor,
        at_work: mmap.mmap | bytearray,
        own: int = 0,
        *,
        max_waiting: int = MAX_WAITING,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._predictor, self._executor = predictor, executor
        self._at_work, self._own = at_work, own
        self._max_waiting, self._turn = max_waiting, asyncio.Lock()
        self._wait(0)
        self._held, self._body_seconds = 0, body_seconds
        self._attributes = labels_attribute(predictor.card.labels).encode()
        self.stopping = False

    def _wait(self, count: int) -> None:
        self.waiting = count
        self._at_work[self._own] = min(count, 255)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] == "http":
            try:
                status, body = await self._answer(scope, receive)
            except Disconnected:
                sys.stderr.write("A caller disconnected before its image was complete.\n")
                return
            # The rest of a request that was not read would be taken for the next one.
            unread = status in (408, 503)
            classified = status == 200 and scope["path"] == "/invocations"
            named = ((ATTRIBUTES, self._attributes),) if classified and self._attributes else ()
            await _send(send, status, body, named, last=self.stopping or unread)

    async def _answer(self, scope: Mapping[str, Any], receive: Receive) -> Answer:
        method = {"/ping": "GET", "/invocations": "POST"}.get(scope["path"])
        if method is None:
            return _error(404, "There are /ping and /invocations.")
        if scope["method"] != method:
            return _error(405, f"{scope['path']} takes {method}.")
        if method == "GET":
            if self.stopping:
                return _error(503, "The program is stopping.")
            return 200, {"status": "healthy"}
        self._wait(self.waiting + 1)
        try:
            return await self._invocation(_joined(scope["headers"]), receive)
        finally:
            self._wait(self.waiting - 1)

    async def _invocation(self, headers: Headers, receive: Receive) -> Answer:
        try:
            if self.waiting > self._max_waiting:
                raise Refused(503, "Too many images are waiting; try again in a second.")
            body = await self._read(receive)
            if _content_type(headers) not in CONTENT_TYPES:
                raise Refused(415, f"The content type is one of {', '.join(CONTENT_TYPES)}.")
            return 200, await self._classified(body, _top_k(headers))
        except Disconnected:
            raise
        except Exception as error:
            return _error(*_reason(error))

    async def _read(self, receive: Receive) -> bytes:
        """Return the request's body; raises ImageTooBig once it is longer than is taken.

        Raises Refused where it does not arrive in time, or where all bodies that are arriving
        take too much memory.
        """
        body, length, more = bytearray(), 0, True
        try:
            async with asyncio.timeout(self._body_seconds):
                while more and length <= DRAINED_BYTES:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    chunk = message.get("body", b"")
                    length += len(chunk)
                    if length <= ENDPOINT_BODY_BYTES:
                        body += chunk
                        self._held += len(chunk)
                    if self._held > MAX_HELD_BYTES:
                        raise Refused(503, "Too many images are arriving; try again in a second.")
                    more = message.get("more_body", False)
        except TimeoutError as error:
            raise Refused(
                408, f"The image did not arrive within {self._body_seconds:g} seconds."
            ) from error
        finally:
            self._held -= len(body)
        if length > ENDPOINT_BODY_BYTES:
            raise ImageTooBig(f"The body is longer than {ENDPOINT_BODY_BYTES} bytes.")
        return bytes(body)

    async def _classified(self, body: bytes, top_k: int | None) -> list[Any]:
        if _is_small(body):
            # Handing a small image to another thread and back takes longer than it saves: each
            # core has a process. One image a turn, so that between two others are read: /ping
            # is answered, and those that are too many are refused.
            async with self._turn:
                await asyncio.sleep(0)
                return self.classify(body, top_k)
        loop = asyncio.get_running_loop()
        # Away from the event loop, so that /ping answers while images are decoded.
        return await loop.run_in_executor(self._executor, self.classify, body, top_k)

    def classify(self, body: bytes, top_k: int | None = None) -> list[Any]:
        """Return the answer for one encoded image; raises ImageError.

        Without `top_k` the probabilities in label order; with it so many of the likeliest
        labels, the likeliest first.
        """
        card = self._predictor.card
        pixels = decode(body, card.size, grey=card.grey)
        others = sum(self._at_work[:]) > self._at_work[self._own]
        found = self._predictor.probabilities(pixels[None], all_cores=not others)[0]
        if top_k is None:
            return [float(value) for value in found]
        labels = card.labels
        return [
            {"label": labels[index], "probability": float(found[index])}
            for index in (-found).argsort(kind="stable")[:top_k]
        ]


def _is_small(body: bytes) -> bool:
    """Return whether an image is fast to decode, by its bytes and its declared pixels."""
    if len(body) > SMALL_BYTES:
        return False
    try:
        header = read_image_header(body)
    except UnsupportedImage:
        # The decoder refuses it as quickly.
        return True
    return header.width * header.height <= SMALL_PIXELS


def _reason(error: Exception) -> tuple[int, str]:
    """Return status and sentence for what went wrong with one request."""
    if isinstance(error, Refused):
        return error.status, str(error)
    if isinstance(error, ImageError):
        reason = str(error).rstrip(".")
        return 413 if isinstance(error, ImageTooBig) else 400, f"{reason[:1].upper()}{reason[1:]}."
    if isinstance(error, MemoryError):
        return 503, "There is no memory left for this image; try again."
    # One request must not end the others; what went wrong stands in the log.
    sys.stderr.write(f"Classifying failed by a fault of its own: {error!r}\n")
    return 500, "The image cannot be classified; see the container's log."


def _error(status: int, sentence: str) -> Answer:
    return status, {"error": sentence}


def _joined(given: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return headers by name; one that comes again continues the first, as in RFC 9110, 5.2."""
    headers: dict[bytes, bytes] = {}
    for name, value in given:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def _content_type(headers: Headers) -> str:
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _top_k(headers: Headers) -> int | None:
    """Return how many labels are asked for; None where nothing is, as other attributes may be."""
    header_text = b";".join((headers.get(ATTRIBUTES, b""), headers.get(b"accept", b"")))
    found = TOP_K.search(header_text.decode("latin-1"))
    if found is None:
        return None
    text = found[1]
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text) >= 1):
        raise Refused(400, "top_k is an integer from 1 to 9999.")
    return int(text)


async def _send(
    send: Send, status: int, body: Any, more: Iterable[tuple[bytes, bytes]], *, last: bool
) -> None:
    content = json.dumps(body, allow_nan=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        *more,
    ]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    if last:
        # The caller sends its next request elsewhere, rather than into a connection that ends.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
