"""Answers of Budgets: subscribers of a notification, and tags."""

import json
from typing import Any

from local_aws.core.patching import implement, wrap
from local_aws.core.tags import TagStore


def install() -> None:
    """Patch budgets."""
    _updates()
    _subscribers()
    _tags()


def _updates() -> None:
    from moto.budgets.models import Budget
    from moto.budgets.responses import BudgetsResponse

    @implement(BudgetsResponse, "update_budget", fault="is missing")
    def update_budget(response: Any) -> str:
        account, given = response._get_param("AccountId"), response._get_param("NewBudget")
        name = given["BudgetName"]
        response.backend.describe_budget(account_id=account, budget_name=name)
        budgets = response.backend.budgets[account]
        made = Budget(given, [])
        made.notifications = budgets[name].notifications
        budgets[name] = made
        return "{}"


def _subscribers() -> None:
    from moto.budgets.responses import BudgetsResponse

    @implement(BudgetsResponse, "describe_subscribers_for_notification", fault="is missing")
    def describe_subscribers(response: Any) -> str:
        account, name = response._get_param("AccountId"), response._get_param("BudgetName")
        budget = response.backend.budgets[account].get(name)
        asked = response._get_param("Notification")
        for notification in budget.notifications if budget else ():
            if _same(notification.details, asked):
                return json.dumps({"Subscribers": notification.subscribers})
        return json.dumps({"Subscribers": []})


def _same(details: dict[str, Any], asked: dict[str, Any]) -> bool:
    return all(details.get(k) == v for k, v in asked.items() if k != "NotificationState")


def _tags() -> None:
    from moto.budgets.responses import BudgetsResponse

    tags = TagStore("budgets")

    @wrap(BudgetsResponse, "create_budget", fault="drops the tags")
    def create_budget(original: Any, response: Any) -> str:
        answer: str = original(response)
        name = response._get_param("Budget")["BudgetName"]
        arn = f"arn:aws:budgets::{response._get_param('AccountId')}:budget/{name}"
        tags.forget(arn)
        tags.add(arn, _plain(response._get_param("ResourceTags")))
        return answer

    @implement(BudgetsResponse, "list_tags_for_resource", fault="is missing")
    def list_tags(response: Any) -> str:
        found = tags.of(response._get_param("ResourceARN"))
        pairs = [{"Key": key, "Value": value} for key, value in found.items()]
        return json.dumps({"ResourceTags": pairs})

    @implement(BudgetsResponse, "tag_resource", fault="is missing")
    def tag_resource(response: Any) -> str:
        given = _plain(response._get_param("ResourceTags"))
        tags.add(response._get_param("ResourceARN"), given)
        return "{}"

    @implement(BudgetsResponse, "untag_resource", fault="is missing")
    def untag_resource(response: Any) -> str:
        tags.remove(response._get_param("ResourceARN"), response._get_param("ResourceTagKeys"))
        return "{}"


def _plain(pairs: list[dict[str, str]] | None) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in pairs or []}
