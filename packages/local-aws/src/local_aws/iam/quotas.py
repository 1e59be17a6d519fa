"""IAM's quotas of policies: their sizes, and how many a role, user or group has attached.

A policy's size is that without white space. What AWS refuses fails here too, not first at the
first apply in an account: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from collections.abc import Callable
from typing import Any

from moto.iam.exceptions import LimitExceededException

from local_aws.core.patching import patch

MANAGED_CHARACTERS, TRUST_CHARACTERS = 6_144, 2_048
# Of all the policies within one of them together.
INLINE_CHARACTERS = {"role": 10_240, "user": 2_048, "group": 5_120}
MAX_ATTACHED = 10
_BACKEND = "moto.iam.models.IAMBackend"
_WHY = "takes policies of any size and number"


def size_of(document: str) -> int:
    """Return a policy's size in characters as IAM counts it, without white space."""
    return len("".join(document.split()))


@patch(f"{_BACKEND}.create_policy", why=_WHY)
def create_policy(
    original: Any, backend: Any, description: str, path: str, policy_document: str, *rest: Any
) -> Any:
    """Return a new managed policy; raises LimitExceeded for one that is too long."""
    _require_managed_size(policy_document)
    return original(backend, description, path, policy_document, *rest)


@patch(f"{_BACKEND}.create_policy_version", why=_WHY)
def create_policy_version(
    original: Any, backend: Any, policy_arn: str, policy_document: str, set_as_default: bool
) -> Any:
    """Return a new version of a managed policy; raises LimitExceeded for one that is too long."""
    _require_managed_size(policy_document)
    return original(backend, policy_arn, policy_document, set_as_default)


def _require_managed_size(document: str) -> None:
    if size_of(document) > MANAGED_CHARACTERS:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {MANAGED_CHARACTERS}")


@patch(f"{_BACKEND}.create_role", why=_WHY)
def create_role(
    original: Any, backend: Any, role_name: str, document: str, *rest: Any, **more: Any
) -> Any:
    """Return a new role; raises LimitExceeded for a trust policy that is too long."""
    _require_trust_size(document)
    return original(backend, role_name, document, *rest, **more)


@patch(f"{_BACKEND}.update_assume_role_policy", why=_WHY)
def update_assume_role_policy(
    original: Any, backend: Any, role_name: str, policy_document: str
) -> None:
    """Replace a role's trust policy; raises LimitExceeded for one that is too long."""
    _require_trust_size(policy_document)
    original(backend, role_name, policy_document)


def _require_trust_size(document: str) -> None:
    if size_of(document) > TRUST_CHARACTERS:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {TRUST_CHARACTERS}")


def _bounded_put(kind: str) -> Callable[..., None]:
    limit = INLINE_CHARACTERS[kind]

    def put_policy(original: Any, backend: Any, owner_name: str, name: str, text: str) -> None:
        """Put a policy within its owner; raises LimitExceeded where they are too long together."""
        owner = getattr(backend, f"get_{kind}")(owner_name)
        if sum(map(size_of, {**owner.policies, name: text}.values())) > limit:
            raise LimitExceededException(
                f"Maximum policy size of {limit} bytes exceeded for {kind} {owner_name}"
            )
        original(backend, owner_name, name, text)

    return put_policy


def _bounded_attach(kind: str) -> Callable[..., None]:
    def attach_policy(original: Any, backend: Any, policy_arn: str, owner_name: str) -> None:
        """Attach a managed policy to its owner; raises LimitExceeded for one too many."""
        attached = getattr(backend, f"get_{kind}")(owner_name).managed_policies
        if policy_arn not in attached and len(attached) >= MAX_ATTACHED:
            raise LimitExceededException(
                f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {MAX_ATTACHED}"
            )
        original(backend, policy_arn, owner_name)

    return attach_policy


for _kind in INLINE_CHARACTERS:
    patch(f"{_BACKEND}.put_{_kind}_policy", why=_WHY)(_bounded_put(_kind))
    patch(f"{_BACKEND}.attach_{_kind}_policy", why=_WHY)(_bounded_attach(_kind))
