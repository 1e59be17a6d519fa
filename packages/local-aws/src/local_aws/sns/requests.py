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
_OF_STRINGS = ("prefix", "suffix", "equals-ignore-case")


@patch(f"{_BACKEND}.publish", why="takes an empty message, any subject, and JSON without a default")
def publish(original: Any, backend: Any, message: str, *args: Any, **more: Any) -> Any:
    """Publish a message; return its id."""
    subject, structure = more.get("subject"), more.get("message_structure")
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
