"""The variants of one endpoint configuration, and the switch from one set to the next.

A request takes its fleet, is counted in, and runs without a lock. A switch changes which fleet
the next request takes; the old one is stopped once the requests that it holds have ended.
"""

import contextlib
import random
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scones_core.errors import LocalAwsError
from scones_local.sagemaker.capture import CaptureSettings
from scones_local.sagemaker.loopback import INVOKE_SECONDS
from scones_local.sagemaker.variants import Variant


class NoSuchVariant(LocalAwsError):
    """A request names a variant that the endpoint does not have, or all weights are zero."""


class Fleet:
    """The running variants of one endpoint configuration."""

    def __init__(
        self,
        config_name: str,
        variants: Sequence[Variant],
        weights: Mapping[str, float],
        *,
        folder: Path,
        capture: CaptureSettings | None = None,
    ) -> None:
        self.config_name, self.capture = config_name, capture
        self._variants = {variant.spec.name: variant for variant in variants}
        self._weights = dict(weights)
        self._folder = folder
        self._in_flight = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Start all variants; raises the first VariantFailed, with none left running."""
        try:
            with ThreadPoolExecutor(max(1, len(self._variants))) as pool:
                list(pool.map(Variant.start, self._variants.values()))
        except BaseException:
            self.stop()
            raise

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Change the given variants' shares of the requests that come from now on."""
        self._weights = {**self._weights, **weights}

    def choose(self, target: str = "") -> Variant:
        """Return the named variant, else one at random by weight; raises NoSuchVariant."""
        if target:
            if target not in self._variants:
                raise NoSuchVariant(f"The endpoint has no variant {target!r}.")
            return self._variants[target]
        names = list(self._variants)
        weights = [self._weights.get(name, 1.0) for name in names]
        if not any(weights):
            raise NoSuchVariant("Every variant of the endpoint has the weight 0.")
        return self._variants[random.choices(names, weights)[0]]  # noqa: S311 - traffic, no secret

    def enter(self) -> None:
        """Count a request in."""
        with self._idle:
            self._in_flight += 1

    def leave(self) -> None:
        """Count a request out."""
        with self._idle:
            self._in_flight -= 1
            self._idle.notify_all()

    def drain(self, seconds: float = INVOKE_SECONDS + 1) -> None:
        """Wait for the requests that are counted in, then stop."""
        with self._idle:
            self._idle.wait_for(lambda: self._in_flight == 0, seconds)
        self.stop()

    def stop(self) -> None:
        """Stop all variants now and remove their folder."""
        for variant in self._variants.values():
            variant.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class Fleets:
    """Which fleet serves each endpoint; endpoints are known by their ARN."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serving: dict[str, Fleet] = {}
        self._deployments: dict[str, object] = {}

    def begin(self, endpoint: str) -> object:
        """Return a mark of a deployment that begins; an earlier one's no longer counts."""
        mark = object()
        with self._lock:
            self._deployments[endpoint] = mark
        return mark

    def switch(self, endpoint: str, mark: object, fleet: Fleet) -> tuple[bool, Fleet | None]:
        """Let the fleet serve from the next request on; return whether it does, and the old one.

        It does not where the endpoint was deleted, or deployed anew, since `begin`.
        """
        with self._lock:
            if self._deployments.get(endpoint) is not mark:
                return False, None
            old = self._serving.get(endpoint)
            self._serving[endpoint] = fleet
            return True, old

    def serving(self, endpoint: str) -> Fleet | None:
        """Return the fleet that serves the endpoint, if any."""
        return self._serving.get(endpoint)

    @contextlib.contextmanager
    def lease(self, endpoint: str) -> Iterator[Fleet | None]:
        """Hold the endpoint's fleet, None without one, so that it is not stopped meanwhile."""
        with self._lock:
            fleet = self._serving.get(endpoint)
            if fleet is not None:
                fleet.enter()
        try:
            yield fleet
        finally:
            if fleet is not None:
                fleet.leave()

    def remove(self, endpoint: str) -> Fleet | None:
        """Take the endpoint out; return the fleet that served it, for its caller to stop."""
        with self._lock:
            self._deployments.pop(endpoint, None)
            return self._serving.pop(endpoint, None)

    def close(self) -> None:
        """Stop every fleet at once."""
        with self._lock:
            fleets, self._serving = list(self._serving.values()), {}
            self._deployments.clear()
        if fleets:
            with ThreadPoolExecutor(len(fleets)) as pool:
                list(pool.map(Fleet.stop, fleets))
