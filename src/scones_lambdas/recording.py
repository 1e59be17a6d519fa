"""What is made of results: rows, events, review messages and dead letters.

A row is written first, and only if there is none for the image's version and release; then its
event or review message goes out; then the row is marked. So a repeated call publishes what is not
marked, and nothing else. A call that ends between the two publishes once more, with the same
`event_id`. What stays unwritten or unsent makes its image `failed`, with a dead letter.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import MessageNotSent, RecordNotWritten, WorkflowError
from scones_core.events import (
    EVENT_SOURCE,
    EVENT_TYPE,
    Failure,
    Result,
    classified_event,
    dead_letter,
    image_version,
    review_message,
)
from scones_lambdas import clients
from scones_lambdas.environment import RecordEnvironment
from scones_lambdas.telemetry import logger

MESSAGES_A_CALL = 10
"""Entries of one PutEvents or SendMessageBatch.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""

SEND_ATTEMPTS = 3
"""Of the entries that a call did not take."""

RESERVED_SECONDS = 20.0
"""Left for messages and dead letters: with less time than that, no further row is written."""

MARK_WAIT_SECONDS = 10.0
"""How long one call waits for marks that another one may be about to write, all rows together."""
MARK_PAUSE_SECONDS = 0.25

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be published of a result: its place in the list, its row, the text."""

    place: int
    key: Mapping[str, Any]
    text: str


@dataclass(frozen=True)
class Recorder:
    """Writes and tells results by clients of DynamoDB, EventBridge and SQS.

    `remaining` answers the seconds that are left.
    """

    settings: RecordEnvironment
    table: Any
    bus: Any
    queues: Any
    remaining: Callable[[], float] = field(default=lambda: 900.0)

    def record(self, results: Sequence[Result], execution: str) -> list[Result]:
        """Return the results in their order, once each is recorded and published.

        One whose row or message was refused is `failed` in the answer, with RecordNotWritten or
        MessageNotSent. Raises MessageNotSent where the dead-letter queue takes no letter.
        """
        kept = list(results)
        patience = time.monotonic() + MARK_WAIT_SECONDS
        with ThreadPoolExecutor(self.settings.concurrency) as pool:

            def notify(decision: str, send: Callable[[Sequence[Notice]], dict[int, str]]) -> None:
                # Of an image that comes more than once, the first result speaks for all.
                first: dict[tuple[str, str], int] = {}
                same: dict[int, int] = {}
                for place, result in enumerate(results):
                    if result["decision"] == decision:
                        key = image_version(result["image"]), result.get("release", "")
                        same[place] = first.setdefault(key, place)
                places = list(first.values())
                written = pool.map(
                    lambda place: self._write(place, kept[place], execution, patience), places
                )
                notices: list[Notice] = []
                for place, outcome in zip(places, written, strict=True):
                    if isinstance(outcome, WorkflowError):
                        kept[place] = failed(kept[place], outcome)
                    elif outcome is not None:
                        notices.append(outcome)
                refused: dict[int, str] = {}
                for answer in pool.map(send, chunks(notices, MESSAGES_A_CALL)):
                    refused |= answer
                for place, why in refused.items():
                    kept[place] = failed(kept[place], MessageNotSent(why))
                list(pool.map(self._mark, (n for n in notices if n.place not in refused)))
                for place, original in same.items():
                    if "error" in kept[original] and place != original:
                        kept[place] = failed_as(kept[place], kept[original]["error"])

            notify("accepted", self._publish)
            notify("review", self._ask)
        self._dead_letter(kept, execution)
        return kept

    def _write(
        self, place: int, result: Result, execution: str, patience: float
    ) -> Notice | WorkflowError | None:
        """Return what is still to be published of a result; None where that was done before.

        A row without a mark may be another call's that is about to publish it: until `patience`
        that mark is waited for.
        """
        row = row_of(result, execution)
        key = {name: row[name] for name in ("image", "release")}
        if self.remaining() < RESERVED_SECONDS:
            return RecordNotWritten("There was no time left to write the image's row; redrive it.")
        try:
            self.table.put_item(
                TableName=self.settings.table,
                Item=row,
                ConditionExpression="attribute_not_exists(image)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                return RecordNotWritten(f"The table {self.settings.table} refused a row: {error}")
            known: Any = error.response.get("Item") or {}
            if "notified_at" in known:
                return None
            if time.monotonic() < patience and self.remaining() > 2 * RESERVED_SECONDS:
                time.sleep(MARK_PAUSE_SECONDS)
                return self._write(place, result, execution, patience)
            # What the first call decided is published, unless the threshold has moved in between.
            row = {**row, **known} if known.get("decision") == row["decision"] else row
        except BotoCoreError as error:
            return RecordNotWritten(f"The table {self.settings.table} did not answer: {error}")
        return Notice(place, key, row["message"]["S"])

    def _mark(self, notice: Notice) -> None:
        """Note in a row that its message went out; unnoted, a repeat sends it once more."""
        try:
            self.table.update_item(
                TableName=self.settings.table,
                Key=notice.key,
                UpdateExpression="SET notified_at = :now",
                ExpressionAttributeValues={":now": {"S": _now()}},
            )
        except (ClientError, BotoCoreError) as error:
            logger().warning("row not marked", extra={"row": notice.key, "error": str(error)})

    def _publish(self, notices: Sequence[Notice]) -> dict[int, str]:
        """Publish one call's events; return why, by place, for those that were refused."""

        def put(left: Sequence[Notice]) -> dict[int, str]:
            entries = [
                {
                    "EventBusName": self.settings.bus,
                    "Source": EVENT_SOURCE,
                    "DetailType": EVENT_TYPE,
                    "Detail": notice.text,
                }
                for notice in left
            ]
            answers = self.bus.put_events(Entries=entries)["Entries"]
            return {
                number: f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}"
                for number, answer in enumerate(answers)
                if answer.get("ErrorCode")
            }

        return _sent(notices, put, f"The event bus {self.settings.bus}")

    def _ask(self, notices: Sequence[Notice]) -> dict[int, str]:
        """Send one call's review messages; return why, by place, for those refused."""
        return self._send(self.settings.review_queue, notices)

    def _send(self, queue: str, notices: Sequence[Notice]) -> dict[int, str]:
        name, url = queue.rpartition(":")[2], clients.queue_url(self.queues, queue)

        def put(left: Sequence[Notice]) -> dict[int, str]:
            entries = [{"Id": str(n), "MessageBody": notice.text} for n, notice in enumerate(left)]
            answer = self.queues.send_message_batch(QueueUrl=url, Entries=entries)
            return {
                int(one["Id"]): f"{one['Code']}: {one.get('Message', '')}"
                for one in answer.get("Failed", ())
            }

        return _sent(notices, put, f"The queue {name}")

    def _dead_letter(self, results: Sequence[Result], execution: str) -> None:
        """Send a dead letter for each failed result; raises MessageNotSent for one not taken."""
        letters = [
            Notice(place, {}, compact(dead_letter(result, execution)))
            for place, result in enumerate(results)
            if result["decision"] == "failed"
        ]
        for part in chunks(letters, MESSAGES_A_CALL):
            if refused := self._send(self.settings.dead_letter_queue, part):
                raise MessageNotSent(
                    f"{len(refused)} dead letters were not taken: {next(iter(refused.values()))}"
                )


def _sent(
    notices: Sequence[Notice], put: Callable[[Sequence[Notice]], dict[int, str]], receiver: str
) -> dict[int, str]:
    """Send messages, those not taken SEND_ATTEMPTS times; return why by place for what is left."""
    left, refused = list(notices), dict[int, str]()
    for _ in range(SEND_ATTEMPTS):
        try:
            refused = put(left)
        except (ClientError, BotoCoreError) as error:
            return {notice.place: f"{receiver} took nothing: {error}" for notice in left}
        if not refused:
            return {}
        left = [left[number] for number in refused]
    reasons = zip(left, refused.values(), strict=True)
    return {notice.place: f"{receiver} refused it: {why}" for notice, why in reasons}


def recorder(settings: RecordEnvironment, remaining: Callable[[], float]) -> Recorder:
    """Return what records results with the process's clients."""
    return Recorder(settings, clients.dynamodb(), clients.events(), clients.sqs(), remaining)


def write_results(bucket: str, run: str, name: str, results: Sequence[Result]) -> dict[str, str]:
    """Write results of a run, one JSON a line, and return where.

    A repeat overwrites the same object.
    """
    place = {"bucket": bucket, "key": f"runs/{run}/results/{name}.jsonl"}
    body = "".join(f"{compact(result)}\n" for result in results)
    clients.s3().put_object(
        Bucket=bucket, Key=place["key"], Body=body.encode(), ContentType="application/jsonl"
    )
    return place


def failed(result: Result, error: Exception) -> Result:
    """Return the result of an image that could not be classified, recorded or published."""
    return failed_as(result, {"Error": type(error).__name__, "Cause": str(error)[:1000]})


def failed_as(result: Result, error: Failure) -> Result:
    """Return the result of an image that ended with this error."""
    kept: Result = {"image": result["image"], "decision": "failed", "error": error}
    return {**kept, "index": result["index"]} if "index" in result else kept


def row_of(result: Result, execution: str) -> dict[str, Any]:
    """Return the table's row of an accepted or reviewed result, as DynamoDB takes it."""
    accepted = result["decision"] == "accepted"
    message = (classified_event if accepted else review_message)(result, execution)
    row = {
        "image": image_version(result["image"]),
        "release": result.get("release") or "none",
        "decision": result["decision"],
        "label": result["inference"]["label"],
        "confidence": Decimal(repr(result["inference"]["confidence"])),
        **{k: _number(v) for k, v in result.get("assignment", {}).items()},
        "event_id": message["event_id"],
        "execution": execution,
        "recorded_at": _now(),
        "message": compact(message),
    }
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in row.items()}


def _now() -> str:
    # To the second: a usual row with its mark stays below the kilobyte of one write unit.
    return datetime.now(UTC).isoformat(timespec="seconds")


def _number(value: object) -> object:
    return Decimal(repr(value)) if isinstance(value, float) else value


def compact(value: Any) -> str:
    """Return JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in parts of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
