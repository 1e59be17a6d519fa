"""SQS's patches: what is changed in moto's queues."""

from collections.abc import Callable
from typing import Any

from local_aws.core import clock
from local_aws.core.patching import patch, set_value

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
    why="invokes a mapped function from within SendMessage, with invented attributes, and makes "
    "the messages of a failed one visible at once",
)
def add_message(original: Any, queue: Any, message: Any) -> None:
    """Keep the message, and have those that poll the queue look."""
    # moto notes its mappings here, and invokes whatever is noted.
    queue.lambda_event_source_mappings = {}
    original(queue, message)
    for action in _sent:
        action(queue.queue_arn)
