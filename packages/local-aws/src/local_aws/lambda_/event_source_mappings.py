"""Event source mappings of SQS queues: poll, filter, batch, invoke, delete what was worked on.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

Each message is received with the queue's visibility timeout; what a function does not work on
stays invisible until that is over, counts as received once more, and goes to the queue's dead
letters when it was received too often. Times are those of the driven clock.
"""

import base64
import datetime
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.events.exceptions import InvalidEventPatternException
from moto.events.models import EventPattern
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import sqs_backends

from local_aws.core.clock import Clock, others_unharmed
from local_aws.core.context import ACCOUNT_ID
from local_aws.core.metrics import emit
from local_aws.core.patching import patch
from local_aws.core.request_chains import MAX_INVOCATIONS, following, invocations
from local_aws.iam.access_decisions import permits
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.roles import RoleSessions
from local_aws.lambda_.invoke import MAX_REQUEST_BYTES, Answer, Request, refusal

# One of moto's records.
Mapped = Any
Message = Any
_MAX_WINDOW = 300
_RECEIVE_AT_ONCE = 10
_CONCURRENT_BATCHES = 5
_THREADS = 32
# What a poller does with a queue, for which its function's role needs permission.
_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
# moto takes a message for visible only after that time.
_AFTER = datetime.timedelta(milliseconds=2)
_log = logging.getLogger(__name__)

Invoke = Callable[[Request], Answer]


@dataclass(slots=True)
class _Poller:
    """What one mapping does now: the batches that run, and the messages that wait for more."""

    running: int = 0
    waiting: list[Message] = field(default_factory=list)
    ends: datetime.datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class EventSourceMappings:
    """Polls the queues of all enabled mappings.

    A poll begins when a queue gets a message, when a mapping changes, and, as an agenda of the
    clock, when a message becomes visible or a batch window ends.
    """

    def __init__(self, clock: Clock, invoke: Invoke, roles: RoleSessions) -> None:
        self._clock, self._invoke, self._roles = clock, invoke, roles
        self._pollers: dict[str, _Poller] = {}
        self._lock = threading.Lock()
        self._looked = clock.now()
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="event-source")
        clock.follow(self)

    def stop(self) -> None:
        """Poll no more; what was received becomes visible again after its timeout."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def look(self, queue_arn: str = "") -> None:
        """Have the mappings of a queue, or all, poll; returns at once."""
        for mapping in _enabled():
            if queue_arn in ("", mapping.event_source_arn):
                with others_unharmed(mapping):
                    self._start(mapping)

    def next_due(self) -> datetime.datetime | None:
        """Return when a mapped queue's message becomes visible, or a batch window ends."""
        times: list[datetime.datetime] = []
        for mapping in _enabled():
            with others_unharmed(mapping):
                times += [at for at in self._due_times(mapping) if at > self._looked]
        return min(times, default=None)

    def run(self, now: datetime.datetime) -> None:
        """Have all mappings poll; none is waited for."""
        self._looked = now
        self.look()

    def _due_times(self, mapping: Mapped) -> Iterator[datetime.datetime]:
        if ends := self._poller(mapping).ends:
            yield ends
        queue = _queue_of(mapping)
        for message in list(queue._messages) if queue is not None else ():
            for at in (message.visible_at, message.delayed_until):
                if at:
                    yield datetime.datetime.fromtimestamp(at / 1000, datetime.UTC) + _AFTER

    def _poller(self, mapping: Mapped) -> _Poller:
        with self._lock:
            return self._pollers.setdefault(mapping.uuid, _Poller())

    def _start(self, mapping: Mapped) -> None:
        poller = self._poller(mapping)
        with poller.lock:
            if self._stopping.is_set() or poller.running >= concurrent_batches(mapping):
                return
            poller.running += 1
        self._executor.submit(self._poll, mapping, poller)

    def _poll(self, mapping: Mapped, poller: _Poller) -> None:
        """Work on batches until the queue has no more, or the next one has to wait."""
        try:
            while not self._stopping.is_set() and is_enabled(mapping):
                with poller.lock:
                    batch = self._next_batch(mapping, poller)
                if not batch:
                    return
                # Others may work on the next batch meanwhile.
                self._start(mapping)
                self._work(mapping, batch)
        except Exception:  # no caller waits for this thread
            if not self._stopping.is_set():
                _log.exception("The event source mapping %s cannot poll", mapping.uuid)
        finally:
            with poller.lock:
                poller.running -= 1

    def _next_batch(self, mapping: Mapped, poller: _Poller) -> list[Message]:
        """Return the messages of the next invocation; none while its window is open."""
        window = float(mapping.max_batch_window or 0)
        while len(poller.waiting) < mapping.batch_size:
            received = self._receive(mapping, mapping.batch_size - len(poller.waiting))
            if not received:
                break
            poller.waiting += wanted(mapping, received, self._delete)
        if not poller.waiting:
            return []
        now = self._clock.now()
        if poller.ends is None:
            poller.ends = now + datetime.timedelta(seconds=window)
        if len(poller.waiting) < mapping.batch_size and now < poller.ends:
            return []
        batch = _fitting(poller.waiting)
        del poller.waiting[: len(batch)]
        poller.ends = now + datetime.timedelta(seconds=window) if poller.waiting else None
        return batch

    def _receive(self, mapping: Mapped, count: int) -> list[Message]:
        queue = _queue_of(mapping)
        if queue is None or not self._may_poll(mapping):
            return []
        found: list[Message] = sqs_backends[ACCOUNT_ID][mapping.region].receive_message(
            queue.name, min(count, _RECEIVE_AT_ONCE), 0, int(queue.visibility_timeout), ["All"]
        )
        return found

    def _may_poll(self, mapping: Mapped) -> bool:
        function = lambda_backends[ACCOUNT_ID][mapping.region].get_function(mapping.function_arn)
        missing = missing_action(self._roles, function, mapping.event_source_arn)
        mapping.problem = (
            "PROBLEM: The function's execution role does not have permissions to call "
            f"{missing} on SQS"
            if missing
            else ""
        )
        return not missing

    def _work(self, mapping: Mapped, batch: Sequence[Message]) -> None:
        batch = self._without_loops(mapping, batch)
        if not batch:
            return
        event = {"Records": [_record(mapping, message) for message in batch]}
        request = Request(mapping.function_name, json.dumps(event).encode(), mapping.region)
        chains = (chain_of(message) for message in batch)
        chain = max(chains, key=lambda one: invocations(one, mapping.function_arn))
        try:
            with following(chain):
                answer = self._invoke(request)
        except (JsonRESTError, ServiceException) as error:
            _log.warning("%s was not invoked: %s", mapping.function_name, error)
            return
        if answer.failed:
            return
        failed = set[str]()
        if "ReportBatchItemFailures" in (mapping.function_response_types or ()):
            failed = failed_items(answer.payload, [message.id for message in batch])
        for message in batch:
            if message.id not in failed:
                self._delete(mapping, message)

    def _without_loops(self, mapping: Mapped, batch: Sequence[Message]) -> Sequence[Message]:
        """Return what a function may still get; the rest is dead letters, or dropped.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        """
        function = lambda_backends[ACCOUNT_ID][mapping.region].get_function(mapping.function_arn)
        if getattr(function, "recursive_loop", "") == "Allow":
            return batch
        kept = []
        for message in batch:
            if invocations(chain_of(message), mapping.function_arn) < MAX_INVOCATIONS:
                kept.append(message)
            else:
                self._drop(mapping, message)
        return kept

    def _drop(self, mapping: Mapped, message: Message) -> None:
        _log.error(
            "The message %s of %s is not given to %s, which sent it: they are a loop. End it, or "
            "allow it with PutFunctionRecursionConfig.",
            message.id,
            mapping.event_source_arn,
            mapping.function_name,
        )
        dimensions = {"FunctionName": mapping.function_arn.split(":")[6]}
        dropped = {"RecursiveInvocationsDropped": 1.0}
        emit("AWS/Lambda", dimensions, dropped, {}, region=mapping.region)
        queue = _queue_of(mapping)
        self._delete(mapping, message)
        if queue is not None and queue.dead_letter_queue is not None:
            message.change_visibility(0)
            queue.dead_letter_queue.add_message(message)

    def _delete(self, mapping: Mapped, message: Message) -> None:
        queue = _queue_of(mapping)
        if queue is None:
            return
        try:
            sqs_backends[ACCOUNT_ID][mapping.region].delete_message(
                queue.name, message.receipt_handle
            )
        except ReceiptHandleIsInvalid:
            return  # it was purged, or has gone to the dead letters meanwhile


def chain_of(message: Message) -> str:
    """Return the trace header of what sent a message, "" where it has none."""
    given = message.system_attributes.get("AWSTraceHeader") or {}
    return str(given.get("StringValue") or given.get("string_value") or "")


def failed_items(payload: bytes, ids: Sequence[str]) -> set[str]:
    """Return the messages that a function reports as failed, all where it reports wrongly.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html: an empty report
    is a success; an answer that is not JSON, an empty or missing identifier, and one that is no
    message of the batch fail the whole batch.
    """
    try:
        answer = json.loads(payload or b"null")
        reported = (answer or {}).get("batchItemFailures") or []
        failed = {item["itemIdentifier"] for item in reported}
    except (ValueError, AttributeError, TypeError, KeyError):
        return set(ids)
    return failed if failed <= set(ids) else set(ids)


def wanted(
    mapping: Mapped, messages: Sequence[Message], drop: Callable[[Mapped, Message], None]
) -> list[Message]:
    """Return the messages that one of the mapping's filters matches; the others are dropped."""
    patterns = filter_patterns(mapping.filter_criteria)
    if not patterns:
        return list(messages)
    kept = []
    for message in messages:
        if any(_matches(pattern, mapping, message) for pattern in patterns):
            kept.append(message)
        else:
            drop(mapping, message)
    return kept


def filter_patterns(criteria: Mapping[str, Any] | None) -> list[EventPattern]:
    """Return the patterns of a FilterCriteria; raises InvalidParameterValueException."""
    found = []
    for entry in (criteria or {}).get("Filters") or ():
        try:
            pattern = EventPattern.load(entry.get("Pattern"))
        except (InvalidEventPatternException, ValueError, AttributeError, TypeError) as error:
            raise _invalid("Invalid filter pattern definition.") from error
        found.append(pattern)
    return found


def concurrent_batches(mapping: Mapped) -> int:
    """Return how many batches of a mapping run at once."""
    given = (mapping.scaling_config or {}).get("MaximumConcurrency")
    return min(int(given or _CONCURRENT_BATCHES), _CONCURRENT_BATCHES)


def is_enabled(mapping: Mapped) -> bool:
    """Return whether a mapping is still there and polls."""
    mappings = lambda_backends[ACCOUNT_ID][mapping.region]._event_source_mappings
    return mapping.enabled and mappings.get(mapping.uuid) is mapping


def missing_action(roles: RoleSessions, function: Any, queue_arn: str) -> str:
    """Return what the function's role may not do with a queue and must; empty for nothing."""
    key = roles.credentials(function.role, function.function_name).access_key_id
    missing = (a for a in _ACTIONS if not permits(key, Access(f"sqs:{a}", queue_arn)))
    return next(missing, "")


def _enabled() -> list[Mapped]:
    return [
        mapping
        for backend in list(lambda_backends[ACCOUNT_ID].values())
        for mapping in list(backend._event_source_mappings.values())
        if mapping.enabled and ":sqs:" in mapping.event_source_arn
    ]


def _queue_of(mapping: Mapped) -> Any:
    name = mapping.event_source_arn.rpartition(":")[2]
    return sqs_backends[ACCOUNT_ID][mapping.region].queues.get(name)


def _fitting(messages: Sequence[Message]) -> list[Message]:
    """Return the first messages, as many as an event's 6 MB hold, and at least one."""
    size, count = 0, 0
    for message in messages:
        size += len(message.body.encode()) + 2_000
        if count and size > MAX_REQUEST_BYTES:
            break
        count += 1
    return list(messages[:count])


def _matches(pattern: EventPattern, mapping: Mapped, message: Message) -> bool:
    record = _record(mapping, message)
    if isinstance(pattern.get_pattern().get("body"), dict):
        try:
            record["body"] = json.loads(message.body)
        except ValueError:
            return False
    return pattern.matches_event(record)  # type: ignore[arg-type]


def _record(mapping: Mapped, message: Message) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        "SequenceNumber": message.sequence_number,
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
        "AWSTraceHeader": chain_of(message) or None,
    }
    record = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {name: value for name, value in attributes.items() if value is not None},
        "messageAttributes": {
            name: _attribute(value) for name, value in message.message_attributes.items()
        },
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.event_source_arn,
        "awsRegion": mapping.region,
    }
    if message.message_attributes:
        record["md5OfMessageAttributes"] = message.attribute_md5
    return record


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    kind = value.get("DataType") or value.get("data_type")
    text = value.get("StringValue") or value.get("string_value")
    binary = value.get("BinaryValue") or value.get("binary_value")
    if isinstance(binary, bytes):
        binary = base64.b64encode(binary).decode()
    given = {"stringValue": text} if text is not None else {"binaryValue": binary}
    return {**given, "stringListValues": [], "binaryListValues": [], "dataType": kind}


def _invalid(message: str) -> Exception:
    return refusal("InvalidParameterValueException", message, 400)


_installed: list[EventSourceMappings] = []


def use(mappings: EventSourceMappings) -> None:
    """Set what polls; called once, when the server starts."""
    _installed[:] = [mappings]


def _check(mapping: Mapped, function: Any) -> None:
    """Raise InvalidParameterValueException for a mapping that Lambda refuses."""
    filter_patterns(mapping.filter_criteria)
    queue = _queue_of(mapping)
    if queue is None:
        return
    window = mapping.max_batch_window or 0
    if not 0 <= window <= _MAX_WINDOW:
        raise _invalid(f"MaximumBatchingWindowInSeconds must be from 0 to {_MAX_WINDOW}")
    if mapping.batch_size > _RECEIVE_AT_ONCE and not window:
        raise _invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )
    if window and queue.fifo_queue:
        raise _invalid("Batching window is not supported for FIFO queues")
    if queue.visibility_timeout < float(function.timeout):
        raise _invalid(
            f"Queue visibility timeout: {queue.visibility_timeout:g} seconds is less than Function "
            f"timeout: {function.timeout} seconds"
        )
    if missing := missing_action(_installed[0]._roles, function, mapping.event_source_arn):
        raise _invalid(
            f"The function execution role does not have permissions to call {missing} on SQS"
        )


@patch(
    "moto.awslambda.models.LambdaBackend.create_event_source_mapping",
    why="takes what Lambda refuses and a second mapping of the same two, and reads no message "
    "that was there before",
)
def create_event_source_mapping(original: Any, backend: Any, spec: dict[str, Any]) -> Mapped:
    """Keep a mapping and have it poll."""
    if spec.get("StartingPosition") and ":sqs:" in spec.get("EventSourceArn", ""):
        raise _invalid("StartingPosition is not valid for SQS event sources.")
    mappings = backend._event_source_mappings
    before = {(m.event_source_arn, m.function_arn): m for m in mappings.values()}
    made = original(backend, spec)
    other = before.get((made.event_source_arn, made.function_arn))
    try:
        if other is not None:
            raise refusal(
                "ResourceConflictException",
                f'An event source mapping with SQS arn (" {made.event_source_arn} ") and function '
                f'(" {made.function_name} ") already exists. Please update or delete the existing '
                f"mapping with UUID {other.uuid}",
                409,
            )
        _check(made, backend.get_function(made.function_arn))
    except Exception:
        del mappings[made.uuid]
        raise
    _installed[0].look(made.event_source_arn)
    return made


@patch(
    "moto.awslambda.models.LambdaBackend.update_event_source_mapping",
    why="takes what Lambda refuses, and answers 404 without an error's name",
)
def update_event_source_mapping(
    original: Any, backend: Any, uuid: str, spec: dict[str, Any]
) -> Mapped:
    """Change a mapping and have it poll."""
    mapping = backend._event_source_mappings.get(uuid)
    if mapping is None:
        raise refusal(
            "ResourceNotFoundException", "The resource you requested does not exist.", 404
        )
    before = dict(vars(mapping))
    try:
        if "FunctionName" in spec:
            mapping.function_name = spec["FunctionName"]
        original(backend, uuid, spec)
        _check(mapping, backend.get_function(mapping.function_arn))
    except Exception:
        vars(mapping).update(before)
        raise
    _installed[0].look(mapping.event_source_arn)
    return mapping


@patch(
    "moto.awslambda.models.EventSourceMapping.get_configuration",
    why="has a reason of its own, no result of the polls, and a version's ARN for an alias",
)
def get_configuration(original: Any, mapping: Mapped) -> dict[str, Any]:
    """Return the mapping as Lambda describes it."""
    found: dict[str, Any] = original(mapping)
    if mapping.function_name.startswith("arn:"):
        found["FunctionArn"] = mapping.function_name
    found["StateTransitionReason"] = "USER_INITIATED"
    if problem := getattr(mapping, "problem", ""):
        found["LastProcessingResult"] = problem
    return found


@patch(
    "moto.awslambda.models.LambdaBackend.list_event_source_mappings",
    why="does not find by its name a mapping that was made with the function's ARN",
)
def list_event_source_mappings(
    _: Any, backend: Any, event_source_arn: str | None, function_name: str | None
) -> list[Mapped]:
    """Return the mappings of a queue, of a function, or all."""
    bare = (function_name or "").rpartition("function:")[2].partition(":")[0]
    return [
        mapping
        for mapping in backend._event_source_mappings.values()
        if event_source_arn in (None, "", mapping.event_source_arn)
        and bare in ("", mapping.function_arn.split(":")[6])
    ]
