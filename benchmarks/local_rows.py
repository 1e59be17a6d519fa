"""What the embedded AWS takes for rows, messages and events, the more of them there are.

    python benchmarks/local_rows.py [--rounds 4]

Each round writes as many rows and messages again; a call's share of the server's processor is
printed, with the calls a second next to it, which say little on a busy host. Exits 1 where a call
takes more than twice as much in the last round as in the first.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.local import processor_seconds  # noqa: E402

from local_aws.control import LocalAws  # noqa: E402
from local_aws.testing.aws import Aws  # noqa: E402

WRITERS = 8
GROWTH = 2.0


def calls(aws: Aws, number: int) -> dict[str, tuple[int, Callable[[int], Any]]]:
    """Return what a round does: how often, and the call."""
    sqs, dynamodb, events = (aws.client(name) for name in ("sqs", "dynamodb", "events"))
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]

    def row(call: int, item: int = 0) -> dict[str, Any]:
        image = f"s3://bucket/{number}/{call}/{item}"
        return {"image": {"S": image}, "release": {"S": "1"}, "label": {"S": "bicycle"}}

    def put(call: int) -> None:
        condition = "attribute_not_exists(image)"
        dynamodb.put_item(TableName="rows", Item=row(call), ConditionExpression=condition)

    def batch(call: int) -> None:
        rows = [{"PutRequest": {"Item": row(call, item + 1)}} for item in range(25)]
        dynamodb.batch_write_item(RequestItems={"rows": rows})

    def send(_: int) -> None:
        entries = [{"Id": str(n), "MessageBody": "x" * 300} for n in range(10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)

    def publish(_: int) -> None:
        events.put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}] * 10)

    return {
        "PutItem": (400, put),
        "BatchWriteItem of 25": (40, batch),
        "SendMessageBatch of 10": (100, send),
        "PutEvents of 10": (100, publish),
    }


def measure(pid: int, count: int, call: Callable[[int], Any]) -> tuple[float, float]:
    """Return milliseconds of the server's processor a call, and calls a second."""
    processor, began = processor_seconds(pid), time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(call, range(count)))
    seconds = time.perf_counter() - began
    return 1000 * (processor_seconds(pid) - processor) / count, count / seconds


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as home, LocalAws.start(Path(home), 0, {}) as local:
        aws = Aws.of(local)
        aws.client("dynamodb").create_table(
            TableName="rows",
            KeySchema=[
                {"AttributeName": "image", "KeyType": "HASH"},
                {"AttributeName": "release", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("image", "release")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(rounds):
            for name, (count, call) in calls(aws, number).items():
                each, rate = measure(local.record.pid, count, call)
                found.setdefault(name, []).append(each)
                print(f"{number} {name}: {each:.2f} ms of a processor, {rate:.0f} a second")
    return int(any(each[-1] > GROWTH * each[0] for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
