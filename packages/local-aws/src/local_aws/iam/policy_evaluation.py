"""Whether policies allow an action: the evaluation logic of IAM within one account.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from local_aws.iam.conditions import (
    Values,
    as_list,
    conditions_hold,
    matches,
    pattern_of,
    unknown_keys,
    unknown_variables,
)

Document = Mapping[str, Any]
# The resource of an access where a request does not tell what it is about.
UNTOLD_RESOURCE = ""
_ARN_PARTS = 6


class Verdict(Enum):
    """What a set of policies says of a request by itself."""

    ALLOW = "allow"
    SILENT = "silent"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an assumed role's session, an AWS service, or an account's administrator.

    `arn` is the session's or user's ARN, `role_arn` its role's; `service` is a name such as
    `lambda.amazonaws.com` and `federated` an identity provider's ARN, with all others empty.
    """

    account_id: str
    arn: str = ""
    role_arn: str = ""
    service: str = ""
    federated: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """One action on one resource, with the request's condition keys (in lower case).

    One that is about UNTOLD_RESOURCE may be about any of the service's: it is denied by what denies
    one of them, and allowed by what allows all.
    """

    action: str
    resource: str
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of a principal. None stands for a kind that does not bound it."""

    identity: Sequence[Document] = ()
    boundary: Sequence[Document] | None = None
    session: Sequence[Document] | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is denied: the kind of policy, and whether one denies or none allows.

    `unknown` are condition keys that it may be denied for, since nobody knows their values here.
    """

    kind: str
    explicit: bool
    unknown: tuple[str, ...] = ()


def verdict(
    documents: Iterable[Document], access: Access, principal: Principal | None = None
) -> Verdict:
    """Return what policies say; with a principal they are a resource's, else an identity's."""
    found = Verdict.SILENT
    for document in documents:
        for statement in as_list(document.get("Statement", [])):
            if not _applies(statement, access):
                continue
            if principal is not None and not names_principal(statement, principal):
                continue
            if statement.get("Effect") != "Allow":
                return Verdict.DENY
            found = Verdict.ALLOW
    return found


def denial(
    principal: Principal,
    policies: Policies,
    access: Access,
    resource_policy: Document | None = None,
    *,
    key_policy: bool = False,
) -> Denial | None:
    """Return why the account's principal may not do it, or None when it may.

    With `key_policy` the resource's policy is a KMS key's: the identity's policies count only
    as far as that one hands the decision to the account.
    """
    kinds = _kinds(policies, access)
    attached = [] if resource_policy is None else [resource_policy]
    resource = verdict(attached, access, principal)
    verdicts = {"resource-based policy": resource, **kinds}
    if denying := [kind for kind, one in verdicts.items() if one is Verdict.DENY]:
        return Denial(denying[0], explicit=True)
    if resource is not Verdict.ALLOW:
        if kinds["identity-based policy"] is Verdict.SILENT:
            return Denial("identity-based policy", explicit=False)
        if key_policy and not _delegated(attached, access, principal):
            return Denial("resource-based policy", explicit=False)
    bounds = ("permissions boundary", "session policy")
    silent = [kind for kind in bounds if kinds.get(kind) is Verdict.SILENT]
    if not silent or names_session(resource_policy, access, principal):
        return None
    return Denial(silent[0], explicit=False)


def _kinds(policies: Policies, access: Access) -> dict[str, Verdict]:
    kinds = {"identity-based policy": verdict(policies.identity, access)}
    if policies.boundary is not None:
        kinds["permissions boundary"] = verdict(policies.boundary, access)
    if policies.session is not None:
        kinds["session policy"] = verdict(policies.session, access)
    return kinds


def _delegated(attached: list[Document], access: Access, principal: Principal) -> bool:
    account = Principal(principal.account_id, arn=_root(principal.account_id))
    return verdict(attached, access, account) is Verdict.ALLOW


def names_session(document: Document | None, access: Access, principal: Principal) -> bool:
    """Return whether a resource's policy allows a role's session by the session's own ARN.

    Such an allowance is not bounded by permissions boundaries and session policies.
    """
    if document is None or not principal.role_arn:
        return False
    session = Principal(principal.account_id, arn=principal.arn)
    statements = [s for s in as_list(document.get("Statement", [])) if not _is_anyone(s)]
    return verdict([{"Statement": statements}], access, session) is Verdict.ALLOW


def _is_anyone(statement: Mapping[str, Any]) -> bool:
    given = statement.get("Principal")
    return given == "*" or (isinstance(given, Mapping) and "*" in as_list(given.get("AWS", [])))


def names_principal(statement: Mapping[str, Any], principal: Principal) -> bool:
    """Return whether a resource policy's statement is about this principal.

    An allowance for the account leaves the decision to the account's own policies, so it names
    no role; a denial for the account hits everyone in it, and a denial for all but the account
    everyone in it that is not named.
    """
    denies = statement.get("Effect") != "Allow"
    if "NotPrincipal" in statement:
        return not _named(statement["NotPrincipal"], principal, with_account=not denies)
    return _named(statement.get("Principal", {}), principal, with_account=denies)


def _named(element: Any, principal: Principal, *, with_account: bool) -> bool:
    if element == "*":
        return True
    if not isinstance(element, Mapping):  # as moto keeps the principal of a Lambda permission
        element = {"AWS": element}
    if principal.service:
        if "*" in as_list(element.get("AWS", [])):
            return True
        return any(matches(name, principal.service) for name in as_list(element.get("Service", [])))
    if principal.federated:
        return principal.federated in as_list(element.get("Federated", []))
    root = _root(principal.account_id)
    names = {principal.arn, principal.role_arn, "*"} - {""}
    if with_account or principal.arn == root:
        names |= {root, principal.account_id}
    return any(name in names for name in as_list(element.get("AWS", [])))


def _root(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:root"


def unknown_keys_of(documents: Iterable[Document], access: Access) -> list[str]:
    """Return the condition keys without a value here of statements about an access."""
    return sorted(
        {
            key
            for document in documents
            for statement in as_list(document.get("Statement", []))
            if _is_about(statement, access)
            for key in _unknown(statement, access)
        }
    )


def _applies(statement: Mapping[str, Any], access: Access) -> bool:
    """Return whether a statement counts.

    What depends on a key whose value is not known here allows nobody, and denies everybody: whether
    AWS would take it to be met is not known.
    """
    if not _is_about(statement, access):
        return False
    return statement.get("Effect") != "Allow" or not _unknown(statement, access)


def _unknown(statement: Mapping[str, Any], access: Access) -> list[str]:
    service = access.action.partition(":")[0]
    patterns = statement.get("NotResource", statement.get("Resource", "*"))
    return [
        *unknown_variables(patterns, access.values, service),
        *unknown_keys(statement.get("Condition") or {}, access.values, service),
    ]


def _is_about(statement: Mapping[str, Any], access: Access) -> bool:
    action, values = access.action.lower(), access.values
    if "NotAction" in statement:
        if any(matches(item.lower(), action) for item in as_list(statement["NotAction"])):
            return False
    elif not any(matches(item.lower(), action) for item in as_list(statement.get("Action", []))):
        return False
    service = action.partition(":")[0]
    if not _is_about_resource(statement, access, service):
        return False
    return conditions_hold(statement.get("Condition") or {}, values, service)


def _is_about_resource(statement: Mapping[str, Any], access: Access, service: str) -> bool:
    allows, is_untold = statement.get("Effect") == "Allow", access.resource == UNTOLD_RESOURCE
    if "NotResource" in statement:
        named = _resource_named(statement["NotResource"], access)
        return not named and not (allows and is_untold)
    patterns = statement.get("Resource", "*")
    if is_untold and not allows:
        return any(_may_be_of(service, pattern) for pattern in as_list(patterns))
    named = _resource_named(patterns, access)
    return named or bool(unknown_variables(patterns, access.values, service))


def _resource_named(patterns: Any, access: Access) -> bool:
    filled = (pattern_of(item, access.values) for item in as_list(patterns))
    return any(p is not None and matches(p, access.resource) for p in filled)


def _may_be_of(service: str, pattern: Any) -> bool:
    """Return whether a pattern can be that of a resource of the service."""
    parts = str(pattern).split(":", _ARN_PARTS - 1)
    return len(parts) != _ARN_PARTS or matches(parts[2], service)


def same_documents(first: Sequence[Document] | None, second: Sequence[Document] | None) -> bool:
    """Return whether these are the very policies that those were, compared by identity."""
    if first is None or second is None:
        return first is second
    return len(first) == len(second) and all(map(operator.is_, first, second))
