"""SQS's patches: what is changed in moto's queues.

moto itself receives messages, counts how often each was received, and moves it to the dead-letter
queue; `state.queue_messages` saves what changed.
"""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid
from moto.sqs.models import sqs_backends

from local_aws.core import clock
from local_aws.core.patching import patch, set_value
from local_aws.core.request_chains import current
from local_aws.sqs import deduplication
from local_aws.sqs.requests import require_message_attributes
from local_aws.state.queue_messages import note_change, note_sent

_sent: list[Callable[[str], None]] = []


def on_sent(action: Callable[[str], None]) -> None:
    """Have an action called with a queue's ARN whenever the queue gets a message."""
    _sent.append(action)


def unix_time() -> float:
    """Return the time of the embedded AWS's clock in seconds since 1970."""
    return clock.now().timestamp()


def unix_time_millis() -> float:
    """Return the time of the embedded AWS's clock in milliseconds since 1970."""
    return unix_time() * 1000


set_value("moto.sqs.models.unix_time", unix_time, why="follows no driven clock")
set_value("moto.sqs.models.unix_time_millis", unix_time_millis, why="follows no driven clock")


@patch(
    "moto.sqs.models.Queue.add_message",
    why="counts all messages for each one that is sent; invokes a mapped function from within "
    "SendMessage, with invented attributes, and makes the messages of a failed one visible at once",
)
def add_message(_: Any, queue: Any, message: Any) -> None:
    """Keep the message, and have those that poll the queue look."""
    # moto notes its mappings here, and invokes whatever is noted.
    queue.lambda_event_source_mappings = {}
    with queue._messages_lock:
        if queue.fifo_queue and not deduplication.is_new(queue, message):
            return
        queue._messages.append(message)
        queue._messages_lock.notify_all()
    note_sent(queue, message)
    for action in _sent:
        action(queue.queue_arn)


@patch("moto.sqs.responses.validate_message_attributes", why="takes any number, and empty ones")
def validate_message_attributes(original: Any, attributes: dict[str, Any] | None) -> None:
    """Raise an error for attributes that a message cannot have."""
    original(attributes)
    require_message_attributes(attributes or {})


_SCANS = "looks at all messages of a queue to receive or delete one"


class _Visible:
    """The messages of a queue that can be received, found as they are asked for."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __iter__(self) -> Iterator[Any]:
        oldest = _oldest(self._queue)
        for message in list(self._queue._messages):
            if message.visible and not message.delayed and message.sent_timestamp > oldest:
                yield message

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self)


@patch("moto.sqs.models.Queue.messages", why=_SCANS)
def messages(_: Any, queue: Any) -> _Visible:
    """Return the messages that can be received; forget those past their retention."""
    oldest = _oldest(queue)
    with queue._messages_lock:
        expired = list(
            itertools.takewhile(lambda m: m.sent_timestamp <= oldest, list(queue._messages))
        )
        for message in expired:
            queue._messages.remove(message)
            queue._pending_messages.discard(message)
    for message in expired:
        note_change(message)
    return _Visible(queue)


def _oldest(queue: Any) -> float:
    """Return the time, in milliseconds since 1970, up to which messages have expired by now."""
    return unix_time_millis() - 1000 * int(queue.message_retention_period)


@patch(
    "moto.sqs.models.SQSBackend.is_message_valid_based_on_retention_period",
    why="ends a receive at a message past its retention, so that no later one is ever received",
)
def is_retained(_: Any, backend: Any, queue_name: str, message: Any) -> bool:
    """Return True: what is past its retention is no message any more."""
    del backend, queue_name, message
    return True


@patch("moto.sqs.models.Queue.delete_message", why=_SCANS)
def delete_message(_: Any, queue: Any, receipt_handle: str) -> None:
    """Take a message out; one that was deleted already is no error."""
    if receipt_handle in queue.deleted_messages:
        return
    with queue._messages_lock:
        found = next((m for m in queue._messages if m.had_receipt_handle(receipt_handle)), None)
        if found is None:
            raise ReceiptHandleIsInvalid()
        if queue.fifo_queue and (found.visible or receipt_handle != found.receipt_handle):
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: The "
                "receipt handle has expired."
            )
        queue._messages.remove(found)
        queue._pending_messages.discard(found)
        queue.deleted_messages.update(found.all_receipt_handles)
    note_change(found)


_COUNTS = "counts all messages of a queue for each one that is sent, and reads the clock for each"
_TIMES = {"CreatedTimestamp", "LastModifiedTimestamp"}
_sending = threading.local()


@patch("moto.sqs.models.SQSBackend.send_message", why=f"{_COUNTS}; drops the trace header")
def send_message(original: Any, backend: Any, *args: Any, **more: Any) -> Any:
    """Send a message, for which nothing needs counting."""
    _sending.now = True
    if header := current():
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
        more["system_attributes"] = trace | (more.get("system_attributes") or {})
    try:
        return original(backend, *args, **more)
    finally:
        _sending.now = False


@patch(
    "moto.sqs.models.Queue.attributes",
    why=f"{_COUNTS}; answers with a redrive policy in other blanks than AWS, and times in "
    "fractions of seconds",
)
def attributes(original: Any, queue: Any) -> Any:
    """Return a queue's attributes; while one sends to a standard queue, what is asked then."""
    if getattr(_sending, "now", False) and not queue.fifo_queue:
        return {"ContentBasedDeduplication": "false"}
    found = original(queue)
    if found.get("RedrivePolicy"):
        found["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
    for name in _TIMES & found.keys():
        found[name] = str(int(float(found[name])))
    return found


@patch("moto.sqs.models.Queue.approximate_number_of_messages", why=_COUNTS)
def visible_count(_: Any, queue: Any) -> int:
    """Return how many messages can be received."""
    now = unix_time_millis()
    messages = list(queue._messages)
    return sum(1 for m in messages if now > m.visible_at and now >= m.delayed_until)


@patch("moto.sqs.models.Queue.approximate_number_of_messages_not_visible", why=_COUNTS)
def in_flight_count(_: Any, queue: Any) -> int:
    """Return how many messages were received and are neither deleted nor visible again."""
    now = unix_time_millis()
    return sum(1 for message in list(queue._messages) if now <= message.visible_at)


@patch("moto.sqs.models.Queue.approximate_number_of_messages_delayed", why=_COUNTS)
def delayed_count(_: Any, queue: Any) -> int:
    """Return how many messages wait for the end of their delay."""
    now = unix_time_millis()
    return sum(1 for message in list(queue._messages) if now < message.delayed_until)


_ALLOW = "RedriveAllowPolicy"


@patch(
    "moto.sqs.models.Queue._set_attributes",
    why="takes a queue's policy away whenever another attribute is set, keeps both encryptions, "
    f"and asks no {_ALLOW}",
)
def set_attributes(original: Any, queue: Any, attributes: dict[str, Any], *args: Any) -> None:
    """Set these attributes and no others; a key of KMS's takes SQS's own encryption's place."""
    policy = vars(queue).get("_policy_json")
    if attributes.get("RedrivePolicy"):
        _require_allowed(queue, attributes["RedrivePolicy"])
    original(queue, attributes, *args)
    if "Policy" not in attributes and policy is not None:
        queue._policy_json = policy
    if attributes.get("KmsMasterKeyId"):
        queue.sqs_managed_sse_enabled = "false"
    elif str(attributes.get("SqsManagedSseEnabled")).lower() == "true":
        queue.kms_master_key_id = None


def _require_allowed(queue: Any, redrive_policy: Any) -> None:
    """Raise moto's InvalidParameterValue where the dead-letter queue does not take this one's.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    """
    try:
        given = json.loads(redrive_policy) if isinstance(redrive_policy, str) else redrive_policy
        target = str(given["deadLetterTargetArn"])
    except (ValueError, TypeError, KeyError):  # moto says what is wrong with it
        return
    queues = sqs_backends[queue.account_id][queue.region].queues.values()
    found = next((one for one in queues if one.queue_arn == target), None)
    allow = json.loads(vars(found).get(camelcase_to_underscores(_ALLOW)) or "{}") if found else {}
    permission = allow.get("redrivePermission", "allowAll")
    named = permission == "byQueue" and queue.queue_arn in allow.get("sourceQueueArns", ())
    if permission != "allowAll" and not named:
        raise InvalidParameterValue(
            f"Value {json.dumps(given)} for parameter RedrivePolicy is invalid. Reason: The "
            f"{_ALLOW} of the dead-letter queue {target} does not allow {queue.queue_arn}."
        )


@patch("moto.sqs.models.SQSBackend.get_queue_attributes", why=f"does not answer with {_ALLOW}")
def get_queue_attributes(original: Any, backend: Any, queue_name: str, names: list[str]) -> Any:
    """Return a queue's attributes, with which queues may name it for their dead letters."""
    found = dict(original(backend, queue_name, [name for name in names if name != _ALLOW]))
    allowed = vars(backend.get_queue(queue_name)).get(camelcase_to_underscores(_ALLOW))
    if allowed and {_ALLOW, "All"}.intersection(names):
        found[_ALLOW] = allowed
    return found
