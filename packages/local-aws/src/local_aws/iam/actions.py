"""What a request to a service other than S3 needs: actions, resources, condition keys."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.pass_role import handed_roles
from local_aws.iam.policy import Access
from local_aws.iam.request_keys import request_tags, request_values, tagging_action
from local_aws.iam.resources import resources_of

# Signing names that are not the prefix of the service's actions.
_PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}
# Operations whose action has another name.
_ACTIONS = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("lambda", "InvokeAsync"): "InvokeFunction",
    ("sagemaker", "InvokeEndpointWithResponseStream"): "InvokeEndpointWithResponseStream",
}
# These are always allowed.
_FREE = frozenset((("sts", "GetCallerIdentity"),))


def service_prefix(signing_name: str) -> str:
    """Return the prefix of a service's actions for the name that its requests are signed for."""
    return _PREFIXES.get(signing_name, signing_name)


def request_accesses(response: Any, signing_name: str) -> list[Access]:
    """Return what the caller of a request must be allowed, in the order of the checks."""
    service, operation = service_prefix(signing_name), str(response._get_action() or "")
    if (service, operation) in _FREE:
        return []
    tags = request_tags(response, operation)
    common = common_values(response.region, response.headers)
    values = {**common, **request_values(response, service, tags)}
    needed = [operation]
    if tags and (tagging := tagging_action(service, operation)):
        needed.append(tagging)
    found = [
        Access(f"{service}:{_action(service, each)}", resource, values)
        for each in needed
        for resource in resources_of(response, service, each)
    ]
    for handed in handed_roles(response, service, operation):
        passed = {**values, "iam:passedtoservice": handed.service}
        found.append(Access("iam:PassRole", handed.role_arn, passed))
    return found


def _action(service: str, operation: str) -> str:
    """Return the name by which policies allow an operation."""
    if service == "budgets" and "Resource" not in operation:  # those are about tags
        return "ViewBudget" if operation.startswith("Describe") else "ModifyBudget"
    return _ACTIONS.get((service, operation), operation)


def is_encrypted(headers: Mapping[str, str]) -> bool:
    """Return whether a request counts as sent with TLS.

    None is, on one machine. So each counts as if it were, but for one with the header with which
    proxies say what reached them: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-Proto
    """
    return headers.get("X-Forwarded-Proto", "https").lower() != "http"


def common_values(region: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the condition keys that every request has."""
    return {
        "aws:requestedregion": region,
        "aws:resourceaccount": ACCOUNT_ID,
        "aws:securetransport": "true" if is_encrypted(headers) else "false",
        "aws:sourceip": "127.0.0.1",
        "aws:viaawsservice": "false",
        "aws:currenttime": datetime.now(UTC).isoformat(timespec="seconds"),
        "aws:epochtime": str(int(time.time())),
    }
