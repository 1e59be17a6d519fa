"""All of moto's records as one value, and back into moto's backends."""

from collections.abc import Iterator
from typing import Any

from local_aws.core.open_services import SERVICES, service_of
from local_aws.state.blobs import Blobs
from local_aws.state.constructors import StateUnreadable, backends_of

# Each invocation of a function adds to these.
_MEASURED = frozenset({"metric_data", "local_aws_metrics"})
Place = tuple[str, str, str, str]


def records(blobs: Blobs) -> dict[Place, dict[str, Any]]:
    """Return every backend's attributes, by its module, class, account and region."""
    return {place: _kept(backend, blobs) for place, backend in _backends()}


def restore(found: dict[Place, dict[str, Any]]) -> None:
    """Put the attributes into the backends that `records` took them from.

    Raises StateUnreadable for a service that is not open.
    """
    for (module, name, account_id, region), attributes in found.items():
        if service_of(module) not in SERVICES:
            raise StateUnreadable(f"it has records of {module}, which is not open")
        _put(backends_of(module, name)[account_id][region], attributes)


def _backends() -> Iterator[tuple[Place, Any]]:
    from moto.core.base_backend import BackendDict

    services: list[Any] = list(BackendDict._instances)  # type: ignore[misc]
    for service in services:
        kind = service.backend
        if service_of(kind.__module__) in SERVICES:
            for account_id, region, backend in list(service.iter_backends()):
                yield (kind.__module__, kind.__name__, account_id, region), backend


def _kept(backend: Any, blobs: Blobs) -> dict[str, Any]:
    """Return a backend's attributes; of IAM without the 1,300 policies that AWS manages."""
    attributes = dict(backend.__dict__)
    for name in _MEASURED & attributes.keys():
        attributes[name] = _Periodic(backend, name, blobs)
    if attributes.pop("aws_managed_policies", None) is not None:
        attributes["managed_policies"] = _own_policies(attributes["managed_policies"])
    return attributes


class _Periodic:
    """Stands for an attribute as of the last generation; it is read when this is pickled."""

    def __init__(self, backend: Any, name: str, blobs: Blobs) -> None:
        self._backend, self._name, self._blobs = backend, name, blobs

    def __reduce__(self) -> tuple[Any, ...]:
        value = getattr(self._backend, self._name)
        return self._blobs.periodic(self._backend, self._name, value).__reduce__()


def _own_policies(policies: dict[str, Any]) -> dict[str, Any]:
    from moto.iam.models import AWSManagedPolicy

    return {
        arn: policy
        for arn, policy in policies.items()
        if type(policy) is not AWSManagedPolicy or policy.attachment_count
    }


def _put(backend: Any, attributes: dict[str, Any]) -> None:
    if hasattr(backend, "aws_managed_policies"):
        attributes["managed_policies"] = {
            **backend.managed_policies,
            **attributes["managed_policies"],
        }
    backend.__dict__.update(attributes)
    for group in attributes.get("groups", {}).values() if _is_logs(backend) else ():
        for stream in group.streams.values():
            stream.log_group = group


def _is_logs(backend: Any) -> bool:
    return type(backend).__name__ == "LogsBackend"
