import asyncio
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from uvicorn.config import Config
from uvicorn.server import ServerState

from scones_core.model_card import ModelCard
from scones_train.serving.application import Application
from scones_train.serving.worker import MAX_HEAD_BYTES, DeadlineProtocol

DEADLINE_SECONDS = 30


class Model:
    """Answers every image alike."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def probabilities(self, images: NDArray[np.uint8], *, all_cores: bool) -> NDArray[np.float32]:
        del images, all_cores
        return np.array([[0.25, 0.75]], dtype=np.float32)


@pytest.fixture
def config(card: ModelCard) -> Iterator[Config]:
    with ThreadPoolExecutor(1) as executor:
        application = Application(Model(card), executor, bytearray(1))
        made = uvicorn.Config(application, lifespan="off", log_level="error", server_header=False)
        made.load()
        yield made


async def answered(config: Config, *parts: bytes) -> bytes:
    """Send the parts of a request, and return all that is answered until the connection ends."""
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: DeadlineProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server, asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 20), (200, 120, 40)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_an_offer_to_go_on_in_http_2_is_declined_and_the_image_answered(
    config: Config, chunked: bool, apart: bool
) -> None:
    body = png()
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    head = (
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Type: image/png\r\n" + length
    )
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    parts = (head + b"\r\n\r\n", sent) if apart else (head + b"\r\n\r\n" + sent,)

    answer = asyncio.run(answered(config, *parts))

    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == [0.25, 0.75]


def test_a_head_without_end_ends_its_connection(config: Config) -> None:
    line = b"X-Header: " + b"y" * 60_000 + b"\r\n"
    lines = [line] * (2 * MAX_HEAD_BYTES // len(line))
    assert asyncio.run(answered(config, b"GET /ping HTTP/1.1\r\n", *lines)) == b""


def test_a_long_head_that_ends_is_answered(config: Config) -> None:
    head = b"GET /ping HTTP/1.1\r\nConnection: close\r\nX-Header: " + b"y" * 60_000 + b"\r\n\r\n"
    assert asyncio.run(answered(config, head)).startswith(b"HTTP/1.1 200")
