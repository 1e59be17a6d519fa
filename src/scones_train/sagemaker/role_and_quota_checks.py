"""Preflight checks: whether role and quota allow a job, known before an instance starts."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import TrainingError
from scones_train.sagemaker.training_job_request import Compute

SERVICE = "sagemaker.amazonaws.com"


class Iam(Protocol):
    """The part of boto3's `iam` client that a role is looked up with."""

    def get_role(self, *, RoleName: str) -> Mapping[str, Any]:
        """Return a role."""


class Quotas(Protocol):
    """The part of boto3's `service-quotas` client that quotas are read with."""

    def list_service_quotas(self, **request: Any) -> Mapping[str, Any]:
        """Return one page of a service's quotas."""


def require_role(iam: Iam, role_arn: str, say: Callable[[str], None]) -> None:
    """Raise TrainingError where the role is not there, or not SageMaker's to take.

    Who may not read roles gets a message that it was not checked, and goes on.
    """
    name = role_arn.rpartition("/")[2]
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except (ClientError, BotoCoreError) as error:
        if _code(error) == "NoSuchEntity":
            raise TrainingError(f"The role {role_arn} is not there; run `inv apply`.") from error
        say(f"The role {name} was not checked: {error}")
        return
    if not _trusts(role.get("AssumeRolePolicyDocument")):
        raise TrainingError(f"The role {role_arn} does not trust {SERVICE}; run `inv apply`.")


def _trusts(document: Any) -> bool:
    policy = json.loads(unquote(document)) if isinstance(document, str) else document or {}
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else [principal]
        named = services if isinstance(services, list) else [services]
        if statement.get("Effect") == "Allow" and {SERVICE, "*"} & set(named):
            return True
    return False


def require_quota(quotas: Quotas, compute: Compute, say: Callable[[str], None]) -> None:
    """Raise TrainingError where the account may run no such instance for training.

    New accounts have a quota of 0 for most instances, and the refusal by CreateTrainingJob does
    not say which of two thousand quotas is meant. An account that lists none is let go on.
    """
    name = quota_name(compute)
    try:
        found = next((q for q in _quotas(quotas) if q["QuotaName"] == name), None)
    except (ClientError, BotoCoreError) as error:
        say(f"The quota '{name}' was not checked: {error}")
        return
    if found is not None and found["Value"] < 1:
        raise TrainingError(
            f"The account's quota '{name}' is {found['Value']:.0f} (code {found['QuotaCode']}): "
            "ask for 1 in the Service Quotas console, or set another training.instance_type."
        )


def quota_name(compute: Compute) -> str:
    """Return the name of the quota that a training job on this instance counts against."""
    kind = "spot training job" if compute.spot else "training job"
    return f"{compute.instance_type} for {kind} usage"


def _quotas(quotas: Quotas) -> Iterator[Mapping[str, Any]]:
    request: dict[str, Any] = {"ServiceCode": "sagemaker"}
    while True:
        page = quotas.list_service_quotas(**request)
        yield from page.get("Quotas", [])
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def _code(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
