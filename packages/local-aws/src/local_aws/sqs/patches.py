"""SQS's patches: what is changed in moto's queues."""

from collections.abc import Callable
from typing import Any

from moto.core.utils import camelcase_to_underscores

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


_ALLOW = "RedriveAllowPolicy"


@patch(
    "moto.sqs.models.Queue._set_attributes",
    why="takes a queue's policy away whenever another attribute is set, and keeps both encryptions",
)
def set_attributes(original: Any, queue: Any, attributes: dict[str, Any], *args: Any) -> None:
    """Set these attributes and no others; a key of KMS's takes SQS's own encryption's place."""
    policy = vars(queue).get("_policy_json")
    original(queue, attributes, *args)
    if "Policy" not in attributes and policy is not None:
        queue._policy_json = policy
    if attributes.get("KmsMasterKeyId"):
        queue.sqs_managed_sse_enabled = "false"
    elif str(attributes.get("SqsManagedSseEnabled")).lower() == "true":
        queue.kms_master_key_id = None


@patch("moto.sqs.models.SQSBackend.get_queue_attributes", why=f"does not answer with {_ALLOW}")
def get_queue_attributes(original: Any, backend: Any, queue_name: str, names: list[str]) -> Any:
    """Return a queue's attributes, with which queues may name it for their dead letters."""
    found = dict(original(backend, queue_name, [name for name in names if name != _ALLOW]))
    allowed = vars(backend.get_queue(queue_name)).get(camelcase_to_underscores(_ALLOW))
    if allowed and {_ALLOW, "All"}.intersection(names):
        found[_ALLOW] = allowed
    return found
