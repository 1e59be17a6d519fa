"""What Terraform applied: the resources of its state, with their attributes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scones_core.errors import TerraformError

ENDPOINT = "aws_sagemaker_endpoint"
CONFIGURATION = "aws_sagemaker_endpoint_configuration"
# Of the state files that Terraform 1 writes; 0.12 already did.
STATE_VERSION = 4


@dataclass(frozen=True, slots=True)
class AppliedResource:
    """A managed resource: its type, its key in `for_each` ("" without), and its attributes."""

    address: str
    type: str
    key: str
    values: Mapping[str, Any]

    @property
    def module(self) -> str:
        """The address of the module that it is in; "" for the root."""
        return self.address[: self.address.rfind(f"{self.type}.")]


def parse_state(body: Mapping[str, Any]) -> tuple[AppliedResource, ...]:
    """Return the managed resources of `terraform state pull`; an empty state has none.

    The state itself is read, in its version 4, because `terraform show -json` starts the provider
    for the same attributes, which takes seconds. Objects that a replacement left over (deposed)
    are left out. Raises TerraformError for another format.
    """
    try:
        if body and body["version"] != STATE_VERSION:
            raise TerraformError(
                f"Terraform's state has version {body['version']}, and {STATE_VERSION} is read."
            )
        return tuple(_instances(body.get("resources", ())))
    except (KeyError, TypeError, AttributeError) as error:
        raise TerraformError(f"Terraform's state cannot be read ({error!r}).") from error


def _instances(resources: Iterable[Mapping[str, Any]]) -> Iterator[AppliedResource]:
    for item in resources:
        if item["mode"] != "managed":
            continue
        parts = (item.get("module"), item["type"], item["name"])
        address = ".".join(part for part in parts if part)
        for instance in item["instances"]:
            if "deposed" not in instance:
                key = instance.get("index_key")
                index = "" if key is None else f"[{json.dumps(key, ensure_ascii=False)}]"
                yield AppliedResource(
                    f"{address}{index}",
                    item["type"],
                    "" if key is None else str(key),
                    instance["attributes"] or {},
                )


def parse_planned(body: Mapping[str, Any]) -> tuple[AppliedResource, ...]:
    """Return the managed resources that a plan leaves, of `terraform show -json <plan>`.

    The format is https://developer.hashicorp.com/terraform/internals/json-format. Raises
    TerraformError for anything else.
    """
    try:
        return tuple(_resources(body.get("planned_values", {}).get("root_module", {})))
    except (KeyError, TypeError, AttributeError) as error:
        raise TerraformError(f"Terraform's plan cannot be read ({error!r}).") from error


def served_configurations(
    resources: Iterable[AppliedResource], active: str
) -> list[tuple[AppliedResource, AppliedResource]]:
    """Return each endpoint with the configuration that the active release gives it.

    An endpoint and its configurations are of one module, each with the key `<release>/<content>`;
    next to it there is `<release>+<other>/<content>` where another release is compared with it, and
    that is then served.
    """
    found = tuple(resources)
    pairs = []
    for endpoint in (r for r in found if r.type == ENDPOINT):
        own = {
            r.key.partition("/")[0]: r
            for r in found
            if r.type == CONFIGURATION and r.module == endpoint.module
        }
        shadowed = [key for key in own if key.startswith(f"{active}+")]
        key = shadowed[0] if shadowed else active
        if key in own:
            pairs.append((endpoint, own[key]))
    return pairs


def _resources(module: Mapping[str, Any]) -> Iterator[AppliedResource]:
    for item in module.get("resources", ()):
        if item["mode"] == "managed":
            key = str(item.get("index", ""))
            yield AppliedResource(item["address"], item["type"], key, item.get("values") or {})
    for child in module.get("child_modules", ()):
        yield from _resources(child)
