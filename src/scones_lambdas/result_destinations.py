"""Recording of results: rows, events, review messages and dead letters.

A row is written first, and only if there is none for the image's version and release; then its
event or review message goes out; then the row is marked. So a repeated call publishes what is not
marked, and nothing else. A call that ends between the two publishes once more, with the same
`event_id`. What stays unwritten or unsent makes its image `failed`, with a dead letter.
"""

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

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
from scones_lambdas.faults import may_pass
from scones_lambdas.logs_and_metrics import logger

MESSAGES_A_CALL = 10
"""Entries of one PutEvents or SendMessageBatch.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""

ROWS_A_CALL = 25
"""Statements of one BatchExecuteStatement. An INSERT writes a row only if there is none, and costs
what PutItem costs; a transaction would cost twice that.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html"""

THROTTLED_ATTEMPTS = 4
THROTTLED_PAUSE_SECONDS = 0.1
"""Doubled with each attempt. botocore repeats a call that is throttled whole, not its parts, and
gives up after RECORD_LIMITS.attempts: too soon for a call that up to 25 images hang on."""
_PASSING = frozenset(
    {"InternalServerError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}
    | {"ThrottlingError", "TransactionConflict", "Unanswered"}
)
_UNANSWERED = "Unanswered"
"""Of a call that was throttled whole, or had no answer: an INSERT that is repeated is safe."""
_DUPLICATE = "DuplicateItem"

SEND_ATTEMPTS = 3
"""Of the entries that a call did not take."""

RESERVED_SECONDS = 20.0
"""Left for messages and dead letters: with less time than that, no further row is written."""

MARK_WAIT_SECONDS = 10.0
"""How long one call waits for marks that another one may be about to write, all rows together."""
MARK_PAUSE_SECONDS = 0.25

_NOT_TAKEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What a queue refuses, and with it every other message of the call, but a key of S3 may have.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Notification:
    """What is to be published of a result: its index in the list, its row, the text."""

    index: int
    key: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A row to write: its result's index in the list, and its attribute values."""

    index: int
    values: Mapping[str, Any]

    @property
    def key(self) -> dict[str, Any]:
        """Return the primary key as DynamoDB takes it."""
        return {name: self.values[name] for name in ("image", "release")}

    @property
    def name(self) -> tuple[str, str]:
        """Return the primary key as texts."""
        return self.values["image"]["S"], self.values["release"]["S"]

    def is_same(self, stored: Mapping[str, Any]) -> bool:
        """Return whether the table's row is the one that this call made."""
        # Numbers come back in another spelling.
        return all(
            stored.get(name) == self.values[name]
            for name in ("execution", "recorded_at", "message")
        )


@dataclass(slots=True)
class _Written:
    """What came of some rows: what is to be published of them, and faults by index."""

    notifications: list[Notification] = field(default_factory=list)
    faults: dict[int, WorkflowError] = field(default_factory=dict)


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
        # Of an image that comes more than once, the first result speaks for all.
        first: dict[tuple[str, str], int] = {}
        same: dict[int, int] = {}
        for index, result in enumerate(results):
            if result["decision"] != "failed":
                key = image_version(result["image"]), result.get("release", "")
                same[index] = first.setdefault(key, index)
        rows = [_Row(index, row_of(results[index], execution)) for index in first.values()]
        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            notifications: list[Notification] = []
            for written in pool.map(
                lambda part: self._write(part, patience), chunks(rows, ROWS_A_CALL)
            ):
                notifications += written.notifications
                for index, fault in written.faults.items():
                    kept[index] = failed(kept[index], fault)
            refused: dict[int, str] = {}
            sends = (("accepted", self._publish), ("review", self._ask))
            for decision, send in sends:
                mine = [n for n in notifications if results[n.index]["decision"] == decision]
                for answer in pool.map(send, chunks(mine, MESSAGES_A_CALL)):
                    refused |= answer
            for index, why in refused.items():
                kept[index] = failed(kept[index], MessageNotSent(why))
            sent = [
                notification for notification in notifications if notification.index not in refused
            ]
            list(pool.map(self._mark, chunks(sent, ROWS_A_CALL)))
        for index, original in same.items():
            if "error" in kept[original] and index != original:
                kept[index] = failed_as(kept[index], kept[original]["error"])
        self._dead_letter(kept, execution)
        return kept

    def _write(self, rows: Sequence["_Row"], patience: float) -> "_Written":
        """Write at most ROWS_A_CALL rows, each if there is none; return what is to be published.

        A row without a mark may be another call's that is about to publish it: until `patience`
        that mark is waited for.
        """
        written = _Written()
        if self.remaining() < RESERVED_SECONDS:
            fault = RecordNotWritten("There was no time left to write the image's row; redrive it.")
            written.faults = {row.index: fault for row in rows}
            return written
        insert = {row.index: insert_statement(self.settings.table, row.values) for row in rows}
        refused = self._execute(insert)
        known = [row for row in rows if refused.get(row.index, ("",))[0] == _DUPLICATE]
        for row in rows:
            if row.index not in refused:
                written.notifications.append(
                    Notification(row.index, row.key, row.values["message"]["S"])
                )
            elif row not in known:
                why = ": ".join(refused[row.index])
                written.faults[row.index] = RecordNotWritten(
                    f"The table {self.settings.table} refused a row: {why}"
                )
        if known:
            self._compare(known, written, patience)
        return written

    def _execute(self, statements: Mapping[int, Mapping[str, Any]]) -> dict[int, tuple[str, str]]:
        """Execute statements in one call; return code and message, by index, of those refused.

        What is throttled is repeated, THROTTLED_ATTEMPTS times in all.
        """
        refused: dict[int, tuple[str, str]] = {}
        pending = dict(statements)
        for attempt in range(1, THROTTLED_ATTEMPTS + 1):
            try:
                answer = self.table.batch_execute_statement(Statements=list(pending.values()))
                errors = {
                    index: (response["Error"]["Code"], response["Error"].get("Message", ""))
                    for index, response in zip(pending, answer["Responses"], strict=True)
                    if "Error" in response
                }
            except (ClientError, BotoCoreError) as error:
                code = _UNANSWERED if may_pass(error) else type(error).__name__
                errors = dict.fromkeys(pending, (code, str(error)))
            refused |= errors
            pending = {index: pending[index] for index in errors if refused[index][0] in _PASSING}
            over = attempt == THROTTLED_ATTEMPTS or self.remaining() < RESERVED_SECONDS
            if not pending or over:
                break
            time.sleep(random.uniform(0, THROTTLED_PAUSE_SECONDS * 2**attempt))  # noqa: S311
            for index in pending:
                del refused[index]
        return refused

    def _compare(self, rows: Sequence["_Row"], written: "_Written", patience: float) -> None:
        """Add the notifications of rows that are there already, and have no mark yet.

        What the first call decided is published, unless the threshold has moved in between. A row
        that this call wrote, by a request whose answer it did not get, waits for no mark.
        """
        waiting, own = list(rows), list[_Row]()
        while True:
            try:
                stored = self._read([row.key for row in waiting])
            except (ClientError, BotoCoreError) as error:
                fault = RecordNotWritten(f"The table {self.settings.table} did not answer: {error}")
                written.faults |= {row.index: fault for row in waiting}
                return
            own += [row for row in waiting if row.is_same(stored.get(row.name, {}))]
            waiting = [
                row
                for row in waiting
                if row not in own and "notified_at" not in stored.get(row.name, {})
            ]
            over = time.monotonic() >= patience or self.remaining() <= 2 * RESERVED_SECONDS
            if not waiting or over:
                break
            time.sleep(MARK_PAUSE_SECONDS)
        written.notifications += [
            Notification(row.index, row.key, row.values["message"]["S"]) for row in own
        ]
        for row in waiting:
            known = stored.get(row.name, {})
            as_before = known.get("decision") == row.values["decision"]
            text = (known if as_before else row.values)["message"]["S"]
            written.notifications.append(Notification(row.index, row.key, text))

    def _read(self, keys: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the rows of these keys that the table has; one that it did not read is absent."""
        answer = self.table.batch_get_item(
            RequestItems={self.settings.table: {"Keys": list(keys), "ConsistentRead": True}}
        )
        rows = answer["Responses"].get(self.settings.table, ())
        return {(row["image"]["S"], row["release"]["S"]): row for row in rows}

    def _mark(self, notifications: Sequence[Notification]) -> None:
        """Note in rows that their messages went out; unnoted, a repeat sends them once more."""
        now, statement = {"S": _now()}, mark_statement(self.settings.table)
        refused = self._execute(
            {
                notification.index: {
                    "Statement": statement,
                    "Parameters": [now, notification.key["image"], notification.key["release"]],
                }
                for notification in notifications
            }
        )
        for notification in notifications:
            if notification.index in refused:
                why = ": ".join(refused[notification.index])
                logger().warning("row not marked", extra={"row": notification.key, "error": why})

    def _publish(self, notifications: Sequence[Notification]) -> dict[int, str]:
        """Publish one call's events; return why, by index, for those that were refused."""

        def put(left: Sequence[Notification]) -> dict[int, str]:
            entries = [
                {
                    "EventBusName": self.settings.bus,
                    "Source": EVENT_SOURCE,
                    "DetailType": EVENT_TYPE,
                    "Detail": notification.text,
                }
                for notification in left
            ]
            answers = self.bus.put_events(Entries=entries)["Entries"]
            return {
                number: f"refused it: {answer['ErrorCode']}: {answer.get('ErrorMessage', '')}"
                for number, answer in enumerate(answers)
                if answer.get("ErrorCode")
            }

        return _sent(notifications, put, f"The event bus {self.settings.bus}")

    def _ask(self, notifications: Sequence[Notification]) -> dict[int, str]:
        """Send one call's review messages; return why, by index, for those refused."""
        return self._send(self.settings.review_queue, notifications)

    def _send(self, queue: str, notifications: Sequence[Notification]) -> dict[int, str]:
        name, url = queue.rpartition(":")[2], clients.queue_url(self.queues, queue)

        def put(left: Sequence[Notification]) -> dict[int, str]:
            entries = [
                {"Id": str(n), "MessageBody": notification.text}
                for n, notification in enumerate(left)
            ]
            answer = self.queues.send_message_batch(QueueUrl=url, Entries=entries)
            return {
                int(refusal["Id"]): f"refused it: {refusal['Code']}: {refusal.get('Message', '')}"
                for refusal in answer.get("Failed", ())
            }

        return _sent(notifications, put, f"The queue {name}")

    def _dead_letter(self, results: Sequence[Result], execution: str) -> None:
        """Send a dead letter for each failed result; raises MessageNotSent for one not taken."""
        letters = [
            Notification(index, {}, compact(dead_letter(result, execution)))
            for index, result in enumerate(results)
            if result["decision"] == "failed"
        ]
        for part in chunks(letters, MESSAGES_A_CALL):
            if refused := self._send(self.settings.dead_letter_queue, part):
                raise MessageNotSent(
                    f"{len(refused)} dead letters were not taken: {next(iter(refused.values()))}"
                )


def _sent(
    notifications: Sequence[Notification],
    put: Callable[[Sequence[Notification]], dict[int, str]],
    receiver: str,
) -> dict[int, str]:
    """Send messages, those not taken SEND_ATTEMPTS times; return why by index for what is left.

    A call that is throttled whole, or has no answer, is repeated as well.
    """
    left, refused = list(notifications), dict[int, str]()
    for attempt in range(1, SEND_ATTEMPTS + 1):
        try:
            refused = put(left)
        except (ClientError, BotoCoreError) as error:
            refused = dict.fromkeys(range(len(left)), f"took nothing: {error}")
            if not may_pass(error):
                break
            time.sleep(random.uniform(0, THROTTLED_PAUSE_SECONDS * 2**attempt))  # noqa: S311
        if not refused:
            return {}
        left = [left[number] for number in refused]
    reasons = zip(left, refused.values(), strict=True)
    return {notification.index: f"{receiver} {why}" for notification, why in reasons}


def recorder(settings: RecordEnvironment, remaining: Callable[[], float]) -> Recorder:
    """Return what records results with the process's clients."""
    return Recorder(settings, clients.dynamodb(), clients.events(), clients.sqs(), remaining)


def write_results(bucket: str, run: str, name: str, results: Sequence[Result]) -> dict[str, str]:
    """Write results of a run, one JSON a line, and return where.

    A repeat overwrites the same object.
    """
    location = {"bucket": bucket, "key": f"runs/{run}/results/{name}.jsonl"}
    body = "".join(f"{compact(result)}\n" for result in results)
    clients.s3().put_object(
        Bucket=bucket, Key=location["key"], Body=body.encode(), ContentType="application/jsonl"
    )
    return location


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
    assigned = {name: _value(value) for name, value in result.get("assignment", {}).items()}
    texts = {
        "image": image_version(result["image"]),
        "release": result.get("release") or "none",
        "decision": result["decision"],
        "label": result["inference"]["label"],
        "event_id": message["event_id"],
        "execution": execution,
        # To the microsecond: it tells this call's rows from those of a repeat.
        "recorded_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "message": compact(message),
    }
    return {
        **{name: {"S": text} for name, text in texts.items()},
        "confidence": _value(result["inference"]["confidence"]),
        **assigned,
    }


def insert_statement(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement that writes a row where there is none with its key."""
    members = ", ".join(f"'{name}': ?" for name in row)
    return {
        "Statement": f'INSERT INTO "{table}" VALUE {{{members}}}',
        "Parameters": [*row.values()],
    }


def mark_statement(table: str) -> str:
    """Return the statement that marks a row; its parameters are the time, image and release."""
    return f'UPDATE "{table}" SET "notified_at"=? WHERE "image"=? AND "release"=?'  # noqa: S608


def _now() -> str:
    # To the second: a usual row with its mark stays below the kilobyte of one write unit.
    return datetime.now(UTC).isoformat(timespec="seconds")


def _value(value: object) -> dict[str, str]:
    """Return a number or text as DynamoDB takes it; TypeSerializer tries ten types for each."""
    return {"N": repr(value)} if isinstance(value, int | float) else {"S": str(value)}


def compact(value: Any) -> str:
    """Return JSON without blanks, in characters that every receiver takes."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    # JSON has such a character only within a string, where its escape means the same.
    return _NOT_TAKEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in parts of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
