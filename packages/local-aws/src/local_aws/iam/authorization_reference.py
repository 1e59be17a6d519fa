"""The resources that each action may be allowed on, as the Service Authorization Reference has it.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_suffix(".json")
# Operations whose action has another name.
_ACTIONS = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("lambda", "InvokeAsync"): "InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "InvokeFunction",
    ("lambda", "GetLayerVersionByArn"): "GetLayerVersion",
    # https://docs.aws.amazon.com/sns/latest/dg/sns-batch-api-actions.html
    ("sns", "PublishBatch"): "Publish",
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "SendMessageBatch"): "SendMessage",
}


def action_of(service: str, operation: str) -> str:
    """Return the name by which policies allow an operation; `service` is its actions' prefix."""
    # What is done to a budget has two actions; to its tags and its own actions, those of the names.
    if service == "budgets" and not re.search("Resource|BudgetAction", operation):
        return "ViewBudget" if operation.startswith("Describe") else "ModifyBudget"
    return _ACTIONS.get((service, operation), operation)


def resource_types(service: str, action: str) -> Mapping[str, str] | None:
    """Return the ARNs, by the type of resource, that an action may be allowed on.

    Their variables are as in `arn:aws:sns:${Region}:${Account}:${TopicName}`. There are none for
    an action that has no resource, and it is None for one that the reference does not have.
    """
    known = _services().get(service)
    names = None if known is None else known["actions"].get(action)
    return None if names is None else {name: known["resources"][name] for name in names}


@functools.cache
def _services() -> Any:
    return json.loads(_FILE.read_text(encoding="utf-8"))["services"]
