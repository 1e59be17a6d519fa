"""Traffic: which fleet of an endpoint the next request takes.

A request takes its fleet, is counted in, and runs without a lock. While an update goes on there
are two fleets, and a share of the requests takes the new one; whoever stops a fleet takes it out
of the traffic first and lets the requests that it holds end.
"""

import contextlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from local_aws.sagemaker.endpoints.weighted_variants import Fleet


@dataclass(slots=True)
class _Traffic:
    deployment: object
    serving: Fleet | None = None
    incoming: Fleet | None = None
    share: float = 0.0

    def fleet(self) -> Fleet | None:
        if self.incoming is not None and random.random() < self.share:  # noqa: S311 - traffic
            return self.incoming
        return self.serving


class Traffic:
    """The fleets of each endpoint; endpoints are known by their ARN. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._endpoints: dict[str, _Traffic] = {}

    def begin(self, endpoint: str) -> object:
        """Return a mark of a deployment that begins; an earlier one's no longer counts."""
        mark = object()
        with self._lock:
            known = self._endpoints.setdefault(endpoint, _Traffic(mark))
            known.deployment = mark
        return mark

    def shift(self, endpoint: str, mark: object, fleet: Fleet, share: float) -> bool:
        """Give the new fleet a share (0 to 1) of the requests from the next one on.

        Returns False, with nothing changed, where the endpoint was deleted since `begin`.
        """
        with self._lock:
            known = self._current(endpoint, mark)
            if known is not None:
                known.incoming, known.share = fleet, share
            return known is not None

    def finish(self, endpoint: str, mark: object) -> Fleet | None:
        """Make the new fleet the only one; return the old one, for its caller to stop."""
        with self._lock:
            known = self._current(endpoint, mark)
            if known is None or known.incoming is None:
                return None
            old, known.serving, known.incoming = known.serving, known.incoming, None
            return old

    def roll_back(self, endpoint: str, mark: object) -> None:
        """Give all requests to the old fleet again; the caller stops the new one."""
        with self._lock:
            known = self._current(endpoint, mark)
            if known is not None:
                known.incoming, known.share = None, 0.0

    def is_known(self, endpoint: str) -> bool:
        """Return whether the endpoint has a fleet, or one is being made for it."""
        return endpoint in self._endpoints

    def serving(self, endpoint: str) -> Fleet | None:
        """Return the fleet that the endpoint's last finished deployment made, if any."""
        known = self._endpoints.get(endpoint)
        return None if known is None else known.serving

    @contextlib.contextmanager
    def lease(self, endpoint: str) -> Iterator[Fleet | None]:
        """Hold a fleet for one request, None without one, so that it is not stopped meanwhile."""
        with self._lock:
            known = self._endpoints.get(endpoint)
            fleet = None if known is None else known.fleet()
            if fleet is not None:
                fleet.enter()
        try:
            yield fleet
        finally:
            if fleet is not None:
                fleet.leave()

    def remove(self, endpoint: str) -> list[Fleet]:
        """Take the endpoint out; return its fleets, for their caller to stop."""
        with self._lock:
            known = self._endpoints.pop(endpoint, None)
        return [] if known is None else _fleets(known)

    def close(self) -> None:
        """Stop every fleet at once."""
        with self._lock:
            fleets = [fleet for known in self._endpoints.values() for fleet in _fleets(known)]
            self._endpoints.clear()
        if fleets:
            with ThreadPoolExecutor(len(fleets)) as pool:
                list(pool.map(Fleet.stop, fleets))

    def _current(self, endpoint: str, mark: object) -> _Traffic | None:
        known = self._endpoints.get(endpoint)
        return known if known is not None and known.deployment is mark else None


def _fleets(known: _Traffic) -> list[Fleet]:
    return [fleet for fleet in (known.serving, known.incoming) if fleet is not None]
