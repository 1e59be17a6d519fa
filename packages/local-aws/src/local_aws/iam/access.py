"""The decision on a request of a role's session, or of a service on somebody's behalf."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.access_usage import USAGE
from local_aws.iam.decision_cache import Decisions
from local_aws.iam.denials import AccessDenied, denial_message
from local_aws.iam.policy import (
    Access,
    Denial,
    Document,
    Policies,
    Principal,
    Verdict,
    denial,
    verdict,
)
from local_aws.iam.resource_policies import resource_policy
from local_aws.iam.roles import is_enforced, policies_of, principal_of, principal_values, session_of
from local_aws.iam.tags import mention_tags, tag_values

_log = logging.getLogger(__name__)
DECISIONS = Decisions()


def authorise(access_key_id: str, accesses: Iterable[Access]) -> None:
    """Raise AccessDenied at the first access that the key's role lacks.

    A key that belongs to no role session is an administrator's, and may do everything.
    """
    session = session_of(access_key_id) if is_enforced() else None
    if session is None:
        return
    for access in accesses:
        found = _denial(session, access)
        if found is not None:
            sentence = denial_message(session.arn, access, found)
            _log.warning("Denied: %s", sentence)
            raise AccessDenied(sentence)


def require_trusting_role(access: Access) -> None:
    """Raise AccessDenied unless a role's trust policy lets the account's administrator take it."""
    document = resource_policy(access)
    administrator = Principal(ACCOUNT_ID, arn=f"arn:aws:iam::{ACCOUNT_ID}:root")
    if document is None or verdict([document], access, administrator) is not Verdict.ALLOW:
        denied = Denial("trust policy", explicit=False)
        raise AccessDenied(denial_message(administrator.arn, access, denied))


def require_undenied(accesses: Iterable[Access]) -> None:
    """Raise AccessDenied where a resource's own policy denies it to the account's administrator."""
    administrator = Principal(ACCOUNT_ID, arn=f"arn:aws:iam::{ACCOUNT_ID}:root")
    for access in accesses:
        document = resource_policy(access)
        if document is not None and verdict([document], access, administrator) is Verdict.DENY:
            denied = Denial("resource-based policy", explicit=True)
            raise AccessDenied(denial_message(administrator.arn, access, denied))


def permits(access_key_id: str, access: Access) -> bool:
    """Return whether the key's role may do it."""
    session = session_of(access_key_id) if is_enforced() else None
    return session is None or _denial(session, access) is None


def _denial(session: Any, access: Access) -> Denial | None:
    policies, attached = policies_of(session), resource_policy(access)
    if attached is not None:
        return _decide(session, access, policies, attached)
    return DECISIONS.of(session.arn, access, policies, lambda: _decide(session, access, policies))


def _decide(
    session: Any, access: Access, policies: Policies, attached: Document | None = None
) -> Denial | None:
    bounds = [*(policies.boundary or ()), *(policies.session or ())]
    tagged = mention_tags([*policies.identity, *bounds, attached])
    tags = tag_values(access) if tagged else {}
    full = replace(access, values={**principal_values(session), **tags, **access.values})
    found = denial(
        principal_of(session),
        policies,
        full,
        attached,
        key_policy=_decides_itself(access, attached),
    )
    if found is None:
        USAGE.add(session.role_arn, policies.identity, full)
    if found is not None and access.action == "sts:AssumeRole" and _is_trust(found):
        return Denial("trust policy", explicit=found.explicit)
    return found


def _decides_itself(access: Access, attached: Document | None) -> bool:
    """Return whether the resource's own policy decides; it may hand that on to the account's."""
    is_key = access.action.startswith("kms:") and attached is not None
    return is_key or access.action == "sts:AssumeRole"


def _is_trust(found: Denial) -> bool:
    return found.kind == "resource-based policy"
