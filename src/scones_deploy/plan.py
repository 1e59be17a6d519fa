"""What a plan would do, and the gate that keeps it from destroying what cannot be rebuilt."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones_core.errors import DeployError, TerraformError

# An endpoint's loss is an outage, a bucket's or a key's the loss of every object in it.
PROTECTED = ("aws_sagemaker_endpoint", "aws_s3_bucket", "aws_kms_key")


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """A resource's address, type and planned actions, like `("delete", "create")`."""

    address: str
    type: str
    actions: tuple[str, ...]

    @property
    def destroys(self) -> bool:
        """Whether the present object is lost, also where a new one replaces it."""
        return "delete" in self.actions


@dataclass(frozen=True, slots=True)
class Plan:
    """A saved plan: its file, the resources it touches, and whether it changes anything.

    `has_changes` is also true where only outputs change. A replacement counts as one to add
    and one to destroy, as in Terraform's own summary.
    """

    path: Path
    changes: tuple[ResourceChange, ...]
    has_changes: bool

    @property
    def add(self) -> int:
        """The number of resources to create."""
        return sum("create" in change.actions for change in self.changes)

    @property
    def change(self) -> int:
        """The number of resources to update in place."""
        return sum("update" in change.actions for change in self.changes)

    @property
    def destroy(self) -> int:
        """The number of resources to destroy."""
        return sum(change.destroys for change in self.changes)


def parse_plan(path: Path, body: Mapping[str, Any], *, has_changes: bool) -> Plan:
    """Return the plan that `terraform show -json` describes.

    The format is https://developer.hashicorp.com/terraform/internals/json-format; resources
    without a change and data sources are left out. Raises TerraformError for anything else.
    """
    try:
        changes = tuple(
            ResourceChange(item["address"], item["type"], tuple(item["change"]["actions"]))
            for item in body.get("resource_changes", ())
            if item["mode"] == "managed" and item["change"]["actions"] != ["no-op"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise TerraformError(f"The plan {path} cannot be read ({error!r}); plan again.") from error
    return Plan(path, changes, has_changes)


def protect(plan: Plan, *, allow_destroy: bool) -> None:
    """Let a plan pass that keeps every endpoint, bucket and key.

    Raises DeployError, naming them, where it would destroy or replace one and
    `allow_destroy` is false.
    """
    lost = [c.address for c in plan.changes if c.destroys and c.type in PROTECTED]
    if lost and not allow_destroy:
        raise DeployError(
            f"The plan destroys or replaces {', '.join(lost)}; nothing was applied. "
            "If that is what you want, allow it expressly."
        )
