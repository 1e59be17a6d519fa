"""Roles as moto keeps them: policies, trust, and the sessions that services hold of them."""

import functools
import json
import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_aws.core import clock
from local_aws.core.context import ACCOUNT_ID, REGION
from local_aws.errors import LocalAwsError
from local_aws.iam.policy_evaluation import Access, Document, Principal, Verdict, verdict

IAM_VARIABLE = "LOCAL_AWS_IAM"
# Roles by their ARNs, as they were last found.
_roles: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class RoleNotAssumable(LocalAwsError):
    """The role does not exist, or its trust policy does not let the service take it."""


def is_enforced() -> bool:
    """Return whether policies are enforced, by LOCAL_AWS_IAM; raises LocalAwsError."""
    given = os.environ.get(IAM_VARIABLE, "on")
    if given not in ("on", "off"):
        raise LocalAwsError(f"{IAM_VARIABLE} must be on or off, not {given!r}.")
    return given == "on"


def require_trust(service: str, role_arn: str, source_arn: str) -> None:
    """Raise RoleNotAssumable unless the service may take the role on behalf of that resource."""
    role = role_of(role_arn)
    values = {"aws:sourceaccount": ACCOUNT_ID, "aws:sourcearn": source_arn}
    access = Access("sts:AssumeRole", role_arn, values)
    principal = Principal(ACCOUNT_ID, service=service)
    if role is None or verdict([trust_of(role)], access, principal) is not Verdict.ALLOW:
        raise RoleNotAssumable(f"{service} cannot assume the role {role_arn}.")


def identity_policies(owner: Any) -> list[Document]:
    """Return the inline and attached policies of a role, user or group."""
    inline = [parsed_policy(text) for text in list(owner.policies.values())]
    managed = [_default_version(policy) for policy in list(owner.managed_policies.values())]
    return [*inline, *managed]


def role_of(role_arn: str) -> Any:
    """Return moto's role of that ARN, or None."""
    roles = _iam().roles
    known = _roles.get(role_arn)
    if known is None or roles.get(known.id) is not known:
        known = next((role for role in list(roles.values()) if role.arn == role_arn), None)
        if known is not None:
            _roles[role_arn] = known
    return known


def role_id(role_arn: str) -> str:
    """Return the unique id of the role that has this ARN now, "" where there is none."""
    role = role_of(role_arn)
    return "" if role is None else str(role.id)


def is_of_present_role(session: Any) -> bool:
    """Return whether a session is of the role that has its ARN now, not of one deleted before.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    """
    present = role_id(session.role_arn)
    # Sessions of an earlier version have no id.
    return bool(present) and getattr(session, "role_id", present) == present


def trust_of(role: Any) -> Document:
    """Return the policy that says who may take a role."""
    return parsed_policy(role.assume_role_policy_document)


def managed_policy(policy_arn: str) -> Document:
    """Return the default version of a managed policy; one that allows nothing if it is gone."""
    policy = _iam().managed_policies.get(policy_arn)
    return {} if policy is None else _default_version(policy)


def _default_version(policy: Any) -> Document:
    texts = [version.document for version in policy.versions if version.is_default]
    return parsed_policy(texts[0]) if texts else {}


def parsed_policy(source: str | Mapping[str, Any]) -> Document:
    """Return a policy from its text; the same object for the same text."""
    return _parsed(source) if isinstance(source, str) else source


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> Document:
    document: Document = json.loads(text)
    return document


def _iam() -> Any:
    return iam_backends[ACCOUNT_ID]["aws"]


def moto_now() -> Any:
    """Return the clock's time as moto keeps times: UTC, without saying so."""
    return clock.now().replace(tzinfo=None)


SESSION_SECONDS = 43_200
# Credentials go into the environment of programs, so they are renewed long before their end.
_RENEWAL = timedelta(seconds=SESSION_SECONDS // 2)


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """A session's credentials, as STS hands them out."""

    access_key_id: str
    secret_access_key: str
    session_token: str

    def environment(self) -> dict[str, str]:
        """Return the variables from which every AWS client takes them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


class RoleSessions:
    """The sessions that a service holds, one for each role and session name. Thread-safe."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Any] = {}

    def credentials(
        self, role_arn: str, session_name: str, source_arn: str | None = None
    ) -> RoleCredentials:
        """Return valid credentials of a role; those at hand while they last long enough.

        Raises RoleNotAssumable when the role's trust policy does not name the service. Without
        a `source_arn` the trust was checked where the role was handed over.
        """
        if source_arn is not None and is_enforced():
            require_trust(self._service, role_arn, source_arn)
        with self._lock:
            session = self._held.get((role_arn, session_name))
            if (
                session is None
                or session.role_id != role_id(role_arn)
                or session.expiration - moto_now() < _RENEWAL
            ):
                session = self._held[role_arn, session_name] = _assume(role_arn, session_name)
        return RoleCredentials(
            session.access_key_id, session.secret_access_key, session.session_token
        )


def _assume(role_arn: str, session_name: str) -> Any:
    return sts_backends[ACCOUNT_ID]["aws"].assume_role(
        region_name=REGION,
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=SESSION_SECONDS,
        external_id="",
    )
