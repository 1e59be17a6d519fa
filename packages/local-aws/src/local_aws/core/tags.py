"""Tags of resources whose service has none in moto."""

import threading
from collections.abc import Iterable, Mapping

from local_aws.core.stores import keep

_STORES: dict[str, "TagStore"] = {}


def stored_tags(service: str, arn: str) -> dict[str, str]:
    """Return the tags that a service's store has of a resource; none without a store."""
    store = _STORES.get(service)
    return store.of(arn) if store else {}


class TagStore:
    """Tags by ARN, kept across restarts under the service's name. Thread-safe."""

    def __init__(self, service: str) -> None:
        self._lock = threading.Lock()
        self._tags: dict[str, dict[str, str]] = {}
        _STORES[service] = self
        keep(f"tags.{service}", self._saved, self._restore)

    def add(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to those of a resource."""
        with self._lock:
            self._tags.setdefault(arn, {}).update(tags)

    def remove(self, arn: str, keys: Iterable[str]) -> None:
        """Take tags away from a resource."""
        with self._lock:
            for key in keys:
                self._tags.get(arn, {}).pop(key, None)

    def forget(self, arn: str) -> None:
        """Take all tags away, as when the resource is deleted."""
        with self._lock:
            self._tags.pop(arn, None)

    def of(self, arn: str) -> dict[str, str]:
        """Return a resource's tags."""
        with self._lock:
            return dict(self._tags.get(arn, {}))

    def _saved(self) -> dict[str, dict[str, str]]:
        return {arn: dict(tags) for arn, tags in list(self._tags.items())}

    def _restore(self, tags: dict[str, dict[str, str]]) -> None:
        self._tags = tags
