"""Checks of SNS requests: messages, subjects and filter policies.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from moto.sns.exceptions import SNSInvalidParameter

from local_aws.core.patching import patch

_BACKEND = "moto.sns.models.SNSBackend"
# "ASCII text that begins with a letter, number, or punctuation mark; must not include line breaks
# or control characters; and must be less than 100 characters long"
_SUBJECT = re.compile(r"[!-~][ -~]{0,99}")
_QUEUE = re.compile(r"arn:aws[a-z-]*:sqs:[a-z]+(-[a-z0-9]+)+:[0-9]{12}:[A-Za-z0-9_.-]+")
_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z]+(-[a-z0-9]+)+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?"
)
_ENDPOINTS = {"sqs": _QUEUE, "lambda": _FUNCTION}
_NAMES = {"sqs": "SQS", "lambda": "Lambda"}
_PROTOCOLS = frozenset(
    ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
)
_JSON_ATTRIBUTES = ("FilterPolicy", "RedrivePolicy", "DeliveryPolicy")
_SCOPES = ("MessageAttributes", "MessageBody")
_OF_STRINGS = ("prefix", "suffix", "equals-ignore-case")


@patch(f"{_BACKEND}.publish", why="takes an empty message, any subject, and JSON without a default")
def publish(original: Any, backend: Any, message: str, *args: Any, **more: Any) -> Any:
    """Publish a message; return its id."""
    subject, structure = more.get("subject"), more.get("message_structure")
    if not (args or more.get("arn") or more.get("phone_number")):
        raise SNSInvalidParameter(
            "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
        )
    if not message:
        raise SNSInvalidParameter("Invalid parameter: Empty message")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise SNSInvalidParameter("Invalid parameter: Subject")
    if structure == "json":
        _require_default(message)
    return original(backend, message, *args, **more)


def _require_default(message: str) -> None:
    prefix = "Invalid parameter: Message Structure - "
    try:
        found = json.loads(message)
    except ValueError as error:
        raise SNSInvalidParameter(f"{prefix}JSON message body failed to parse") from error
    if not isinstance(found, dict) or not isinstance(found.get("default"), str):
        raise SNSInvalidParameter(f"{prefix}No default entry in JSON message body")


@patch(f"{_BACKEND}.subscribe", why="takes any protocol, and a function that nothing can invoke")
def subscribe(original: Any, backend: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
    """Return a topic's new subscription, or the one that there is."""
    backend.get_topic(topic_arn)
    if protocol not in _PROTOCOLS:
        raise SNSInvalidParameter(
            f"Invalid parameter: Does not support this protocol string: {protocol}"
        )
    form = _ENDPOINTS.get(protocol)
    if form is not None and not form.fullmatch(endpoint or ""):
        raise SNSInvalidParameter(f"Invalid parameter: {_NAMES[protocol]} endpoint ARN")
    return original(backend, topic_arn, endpoint, protocol)


@patch(
    f"{_BACKEND}.set_subscription_attributes",
    why="takes any value, at which later messages of the topic fail",
)
def set_subscription_attributes(
    original: Any, backend: Any, arn: str, name: str, value: Any
) -> None:
    """Set an attribute of a subscription."""
    if value and name in _JSON_ATTRIBUTES:
        try:
            found = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise SNSInvalidParameter(f"Invalid parameter: {name}: failed to parse JSON") from error
        target = found.get("deadLetterTargetArn") if isinstance(found, dict) else None
        if name == "RedrivePolicy" and not _QUEUE.fullmatch(str(target)):
            raise SNSInvalidParameter(
                "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid ARN"
            )
    if name == "FilterPolicyScope" and value not in _SCOPES:
        raise SNSInvalidParameter(f"Invalid parameter: FilterPolicyScope: Invalid value [{value}]")
    original(backend, arn, name, value)


@patch(f"{_BACKEND}._validate_filter_policy", why="takes what is no object, and empty lists")
def validate_filter_policy(original: Any, backend: Any, value: Any, scope: Any) -> None:
    """Raise SNSInvalidParameter for a filter policy that SNS refuses."""
    prefix = "Invalid parameter: FilterPolicy: "
    if not isinstance(value, dict):
        raise SNSInvalidParameter(f"{prefix}Filter policy must be an object")
    for rules in _lists(value):
        if not rules:
            raise SNSInvalidParameter(f"{prefix}Empty arrays are not allowed")
        for rule in rules:
            for name in _OF_STRINGS if isinstance(rule, dict) else ():
                if not isinstance(rule.get(name, ""), str):
                    raise SNSInvalidParameter(f"{prefix}{name} match pattern must be a string")
    original(backend, value, scope)


def _lists(policy: Any) -> Iterator[list[Any]]:
    if isinstance(policy, list):
        yield policy
    for inner in policy.values() if isinstance(policy, dict) else ():
        yield from _lists(inner)


@patch(
    "moto.sns.utils.FilterPolicyMatcher._field_match",
    why="compares with equals-ignore-case only the message's value in lower case",
)
def matches_field(original: Any, field: str, rules: list[Any], *args: Any, **more: Any) -> bool:
    """Return whether one of the rules matches a field of a message."""
    found: bool = original(field, [_in_lower_case(rule) for rule in rules], *args, **more)
    return found


def _in_lower_case(rule: Any) -> Any:
    name = "equals-ignore-case"
    same = isinstance(rule, dict) and isinstance(rule.get(name), str)
    return {**rule, name: rule[name].lower()} if same else rule
