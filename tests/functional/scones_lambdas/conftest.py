"""The outside world of the functions: moto's S3, and an endpoint on loopback."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partialmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from PIL import Image

from local_aws.dynamodb.statements import batch_execute_statement
from scones_lambdas import (
    classify_batch,
    classify_image,
    clients,
    collect_inbox,
    filter_inferences,
    logs_and_metrics,
    record_results,
    result_destinations,
    serialize_image,
)

BUCKET = "scones-data"
QUEUES = "arn:aws:sqs:us-east-1:123456789012"


@dataclass
class Reply:
    """What the endpoint answers next; `status` 0 hangs up without an answer."""

    body: Any = (0.25, 0.75)
    status: int = 200
    error: str = ""
    attributes: str = ""


@dataclass
class Endpoint:
    """A SageMaker runtime on loopback: answers `reply`, or by turns what is in `queue`."""

    reply: Reply = field(default_factory=Reply)
    queue: list[Reply] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    url: str = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        with self.lock:
            self.requests.append((path, headers, body))
            return self.queue.pop(0) if self.queue else self.reply


def _answers(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = endpoint.take(self.path, dict(self.headers), body)
            if not reply.status:
                self.close_connection = True
                return
            raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            if reply.error:
                self.send_header("x-amzn-errortype", reply.error)
            if reply.attributes:
                self.send_header("X-Amzn-SageMaker-Custom-Attributes", reply.attributes)
            self.send_header("x-Amzn-Invoked-Production-Variant", "main")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture(scope="session")
def listening() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answers(endpoint))
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield endpoint
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def world(listening: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """Set the functions' environment as Terraform does, and open an S3 with one bucket.

    Clients outlive a test, as they outlive an invocation: see `new_clients`.
    """
    values = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": listening.url,
        "ENDPOINT_NAME": "scones-test",
        "LABELS": '["bicycle", "motorcycle"]',
        "THRESHOLD": "0.7",
        "RELEASE": "r1",
        "TABLE": "assignments",
        "EVENT_BUS": "scones",
        "REVIEW_QUEUE": f"{QUEUES}:review",
        "DEAD_LETTER_QUEUE": f"{QUEUES}:dead-letters",
        "DATA_BUCKET": BUCKET,
        "STATE_MACHINE": "arn:aws:states:us-east-1:123456789012:stateMachine:classify",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name in (
        "AWS_ENDPOINT_URL",
        "ASSIGNMENTS",
        "CONCURRENCY",
        "MAX_IMAGE_BYTES",
        "MAX_IMAGE_PIXELS",
        "METRICS_NAMESPACE",
    ):
        monkeypatch.delenv(name, raising=False)
    listening.reply = Reply()
    listening.queue.clear()
    listening.requests.clear()
    forget_settings()
    monkeypatch.setattr(result_destinations, "MARK_WAIT_SECONDS", 0.0)
    # moto's own inserts a row that is there already.
    monkeypatch.setattr(
        DynamoDBBackend,
        "batch_execute_statement",
        partialmethod(lambda *given: batch_execute_statement(None, *given)),
    )
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        clients.s3().create_bucket(Bucket=BUCKET)
        make_receivers()
        yield listening
    forget_settings()


def make_receivers() -> None:
    """Make the table, the bus and the queues, with a rule that puts events on a queue `events`."""
    clients.dynamodb().create_table(
        TableName="assignments",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "image", "KeyType": "HASH"},
            {"AttributeName": "release", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("image", "release")
        ],
    )
    for name in ("review", "dead-letters", "events"):
        clients.sqs().create_queue(QueueName=name)
    events = clients.events()
    events.create_event_bus(Name="scones")
    events.put_rule(
        Name="all", EventBusName="scones", EventPattern='{"source": ["scones.workflow"]}'
    )
    events.put_targets(
        Rule="all", EventBusName="scones", Targets=[{"Id": "q", "Arn": f"{QUEUES}:events"}]
    )


def messages(queue: str) -> list[Any]:
    """Take what is on a queue, in no order."""
    found: list[Any] = []
    where = {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/123456789012/{queue}"}
    while got := clients.sqs().receive_message(**where, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in got]
        for message in got:
            clients.sqs().delete_message(**where, ReceiptHandle=message["ReceiptHandle"])
    return found


def table_rows() -> list[dict[str, Any]]:
    """Return the table's rows, as strings and numbers in text."""
    found = clients.dynamodb().scan(TableName="assignments")["Items"]
    return [{name: next(iter(value.values())) for name, value in row.items()} for row in found]


def forget_settings() -> None:
    """Forget what a process keeps of its environment, and whom its log writes to."""
    for module in (
        serialize_image,
        classify_image,
        filter_inferences,
        classify_batch,
        record_results,
        collect_inbox,
    ):
        module.environment.cache_clear()
    logs_and_metrics.logger.cache_clear()
    logging.Logger.manager.loggerDict.pop("scones", None)


@pytest.fixture
def new_clients() -> Iterator[None]:
    """For a test that changes what clients are made of."""
    clients.s3.cache_clear()
    clients.sagemaker_runtime.cache_clear()
    yield
    clients.s3.cache_clear()
    clients.sagemaker_runtime.cache_clear()


def picture(kind: str = "PNG", size: tuple[int, int] = (32, 32), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(file, kind, **options)
    return file.getvalue()


def put(key: str, body: bytes) -> dict[str, str]:
    clients.s3().put_object(Bucket=BUCKET, Key=key, Body=body)
    return {"bucket": BUCKET, "key": key}


@pytest.fixture
def context() -> Any:
    return SimpleNamespace(
        aws_request_id="5f1c7a52-0f6f-4f3a-9a55-2a1b9d3c0e11",
        get_remaining_time_in_millis=lambda: 120_000,
    )


@pytest.fixture
def wait() -> Callable[[Callable[[], bool]], None]:
    """Return a function that polls a condition until it holds, ten seconds at most."""

    def until(condition: Callable[[], bool]) -> None:
        deadline = monotonic() + 10
        while not condition():
            assert monotonic() < deadline, "the condition never held"
            sleep(0.01)

    return until
