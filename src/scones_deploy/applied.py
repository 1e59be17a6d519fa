"""What Terraform applied: the resources of its state, with their attributes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scones_core.errors import TerraformError


@dataclass(frozen=True, slots=True)
class AppliedResource:
    """A managed resource: its type, its key in `for_each` ("" without), and its attributes."""

    address: str
    type: str
    key: str
    values: Mapping[str, Any]


def parse_state(body: Mapping[str, Any]) -> tuple[AppliedResource, ...]:
    """Return the managed resources of `terraform show -json`, of a state or a plan's outcome.

    The format is https://developer.hashicorp.com/terraform/internals/json-format; an empty
    state gives none. Raises TerraformError for anything else.
    """
    try:
        outcome = body.get("planned_values") or body.get("values") or {}
        return tuple(_resources(outcome.get("root_module", {})))
    except (KeyError, TypeError, AttributeError) as error:
        raise TerraformError(f"Terraform's state cannot be read ({error!r}).") from error


def _resources(module: Mapping[str, Any]) -> Iterator[AppliedResource]:
    for item in module.get("resources", ()):
        if item["mode"] == "managed":
            key = str(item.get("index", ""))
            yield AppliedResource(item["address"], item["type"], key, item.get("values") or {})
    for child in module.get("child_modules", ()):
        yield from _resources(child)
