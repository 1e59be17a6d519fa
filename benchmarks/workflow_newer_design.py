"""The workflow as it is deployed today, put into an embedded AWS without Terraform.

Bundles, definition and settings are the project's own; the roles may do everything, and the
endpoint is `stub_endpoint.py`, so that what is measured is the workflow.
"""

import json
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from local_aws.control import ImageCommands, LocalAws  # noqa: E402
from local_aws.testing.aws import Aws  # noqa: E402
from local_aws.testing.hosting import Hosting, variant  # noqa: E402
from scones_core.settings import BundleSettings  # noqa: E402
from scones_deploy.bundle import FUNCTIONS, build_bundles  # noqa: E402
from tests.support.definitions import rendered  # noqa: E402

ACCOUNT, REGION = "123456789012", "us-east-1"
PREFIX, BUCKET, TABLE, BUS = "scale-", "scale-data", "scale-assignments", "scale"
QUEUES = ("review", "dead-letters", "events")
THRESHOLD, RELEASE = 0.8, "release-1"
CONCURRENCY = 10
PUTTERS = 16
# Timeouts and memory as terraform/locals.tf has them.
SECONDS = {"classify_batch": 125, "record_results": 125, "classify_image": 48}
ASSIGNMENTS = {
    "bicycle": {"bay": "A", "orders": "near", "max_km": 3},
    "motorcycle": {"bay": "B", "orders": "far", "max_km": 15},
}
_HEADER = b"IHDR" + struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
_PNG = (
    b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + _HEADER + struct.pack(">I", zlib.crc32(_HEADER))
)
IMAGE_BYTES = 2500
Found = TypeVar("Found")


def image(number: int) -> bytes:
    """Return a PNG whose header is sound, and whose last byte the stub endpoint decides by.

    No two are the same: the embedded AWS keeps equal bodies once.
    """
    return _PNG + number.to_bytes(IMAGE_BYTES - len(_PNG), "big")


def images(faults: Path) -> dict[str, ImageCommands]:
    """Return the image map of a server: the stub endpoint with its file of faults."""
    serve = (sys.executable, str(Path(__file__).with_name("stub_endpoint.py")))
    return {"toy-*": ImageCommands(serve=serve, environment={"FAULTS": str(faults)})}


@dataclass(frozen=True)
class Workflow:
    """The deployed workflow; `aws` is of a server that may be started again."""

    aws: Aws
    endpoint: str
    machine: str

    def client(self, service: str) -> Any:
        """Return an administrator's client."""
        return self.aws.client(service)

    def put_images(
        self, prefix: str, count: int, made: Callable[[int], bytes] = image
    ) -> list[str]:
        """Put that many images, by their numbers, under a prefix; return their keys."""
        s3 = self.client("s3")
        keys = [f"{prefix}{number:06d}.png" for number in range(count)]

        def put(number: int) -> None:
            s3.put_object(Bucket=BUCKET, Key=keys[number], Body=made(number))

        with ThreadPoolExecutor(PUTTERS) as pool:
            list(pool.map(put, range(count)))
        return keys

    def put_manifest(self, name: str, keys: list[str]) -> dict[str, Any]:
        """Write a manifest of these keys; return the execution's input that names it."""
        lines = "".join(json.dumps({"bucket": BUCKET, "key": key}) + "\n" for key in keys)
        self.client("s3").put_object(Bucket=BUCKET, Key=f"manifests/{name}", Body=lines.encode())
        return {"source": {"bucket": BUCKET, "manifest": f"manifests/{name}", "format": "JSONL"}}

    def start(self, name: str, given: Any) -> str:
        """Start an execution; return its ARN."""
        arn: str = self.client("stepfunctions").start_execution(
            stateMachineArn=self.machine, name=name, input=json.dumps(given)
        )["executionArn"]
        return arn

    def ended(self, arn: str, seconds: float = 3600) -> dict[str, Any]:
        """Return an execution once it has ended; asks ten times a second."""
        states = self.client("stepfunctions")
        return until(
            lambda: ended_or_none(states.describe_execution(executionArn=arn)), seconds, pause=0.1
        )

    def results(self, run: str) -> list[dict[str, Any]]:
        """Return the results of a run, from its files in S3."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=f"runs/{run}/results/"
        )
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        bodies = (s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys)
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
        return [row for page in pages for row in page["Items"]]

    def messages(self, purpose: str) -> Iterator[dict[str, Any]]:
        """Take what is on a queue, and yield it."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{PREFIX}{purpose}")["QueueUrl"]
        while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(got)
            ]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            yield from (json.loads(message["Body"]) for message in got)


def until(probe: Callable[[], Found | None], seconds: float, *, pause: float = 0.05) -> Found:
    """Return what a probe finds; raises TimeoutError where it finds nothing in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := probe()) is not None:
            return found
        time.sleep(pause)
    raise TimeoutError(f"not within {seconds:.0f} s")


def ended_or_none(execution: dict[str, Any]) -> dict[str, Any] | None:
    """Return an execution's description, None while it runs."""
    return None if execution["status"] == "RUNNING" else execution


def deploy(
    local: LocalAws, batch_images: int = 200, concurrency: int = 20, instances: int = 2
) -> Workflow:
    """Deploy the workflow with its queues, table, bus, functions and endpoint.

    `concurrency` is what one execution asks of the endpoint at once, as
    `limits.execution_concurrency` of Terraform; `instances` are those of the endpoint.
    """
    aws = Aws.of(local)
    hosting = Hosting.of(aws)
    _make_stores(aws)
    endpoint = hosting.endpoint(hosting.configuration(variant(hosting.model(), count=instances)))
    arns = _make_functions(aws, endpoint)
    machine = aws.state_machine(_definition(arns, batch_images, concurrency))
    return Workflow(aws, endpoint, machine)


def _make_stores(aws: Aws) -> None:
    s3, sqs, events = (aws.client(name) for name in ("s3", "sqs", "events"))
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    aws.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "image", "KeyType": "HASH"},
            {"AttributeName": "release", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("image", "release")
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    lets = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    }
    for purpose in QUEUES:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [lets]})
        sqs.create_queue(QueueName=f"{PREFIX}{purpose}", Attributes={"Policy": policy})
    events.create_event_bus(Name=BUS)
    pattern = json.dumps({"source": ["scones.workflow"]})
    events.put_rule(Name="all", EventBusName=BUS, EventPattern=pattern)
    target = {"Id": "queue", "Arn": _queue("events"), "InputPath": "$.detail"}
    events.put_targets(Rule="all", EventBusName=BUS, Targets=[target])


def _queue(purpose: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{PREFIX}{purpose}"


def _make_functions(aws: Aws, endpoint: str) -> dict[str, str]:
    """Return each function's ARN by its name."""
    settings = {
        "MAX_IMAGE_BYTES": "5000000",
        "MAX_IMAGE_PIXELS": "16000000",
        "ENDPOINT_NAME": endpoint,
        "LABELS": '["bicycle", "motorcycle"]',
        "THRESHOLD": str(THRESHOLD),
        "RELEASE": RELEASE,
        "ASSIGNMENTS": json.dumps(ASSIGNMENTS),
        "TABLE": TABLE,
        "EVENT_BUS": BUS,
        "REVIEW_QUEUE": _queue("review"),
        "DEAD_LETTER_QUEUE": _queue("dead-letters"),
        "DATA_BUCKET": BUCKET,
        "CONCURRENCY": str(CONCURRENCY),
        "STATE_MACHINE": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:none",
        "POWERTOOLS_SERVICE_NAME": "scones",
    }
    functions, arns = aws.client("lambda"), {}
    with tempfile.TemporaryDirectory() as out:
        build_bundles(ROOT, Path(out), settings=BundleSettings())
        for name in FUNCTIONS:
            arns[name] = functions.create_function(
                FunctionName=f"{PREFIX}{name.replace('_', '-')}",
                Runtime="python3.12",
                Handler=f"scones_lambdas.{name}.handler",
                Role=aws.role,
                Timeout=SECONDS.get(name, 25),
                MemorySize=1024,
                Environment={"Variables": settings},
                Code={"ZipFile": (Path(out) / f"{name}.zip").read_bytes()},
            )["FunctionArn"]
    for arn in arns.values():
        functions.get_waiter("function_active_v2").wait(
            FunctionName=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    return arns


def _definition(arns: dict[str, str], batch_images: int, concurrency: int) -> dict[str, Any]:
    """Return the definition as modules/workflow makes it."""
    machine = rendered(
        serialize_function_arn=arns["serialize_image"],
        classify_function_arn=arns["classify_image"],
        filter_function_arn=arns["filter_inferences"],
        batch_function_arn=arns["classify_batch"],
        record_function_arn=arns["record_results"],
        metric_namespace="scones",
        data_bucket=BUCKET,
    )
    for state in machine["States"].values():
        if state["Type"] == "Map" and "ItemBatcher" in state:
            state["MaxConcurrency"] = max(1, concurrency // CONCURRENCY)
            state["ItemBatcher"]["MaxItemsPerBatch"] = batch_images
    return machine
