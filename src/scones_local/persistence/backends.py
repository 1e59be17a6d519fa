"""All of moto's records as one value, and back into moto's backends."""

from collections.abc import Iterator
from typing import Any

from scones_local.persistence.rebuild import backends_of
from scones_local.persistence.reducers import Blobs, Chunks

# moto's own: what the dashboard and the instance's metadata would show.
_SKIPPED = frozenset({"moto_api", "instance_metadata"})
Place = tuple[str, str, str, str]


def records(blobs: Blobs) -> dict[Place, dict[str, Any]]:
    """Return every backend's attributes, by its module, class, account and region."""
    return {place: _kept(backend, blobs) for place, backend in _backends()}


def restore(found: dict[Place, dict[str, Any]]) -> None:
    """Put the attributes into the backends that `records` took them from."""
    for (module, name, account_id, region), attributes in found.items():
        _put(backends_of(module, name)[account_id][region], attributes)


def _backends() -> Iterator[tuple[Place, Any]]:
    from moto.core.base_backend import BackendDict

    services: list[Any] = list(BackendDict._instances)  # type: ignore[misc]
    for service in services:
        if service.service_name not in _SKIPPED:
            kind = service.backend
            for account_id, region, backend in list(service.iter_backends()):
                yield (kind.__module__, kind.__name__, account_id, region), backend


def _kept(backend: Any, blobs: Blobs) -> dict[str, Any]:
    """Return a backend's attributes; of IAM without the 1,300 policies that AWS manages.

    CloudWatch's metrics only grow, and are many.
    """
    attributes = dict(backend.__dict__)
    if "metric_data" in attributes:
        attributes["metric_data"] = Chunks(backend, backend.metric_data, blobs)
    if "aws_managed_policies" in attributes:
        aws = {policy.arn for policy in attributes.pop("aws_managed_policies")}
        policies = attributes["managed_policies"].items()
        attributes["managed_policies"] = {
            arn: policy for arn, policy in policies if arn not in aws or policy.attachment_count
        }
    return attributes


def _put(backend: Any, attributes: dict[str, Any]) -> None:
    if hasattr(backend, "aws_managed_policies"):
        attributes["managed_policies"] = {
            **backend.managed_policies,
            **attributes["managed_policies"],
        }
    backend.__dict__.update(attributes)
