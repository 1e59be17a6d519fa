"""The operations of Budgets that moto lacks.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Budgets.html
"""

import json
from typing import Any

from moto.budgets.models import Budget

from local_aws.core.patching import add, patch
from local_aws.core.tags import TagStore

_RESPONSE = "moto.budgets.responses.BudgetsResponse"
_MISSING = "the operation is missing"
_TAGS = TagStore("budgets")


@add(f"{_RESPONSE}.update_budget", why=_MISSING)
def update_budget(response: Any) -> str:
    """Replace a budget; its notifications stay."""
    account, given = response._get_param("AccountId"), response._get_param("NewBudget")
    name = given["BudgetName"]
    response.backend.describe_budget(account_id=account, budget_name=name)
    budgets = response.backend.budgets[account]
    made = Budget(given, [])
    made.notifications = budgets[name].notifications
    budgets[name] = made
    return "{}"


@add(f"{_RESPONSE}.describe_subscribers_for_notification", why=_MISSING)
def describe_subscribers(response: Any) -> str:
    """Answer with the subscribers of a budget's notification; none where it is not there."""
    account, name = response._get_param("AccountId"), response._get_param("BudgetName")
    budget = response.backend.budgets[account].get(name)
    notification_filter = response._get_param("Notification")
    for notification in budget.notifications if budget else ():
        if _same(notification.details, notification_filter):
            return json.dumps({"Subscribers": notification.subscribers})
    return json.dumps({"Subscribers": []})


def _same(details: dict[str, Any], notification_filter: dict[str, Any]) -> bool:
    return all(
        details.get(k) == v for k, v in notification_filter.items() if k != "NotificationState"
    )


@patch(f"{_RESPONSE}.create_budget", why="drops the tags")
def create_budget(original: Any, response: Any) -> str:
    """Make a budget with its tags."""
    answer: str = original(response)
    name = response._get_param("Budget")["BudgetName"]
    arn = f"arn:aws:budgets::{response._get_param('AccountId')}:budget/{name}"
    _TAGS.forget(arn)
    _TAGS.add(arn, _by_key(response._get_param("ResourceTags")))
    return answer


@add(f"{_RESPONSE}.list_tags_for_resource", why=_MISSING)
def list_tags(response: Any) -> str:
    """Answer with a budget's tags."""
    found = _TAGS.of(response._get_param("ResourceARN"))
    pairs = [{"Key": key, "Value": value} for key, value in found.items()]
    return json.dumps({"ResourceTags": pairs})


@add(f"{_RESPONSE}.tag_resource", why=_MISSING)
def tag_resource(response: Any) -> str:
    """Add tags to a budget."""
    given = _by_key(response._get_param("ResourceTags"))
    _TAGS.add(response._get_param("ResourceARN"), given)
    return "{}"


@add(f"{_RESPONSE}.untag_resource", why=_MISSING)
def untag_resource(response: Any) -> str:
    """Take tags from a budget."""
    _TAGS.remove(response._get_param("ResourceARN"), response._get_param("ResourceTagKeys"))
    return "{}"


def _by_key(pairs: list[dict[str, str]] | None) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in pairs or []}
