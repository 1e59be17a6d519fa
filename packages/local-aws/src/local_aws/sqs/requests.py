"""Checks of SQS requests: attributes of queues, and messages.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

import json
import re
from typing import Any

from moto.sqs.exceptions import InvalidAttributeName, InvalidParameterValue, SQSException

from local_aws.core.patching import patch

_BACKEND = "moto.sqs.models.SQSBackend"
MAX_MESSAGE_ATTRIBUTES = 10
MAX_RECEIVES = 1_000
_RANGES = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1_024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
# Parameters of requests about messages: their range, and how SQS puts it.
_PARAMETERS = {
    "DelaySeconds": (0, 900, "DelaySeconds must be >= 0 and <= 900."),
    "MaxNumberOfMessages": (1, 10, "Must be between 1 and 10, if provided."),
    "VisibilityTimeout": (0, 43_200, "Must be between 0 and 43200, if provided."),
    "WaitTimeSeconds": (0, 20, "Must be >= 0 and <= 20, if provided."),
}
_HANDLER = "moto.sqs.responses.SQSResponse"
_OTHERS = {
    *("ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit"),
    *("KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled"),
}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
# What XML 1.0 can hold: #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.
_NOT_ALLOWED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@patch(f"{_BACKEND}.create_queue", why="takes attributes that SQS does not have, and any value")
def create_queue(
    original: Any, backend: Any, name: str, tags: Any = None, **attributes: Any
) -> Any:
    """Return a new queue, or the one of this name and these attributes."""
    given = {key: value for key, value in attributes.items() if key != "region"}
    require_attributes(given)
    fifo = str(given.get("FifoQueue", "false")).lower() == "true"
    if name.endswith(".fifo") and not fifo:
        raise InvalidParameterValue(
            "The name of a queue can only include alphanumeric characters, hyphens, or "
            "underscores. 1 to 80 in length"
        )
    return original(backend, name, tags, **attributes)


@patch(f"{_BACKEND}.set_queue_attributes", why="takes attributes that SQS does not have")
def set_queue_attributes(
    original: Any, backend: Any, queue_name: str, attributes: dict[str, Any]
) -> Any:
    """Set attributes of a queue."""
    backend.get_queue(queue_name)
    require_attributes(attributes)
    return original(backend, queue_name, attributes)


def require_attributes(attributes: dict[str, Any]) -> None:
    """Raise SQSException for an attribute that queues do not have, or a value out of range."""
    for name, value in attributes.items():
        if name not in _RANGES and name not in _OTHERS:
            raise InvalidAttributeName(name)
        if name in _RANGES and value is not None and not _is_within(value, *_RANGES[name]):
            raise SQSException("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        if name == "RedrivePolicy" and value:
            _require_redrive_policy(value)


@patch(f"{_HANDLER}.receive_message", why="fails at times below 0")
@patch(f"{_HANDLER}.change_message_visibility", why="fails at times below 0")
@patch(f"{_HANDLER}.send_message", why="fails at times below 0")
def with_parameters(original: Any, response: Any) -> Any:
    """Send, receive or hide a message; raises InvalidParameterValue for a number out of range."""
    if response._get_param("MessageDeduplicationId") and not _is_fifo(response):
        raise InvalidParameterValue(
            f"Value {response._get_param('MessageDeduplicationId')} for parameter "
            "MessageDeduplicationId is invalid. Reason: The request include parameter that is not "
            "valid for this queue type"
        )
    for name in _PARAMETERS:
        if problem := parameter_problem(name, response._get_param(name)):
            raise InvalidParameterValue(problem)
    return original(response)


def _is_fifo(response: Any) -> bool:
    return str(response._get_param("QueueUrl") or "").endswith(".fifo")


@patch(f"{_BACKEND}.send_message_batch", why="fails at times below 0")
def send_message_batch(
    original: Any, backend: Any, queue_name: str, entries: dict[str, dict[str, Any]]
) -> Any:
    """Send messages, but those whose delay is out of range."""
    failed = {key: one for key, each in entries.items() if (one := _failure("DelaySeconds", each))}
    rest = {key: each for key, each in entries.items() if key not in failed}
    sent, others = original(backend, queue_name, rest)
    return sent, [*failed.values(), *others]


@patch(f"{_BACKEND}.change_message_visibility_batch", why="fails at times below 0")
def change_message_visibility_batch(
    original: Any, backend: Any, queue_name: str, entries: list[dict[str, Any]]
) -> Any:
    """Hide or show messages, but those whose time is out of range."""
    found = [(each, _failure("VisibilityTimeout", each)) for each in entries]
    rest = [each for each, failure in found if failure is None]
    changed, others = original(backend, queue_name, rest)
    return changed, [*(failure for _, failure in found if failure), *others]


def _failure(name: str, entry: dict[str, Any]) -> dict[str, Any] | None:
    problem = parameter_problem(name, entry.get(name))
    if not problem:
        return None
    code = InvalidParameterValue.__name__
    return {"Id": entry["Id"], "SenderFault": True, "Code": code, "Message": problem}


def parameter_problem(name: str, value: int | None) -> str:
    """Return what SQS says of a parameter that is out of its range, "" for nothing."""
    least, most, reason = _PARAMETERS[name]
    if value is None or least <= value <= most:
        return ""
    return f"Value {value} for parameter {name} is invalid. Reason: {reason}"


def _is_within(value: Any, minimum: int, maximum: int) -> bool:
    text = str(value)
    return re.fullmatch(r"-?\d+", text) is not None and minimum <= int(text) <= maximum


def _require_redrive_policy(value: Any) -> None:
    prefix = f"Value {value} for parameter RedrivePolicy is invalid. Reason: "
    try:
        policy = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise InvalidParameterValue(f"{prefix}Redrive policy is not a valid JSON map.")
    count = policy.get("maxReceiveCount", 1)
    if policy and not _is_within(count, 1, MAX_RECEIVES):
        raise InvalidParameterValue(
            f"{prefix}Invalid value for maxReceiveCount: {count}, valid values are from 1 to "
            f"{MAX_RECEIVES} both inclusive."
        )


@patch("moto.sqs.models.Queue._setup_dlq", why="names an absent queue of dead letters otherwise")
def set_up_dead_letters(original: Any, queue: Any, policy: Any) -> None:
    """Set where a queue's dead letters go."""
    try:
        original(queue, policy)
    except SQSException as error:
        if error.code != "AWS.SimpleQueueService.NonExistentQueue":
            raise
        raise InvalidParameterValue(
            f"Value {policy} for parameter RedrivePolicy is invalid. Reason: Dead letter target "
            "does not exist."
        ) from error


@patch(f"{_BACKEND}._validate_message", why="takes a message without a body, or with NUL in it")
def validate_message(
    original: Any, backend: Any, queue: Any, message_body: str, *args: Any, **more: Any
) -> None:
    """Raise SQSException for a message that a queue does not take."""
    if not message_body:
        raise SQSException(
            "MissingParameter", "The request must contain the parameter MessageBody."
        )
    if _NOT_ALLOWED.search(message_body):
        raise SQSException(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are "
            "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )
    original(backend, queue, message_body, *args, **more)


def require_message_attributes(attributes: dict[str, Any]) -> None:
    """Raise InvalidParameterValue for too many attributes of a message, and for an empty one."""
    if len(attributes) > MAX_MESSAGE_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{MAX_MESSAGE_ATTRIBUTES}]."
        )
    for name, value in attributes.items():
        if name.lower().startswith(("aws.", "amazon.")):
            raise InvalidParameterValue(
                f"Message (user) attribute name '{name}' is invalid. Reason: Names must not start "
                "with AWS. or Amazon., which are reserved."
            )
        if not any(value.get(kind) for kind in ("StringValue", "BinaryValue")):
            raise InvalidParameterValue(
                f"Message (user) attribute '{name}' must contain a non-empty value."
            )
        kind = str(value.get("DataType") or "").partition(".")[0]
        if kind == "Number" and not _NUMBER.fullmatch(str(value.get("StringValue") or "")):
            raise InvalidParameterValue(
                f"Can't cast the value of message (user) attribute '{name}' to a number."
            )
