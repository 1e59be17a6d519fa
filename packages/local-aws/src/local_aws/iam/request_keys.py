"""The condition keys that a request fills with its own parameters, or with what it changes.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.iam.arns import parameter_values
from local_aws.iam.special_resources import named_role

_PARAMETERS = {
    "application-autoscaling": {"ServiceNamespace": "application-autoscaling:service-namespace"},
    "cloudwatch": {"Namespace": "cloudwatch:namespace"},
    "sts": {"ExternalId": "sts:externalid", "RoleSessionName": "sts:rolesessionname"},
}
# Services spell tags in a list of pairs in three ways.
_PAIRS = (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue"))
# The operations that give tags; a look into others' bodies would cost time for nothing.
_TAGGING = ("AddTags", "Create", "PutMetricAlarm", "PutRule", "Register", "Tag")


def request_values(response: Any, service: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the condition keys of a request to a service, by the prefix of its actions.

    `tags` are those that the request gives.
    """
    found = {
        key: value
        for parameter, key in _PARAMETERS.get(service, {}).items()
        for value in parameter_values(response, parameter)
    }
    if service == "kms":
        # Only other AWS services create grants on behalf of a caller.
        found["kms:grantisforawsresource"] = "false"
    if service == "iam" and (boundary := _boundary(response)):
        found["iam:permissionsboundary"] = boundary
    return {**found, **{f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}}


def _boundary(response: Any) -> str:
    """Return the boundary that a role is to get, or else the one that the changed role has."""
    for given in parameter_values(response, "PermissionsBoundary"):
        return given
    for name in parameter_values(response, "RoleName"):
        return str(getattr(named_role(response, name), "permissions_boundary_arn", None) or "")
    return ""


def request_tags(response: Any, operation: str) -> dict[str, str]:
    """Return the tags that a request gives to what it makes or tags."""
    if not operation.startswith(_TAGGING):
        return {}
    for name in ("Tags", "tags", "ResourceTags"):
        given = response._get_param(name)
        if isinstance(given, Mapping):
            return {str(key): str(value) for key, value in given.items()}
        if isinstance(given, list) and given:
            return dict(_pairs(given))
    return {}


def tagging_action(service: str, operation: str) -> str:
    """Return the action that tags given with a creation need beside it; "" for no creation.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
    """
    if operation.startswith(("AddTags", "Tag")):
        return ""
    if service == "iam":
        return "Tag" + operation.removeprefix("Create")
    return {"sagemaker": "AddTags", "sqs": "TagQueue"}.get(service, "TagResource")


def _pairs(given: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for tag in given:
        for key, value in _PAIRS:
            if isinstance(tag, Mapping) and key in tag:
                yield str(tag[key]), str(tag.get(value, ""))
