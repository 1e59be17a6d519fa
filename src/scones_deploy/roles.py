"""Roles that outlived their environment; the Tagging API does not list them."""

from typing import Any

from scones_deploy.ownership import Owner

# The path of the roles that deploy; terraform/bootstrap owns them, with the same tags.
DEPLOYING = "/ci/"


def remove_roles(iam: Any, owner: Owner) -> list[str]:
    """Delete the roles whose name and tags are the owner's, with their policies; return names."""
    names = [
        role["RoleName"]
        for page in iam.get_paginator("list_roles").paginate()
        for role in page["Roles"]
        if role["RoleName"].startswith(owner.prefix) and role["Path"] != DEPLOYING
    ]
    own = [name for name in names if owner.owns(iam.list_role_tags(RoleName=name)["Tags"])]
    for name in own:
        _remove(iam, name)
    return own


def _remove(iam: Any, name: str) -> None:
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)
