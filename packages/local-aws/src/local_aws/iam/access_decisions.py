"""Authorization: whether a caller may do something, and AWS's sentence of a denial.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_aws.core.admin_api import route
from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.access_usage import ACCESS_PATH, USAGE
from local_aws.iam.callers import ANONYMOUS, Caller, RoleSession, caller_of
from local_aws.iam.policy_evaluation import (
    UNTOLD_RESOURCE,
    Access,
    Denial,
    Document,
    Policies,
    Principal,
    Verdict,
    denial,
    same_documents,
    unknown_keys_of,
    verdict,
)
from local_aws.iam.resource_policies import (
    TRUST_ACTIONS,
    has_resource_conditions,
    resource_policy,
    resource_values,
)
from local_aws.iam.roles import identity_policies, role_of

_log = logging.getLogger(__name__)

# The codes are those of the services' own API references; most say AccessDeniedException.
_CODES = {
    "autoscaling": "AccessDenied",
    "cloudformation": "AccessDenied",
    "cloudwatch": "AccessDenied",
    "ec2": "UnauthorizedOperation",
    "iam": "AccessDenied",
    "s3": "AccessDenied",
    "sns": "AuthorizationError",
    "sqs": "AccessDenied",
    "sts": "AccessDenied",
}


class AccessDenied(Exception):
    """A request that the caller's policies do not permit; the text is AWS's sentence."""


def denial_code(service: str) -> str:
    """Return the error code of a denied request; `service` is the prefix of its actions."""
    return _CODES.get(service, "AccessDeniedException")


def denial_message(caller: str, access: Access, denial: Denial) -> str:
    """Return the sentence that names the caller's ARN, the action, the resource and the reason."""
    action = _message_action(access.action)
    resource = "*" if access.resource == UNTOLD_RESOURCE else access.resource
    quoted = f'"{resource}"' if action.startswith("s3:") else resource
    sentence = f"User: {caller} is not authorized to perform: {action} on resource: {quoted}"
    if denial.kind == "trust policy":
        return f"{sentence}{_unknown(denial)}"
    if denial.explicit:
        reason = f"with an explicit deny in a{_n(denial.kind)} {denial.kind}"
    else:
        reason = f"because no {denial.kind} allows the {action} action"
    return f"{sentence} {reason}{_unknown(denial)}"


def _unknown(denial: Denial) -> str:
    if not denial.unknown:
        return ""
    keys = ", ".join(denial.unknown)
    return (
        f" (the embedded AWS has no value for {keys}: such a condition denies, and allows nobody)"
    )


def _message_action(action: str) -> str:
    service, _, name = action.partition(":")
    # These two spell their actions in their own way.
    return {"sqs": f"sqs:{name.lower()}", "sns": f"SNS:{name}"}.get(service, action)


def _n(word: str) -> str:
    return "n" if word[0] in "aeiou" else ""


_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Decision:
    policies: Policies
    denial: Denial | None


class Decisions:
    """Earlier decisions, kept for as long as the policies that they were made from are the same.

    A function's log is decided on at each invocation. Policies are compared by identity, since
    each text is parsed once; a decision that depends on the request is not kept.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], _Decision] = {}

    def of(
        self,
        principal: str,
        access: Access,
        policies: Policies,
        decide: Callable[[], Denial | None],
    ) -> Denial | None:
        """Return the decision made from the same policies earlier, else what `decide` returns."""
        key = (principal, access.action, access.resource)
        known = self._found.get(key)
        if known is not None and _same(known.policies, policies):
            return known.denial
        denial = decide()
        if all(_is_plain(document) for kind in _kinds(policies) for document in kind or ()):
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[key] = _Decision(policies, denial)
        return denial


def _kinds(policies: Policies) -> tuple[Sequence[Document] | None, ...]:
    return policies.identity, policies.boundary, policies.session


def _same(one: Policies, other: Policies) -> bool:
    return all(
        same_documents(first, second)
        for first, second in zip(_kinds(one), _kinds(other), strict=True)
    )


def _is_plain(document: Document) -> bool:
    """Return whether neither a condition nor a variable makes it depend on the request."""
    text = json.dumps(document, default=str)
    return '"Condition"' not in text and "${" not in text


DECISIONS = Decisions()


def authorise(access_key_id: str, accesses: Iterable[Access]) -> None:
    """Raise AccessDenied at the first access that the key's owner lacks.

    The administrator's key may do everything.
    """
    caller = caller_of(access_key_id)
    if caller is None:
        return
    for access in accesses:
        found = _denial(caller, access)
        if found is not None:
            sentence = denial_message(caller.arn, access, found)
            _log.warning("Denied: %s", sentence)
            raise AccessDenied("Access Denied" if caller is ANONYMOUS else sentence)


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
    """Return whether the key's owner may do it."""
    caller = caller_of(access_key_id)
    return caller is None or _denial(caller, access) is None


def _denial(caller: Caller, access: Access) -> Denial | None:
    policies, attached = caller.policies, resource_policy(access)
    if attached is not None:
        return _decide(caller, access, policies, attached)
    return DECISIONS.of(caller.arn, access, policies, lambda: _decide(caller, access, policies))


def _decide(
    caller: Caller, access: Access, policies: Policies, attached: Document | None = None
) -> Denial | None:
    bounds = [*(policies.boundary or ()), *(policies.session or ())]
    asked = has_resource_conditions([*policies.identity, *bounds, attached])
    held = resource_values(access) if asked else {}
    full = replace(access, values={**caller.values, **held, **access.values})
    found = denial(
        caller.principal,
        policies,
        full,
        attached,
        key_policy=_decides_itself(access, attached),
    )
    if found is not None:
        documents = [*policies.identity, *bounds, *([attached] if attached else [])]
        found = replace(found, unknown=tuple(unknown_keys_of(documents, full)))
    if found is None and isinstance(caller, RoleSession):
        USAGE.add(caller.principal.role_arn, policies.identity, full)
    if found is not None and access.action in TRUST_ACTIONS and _is_trust(found):
        return replace(found, kind="trust policy")
    return found


def _decides_itself(access: Access, attached: Document | None) -> bool:
    """Return whether the resource's own policy decides; it may hand that on to the account's."""
    is_key = access.action.startswith("kms:") and attached is not None
    return is_key or access.action in TRUST_ACTIONS


def _is_trust(found: Denial) -> bool:
    return found.kind == "resource-based policy"


@route("GET", ACCESS_PATH)
def _read_access_usage(_: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[tuple[str, Sequence[Document]]] = [
        (arn, identity_policies(role)) for arn in USAGE.roles() if (role := role_of(arn))
    ]
    return [{"role": arn, **use} for arn, policies in found for use in USAGE.of(arn, policies)]
