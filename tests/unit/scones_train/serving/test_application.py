import asyncio
import io
import json
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scones_core.model_card import ModelCard
from scones_train.serving import application as module
from scones_train.serving.application import SMALL_BYTES, Application, Message


class Model:
    """Answers what it is given, or raises it; sizes are those of the card."""

    def __init__(self, card: ModelCard, answer: Any = (0.25, 0.75)) -> None:
        self.card, self.answer = card, answer
        self.on_all_cores: list[bool] = []

    def probabilities(self, images: NDArray[np.uint8], *, all_cores: bool) -> NDArray[np.float32]:
        self.on_all_cores.append(all_cores)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return np.array([self.answer], dtype=np.float32)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def png(side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 90).save(buffer, "PNG")
    return buffer.getvalue()


async def ask(
    application: Application,
    method: str = "POST",
    path: str = "/invocations",
    body: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> tuple[int, dict[bytes, bytes], Any]:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(b"content-type", b"image/png"), *headers],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


def test_an_answer_names_the_classes_of_its_model_where_they_fit(
    card: ModelCard, executor: ThreadPoolExecutor
) -> None:
    def attributes(labels: tuple[str, ...], body: bytes) -> bytes | None:
        model = Model(replace(card, labels=labels), [1 / len(labels)] * len(labels))
        _, headers, _ = asyncio.run(ask(Application(model, executor, bytearray(1)), body=body))
        return headers.get(b"x-amzn-sagemaker-custom-attributes")

    assert attributes(("bus", "pickup_truck"), png()) == b"labels=bus,pickup_truck"
    assert attributes(tuple(f"class-{n}" for n in range(500)), png()) is None
    assert attributes(("bus", "pickup_truck"), b"no image") is None


@pytest.mark.parametrize("side", [8, 300])
def test_small_and_large_images_answer_alike(
    card: ModelCard, executor: ThreadPoolExecutor, side: int
) -> None:
    assert (len(png(side)) > SMALL_BYTES) is (side == 300)
    status, _, answer = asyncio.run(
        ask(Application(Model(card), executor, bytearray(1)), body=png(side))
    )
    assert (status, answer) == (200, [0.25, 0.75])


@pytest.mark.parametrize("side", [8, 300])
def test_more_than_can_be_answered_soon_is_asked_to_retry(
    card: ModelCard, executor: ThreadPoolExecutor, side: int
) -> None:
    application = Application(Model(card), executor, bytearray(1), max_waiting=2)

    async def at_once() -> list[tuple[int, dict[bytes, bytes], Any]]:
        return await asyncio.gather(*(ask(application, body=png(side)) for _ in range(5)))

    answers = asyncio.run(at_once())
    statuses = [status for status, *_ in answers]
    assert statuses.count(503) >= 1
    assert set(statuses) == {200, 503}
    refused = answers[statuses.index(503)]
    assert refused[1][b"retry-after"] == b"1"
    assert "try again" in refused[2]["error"]
    assert application.waiting == 0


@pytest.mark.parametrize(("others", "alone"), [(0, True), (3, False)])
def test_an_image_gets_all_cores_where_no_other_process_is_at_work(
    card: ModelCard, executor: ThreadPoolExecutor, others: int, alone: bool
) -> None:
    model, at_work = Model(card), bytearray([others, 0])
    asyncio.run(ask(Application(model, executor, at_work, own=1), body=png()))
    assert model.on_all_cores == [alone]
    assert at_work == bytearray([others, 0])


def test_a_ping_is_answered_between_two_small_images(
    card: ModelCard, executor: ThreadPoolExecutor
) -> None:
    application = Application(Model(card), executor, bytearray(1))
    order: list[str] = []

    async def timed(name: str, answer: Awaitable[object]) -> None:
        await answer
        order.append(name)

    async def at_once() -> None:
        images = [
            asyncio.create_task(timed("image", ask(application, body=png()))) for _ in range(9)
        ]
        await asyncio.sleep(0)
        await asyncio.gather(timed("ping", ask(application, "GET", "/ping")), *images)

    asyncio.run(at_once())
    assert order.index("ping") <= 2


def test_a_lack_of_memory_is_503_and_the_next_request_is_answered(
    card: ModelCard, executor: ThreadPoolExecutor
) -> None:
    model = Model(card, MemoryError())
    application = Application(model, executor, bytearray(1))
    assert asyncio.run(ask(application, body=png()))[0] == 503
    model.answer = (0.5, 0.5)
    assert asyncio.run(ask(application, body=png()))[0] == 200


def test_a_fault_of_the_model_is_one_answer_and_a_line_in_the_log(
    card: ModelCard, executor: ThreadPoolExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    application = Application(Model(card, RuntimeError("broken")), executor, bytearray(1))
    status, _, answer = asyncio.run(ask(application, body=png()))
    assert status == 500
    assert "broken" not in answer["error"]
    assert "broken" in capsys.readouterr().err


def test_a_program_that_stops_says_so_and_ends_each_connection(
    card: ModelCard, executor: ThreadPoolExecutor
) -> None:
    application = Application(Model(card), executor, bytearray(1))
    application.stopping = True
    assert asyncio.run(ask(application, "GET", "/ping"))[0] == 503
    status, headers, _ = asyncio.run(ask(application, body=png()))
    assert (status, headers[b"connection"]) == (200, b"close")


async def send_parts(application: Application, *messages: dict[str, Any]) -> list[Message]:
    """Return what the application sends to a caller whose request arrives in these messages."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/invocations",
        "headers": [(b"content-type", b"image/png")],
    }
    arriving = iter(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        for message in arriving:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nothing more arrives")

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent


def part(body: bytes = b"", *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_caller_that_leaves_costs_one_line_and_no_answer(
    card: ModelCard, executor: ThreadPoolExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    application = Application(Model(card), executor, bytearray(1))
    gone = {"type": "http.disconnect"}
    assert asyncio.run(send_parts(application, part(b"half"), gone)) == []
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert application.waiting == 0
    assert asyncio.run(ask(application, body=png()))[0] == 200


def test_a_body_that_does_not_arrive_is_answered_and_its_connection_ended(
    card: ModelCard, executor: ThreadPoolExecutor
) -> None:
    application = Application(Model(card), executor, bytearray(1), body_seconds=0.01)
    head, _ = asyncio.run(send_parts(application, part(b"half")))
    assert head["status"] == 408
    assert (b"connection", b"close") in head["headers"]
    assert application.waiting == 0


def test_too_many_callers_are_refused_before_their_bodies_are_read(
    card: ModelCard, executor: ThreadPoolExecutor
) -> None:
    application = Application(Model(card), executor, bytearray(1), max_waiting=0)
    head, _ = asyncio.run(send_parts(application))
    assert head["status"] == 503
    assert (b"connection", b"close") in head["headers"]


def test_bodies_that_are_arriving_hold_a_bounded_memory(
    card: ModelCard, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HELD_BYTES", 100)
    application = Application(Model(card), executor, bytearray(1))
    head, _ = asyncio.run(send_parts(application, part(bytes(60)), part(bytes(60))))
    assert head["status"] == 503
    monkeypatch.undo()
    assert asyncio.run(ask(application, body=png()))[0] == 200


def test_declared_pixels_decide_what_is_decoded_in_the_event_loop() -> None:
    buffer = io.BytesIO()
    Image.new("1", (2000, 2000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < SMALL_BYTES
    assert not module._is_small(buffer.getvalue())
    assert module._is_small(png())
    assert module._is_small(b"not an image")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"accept", b'application/json; top_k="1"')],
        [(b"accept", b"application/json; Top_K = 1")],
        [(b"accept", b"application/json; top_k=1"), (b"accept", b"*/*")],
        [(b"accept", b"*/*"), (b"accept", b"application/json; top_k=1")],
        [
            (b"x-amzn-sagemaker-custom-attributes", b"top_k=1"),
            (b"x-amzn-sagemaker-custom-attributes", b"trace=7"),
        ],
    ],
)
def test_a_number_of_labels_is_asked_for_as_parameters_of_headers_are_written(
    card: ModelCard, executor: ThreadPoolExecutor, headers: list[tuple[bytes, bytes]]
) -> None:
    application = Application(Model(card), executor, bytearray(1))
    status, _, answer = asyncio.run(ask(application, body=png(), headers=headers))
    assert (status, [each["label"] for each in answer]) == (200, ["motorcycle"])
