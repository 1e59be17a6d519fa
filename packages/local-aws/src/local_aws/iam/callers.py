"""Callers: who sent a request, by its access key: a role's session, a user, or nobody.

The administrator is whoever has the key that `client_environment` gives; signatures are not
checked. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_aws.client_environment import ADMINISTRATOR_KEY
from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.condition_keys import UNTOLD
from local_aws.iam.conditions import tag_values
from local_aws.iam.policy_evaluation import Document, Policies, Principal
from local_aws.iam.roles import (
    identity_policies,
    is_enforced,
    is_of_present_role,
    managed_policy,
    moto_now,
    parsed_policy,
    role_of,
)

SESSION_KEY_PREFIX = "ASIA"
_QUERY_SERVICES = frozenset(
    ("autoscaling", "cloudformation", "cloudwatch", "ec2", "iam", "sns", "sqs", "sts")
)
# Sessions and users by their keys, as they were last found.
_sessions: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_users: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class KeyRefused(Exception):
    """The access key is missing, nobody's, inactive, or that of a session that is over."""

    def __init__(self, *, expired: bool = False, missing: bool = False) -> None:
        sentence = "The security token included in the request is "
        sentence += "expired" if expired else "invalid."
        super().__init__("Missing Authentication Token" if missing else sentence)
        self.expired = expired
        self.missing = missing

    def code_for(self, service: str) -> str:
        """Return the error code of a service; those of the query protocol have their own."""
        is_query = service in _QUERY_SERVICES
        if self.missing:
            return "MissingAuthenticationToken" + ("" if is_query else "Exception")
        if is_query:
            return "ExpiredToken" if self.expired else "InvalidClientTokenId"
        return "ExpiredTokenException" if self.expired else "UnrecognizedClientException"


class Anonymous:
    """Who signs nothing: only the policies of resources, and S3's ACLs, can let them in."""

    arn = "anonymous"
    principal = Principal("anonymous")
    policies = Policies()
    values: Mapping[str, str] = {
        "aws:principaltype": "Anonymous",
        "aws:userid": "anonymous",
    }


@dataclass
class RoleSession:
    """A session of a role; `session` is moto's record of it."""

    session: Any

    @property
    def arn(self) -> str:
        """Return the session's ARN, by which denials name it."""
        return str(self.session.arn)

    @property
    def principal(self) -> Principal:
        """Return the session as policies name it."""
        return Principal(ACCOUNT_ID, arn=self.session.arn, role_arn=self.session.role_arn)

    @property
    def policies(self) -> Policies:
        """Return what bounds the session now; a role that is gone allows nothing."""
        role = role_of(self.session.role_arn)
        if role is None:
            return Policies()
        boundary = role.permissions_boundary_arn
        return Policies(
            identity=identity_policies(role),
            boundary=[managed_policy(boundary)] if boundary else None,
            session=self._own_policies(),
        )

    def _own_policies(self) -> Sequence[Document] | None:
        """Return the policies that AssumeRole was given, as text and by ARN; None without any."""
        arns = getattr(self.session, "policy_arns", ())
        own = [parsed_policy(self.session.policy)] if self.session.policy else []
        return [*own, *map(managed_policy, arns)] or None

    @cached_property
    def values(self) -> Mapping[str, str]:
        """Return the condition keys that describe the session."""
        role = role_of(self.session.role_arn)
        # Sessions of an earlier version have neither.
        tags = getattr(self.session, "tags", ())
        identity = getattr(self.session, "source_identity", "")
        issued = getattr(self.session, "issued", UNTOLD)
        return {
            "aws:principalisawsservice": "false",
            # Nobody has a device here.
            "aws:multifactorauthpresent": "false",
            "aws:tokenissuetime": issued,
            "aws:principalarn": self.session.role_arn,
            "aws:principalaccount": ACCOUNT_ID,
            "aws:principaltype": "AssumedRole",
            "aws:userid": self.session.user_id,
            **_tag_values(role.tags if role is not None else None),
            **tag_values("aws:principaltag/", tags),
            **({"aws:sourceidentity": identity} if identity else {}),
        }


@dataclass
class User:
    """An IAM user; `user` is moto's record of it."""

    user: Any

    @property
    def arn(self) -> str:
        """Return the user's ARN, by which denials name it."""
        return str(self.user.arn)

    @property
    def principal(self) -> Principal:
        """Return the user as policies name it."""
        return Principal(ACCOUNT_ID, arn=self.user.arn)

    @property
    def policies(self) -> Policies:
        """Return the user's policies and those of its groups."""
        groups = [group for group in list(_iam().groups.values()) if self.user in group.users]
        boundary = getattr(self.user, "permissions_boundary_arn", None)
        return Policies(
            identity=[
                document for one in (self.user, *groups) for document in identity_policies(one)
            ],
            boundary=[managed_policy(boundary)] if boundary else None,
        )

    @cached_property
    def values(self) -> Mapping[str, str]:
        """Return the condition keys that describe the user."""
        return {
            "aws:principalisawsservice": "false",
            "aws:principalarn": self.user.arn,
            "aws:principalaccount": ACCOUNT_ID,
            "aws:principaltype": "User",
            "aws:userid": self.user.id,
            "aws:username": self.user.name,
            # Those of its creation are in the user as well, and stay there when they are changed.
            **_tag_values(_iam().tagger.list_tags_for_resource(self.user.arn)["Tags"]),
        }


Caller = Anonymous | RoleSession | User
ANONYMOUS = Anonymous()


def caller_of(access_key_id: str) -> Caller | None:
    """Return who has this key; None for the administrator, and for all while policies are off.

    A key that is nobody's is treated as no key: only what is public can be had with it.
    """
    if access_key_id == ADMINISTRATOR_KEY or not is_enforced():
        return None
    if (session := session_of(access_key_id)) is not None:
        return RoleSession(session)
    user = _user_of(access_key_id)
    return ANONYMOUS if user is None else User(user)


def require_valid_key(access_key_id: str) -> None:
    """Raise KeyRefused for a key that is missing, unknown, inactive or expired."""
    if access_key_id == ADMINISTRATOR_KEY or not is_enforced():
        return
    if not access_key_id:
        raise KeyRefused(missing=True)
    session = session_of(access_key_id)
    if session is not None and session.expiration <= moto_now():
        raise KeyRefused(expired=True)
    if session is None and _user_of(access_key_id) is None:
        raise KeyRefused


def session_of(access_key_id: str) -> Any:
    """Return moto's session of an access key; None for another key, and where the role is gone."""
    if not access_key_id.startswith(SESSION_KEY_PREFIX):
        return None
    found = _sessions.get(access_key_id)
    if found is None:  # moto looks through all that there ever were
        found = sts_backends[ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(access_key_id)
        if found is not None:
            _sessions[access_key_id] = found
    return found if found is not None and is_of_present_role(found) else None


def _user_of(access_key_id: str) -> Any:
    """Return moto's user of an active access key; None where there is none."""
    known = _users.get(access_key_id)
    candidates = [known] if known is not None and _is_there(known) else list(_iam().users.values())
    for user in candidates:
        for key in user.access_keys:
            if key.access_key_id == access_key_id and key.status == "Active":
                _users[access_key_id] = user
                return user
    return None


def _is_there(user: Any) -> bool:
    return _iam().users.get(user.name) is user


def _tag_values(tags: Any) -> dict[str, str]:
    return tag_values("aws:principaltag/", ((tag["Key"], tag["Value"]) for tag in tags or ()))


def _iam() -> Any:
    return iam_backends[ACCOUNT_ID]["aws"]
