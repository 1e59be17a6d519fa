"""The running variants of an endpoint, and which of them a request goes to: by name or weight."""

import random
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local_aws.errors import LocalAwsError
from local_aws.sagemaker.endpoints.data_capture import CaptureSettings
from local_aws.sagemaker.endpoints.instances import INVOKE_SECONDS
from local_aws.sagemaker.endpoints.variants import Variant

if TYPE_CHECKING:
    pass


from local_aws.sagemaker.endpoints.async_settings import AsyncSettings


class NoSuchVariant(LocalAwsError):
    """A request names a variant that the endpoint does not have, or all weights are zero."""


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """What a configuration says of all its variants. `shadow_share` is a fraction of one."""

    config_name: str
    capture: CaptureSettings | None = None
    shadow_share: float = 0.0
    asynchronous: AsyncSettings | None = None
    serverless: bool = False


class Fleet:
    """The running variants of one endpoint configuration, and its shadow variant if any."""

    def __init__(
        self,
        settings: FleetSettings,
        variants: Sequence[Variant],
        weights: Mapping[str, float],
        *,
        folder: Path,
        shadow: Variant | None = None,
    ) -> None:
        self.settings, self.shadow = settings, shadow
        self._variants = {variant.spec.name: variant for variant in variants}
        self._weights = dict(weights)
        self._folder = folder
        self._in_flight = 0
        self._idle = threading.Condition()

    @property
    def variants(self) -> Mapping[str, Variant]:
        """Return the production variants by name."""
        return self._variants

    @property
    def weights(self) -> Mapping[str, float]:
        """Return the production variants' weights by name."""
        return self._weights

    def start(self) -> None:
        """Start all variants; raises the first VariantFailed, with none left running."""
        variants = list(self._all())
        try:
            with ThreadPoolExecutor(max(1, len(variants))) as pool:
                list(pool.map(Variant.start, variants))
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

    def shadowed(self) -> Variant | None:
        """Return the shadow variant when the next request is one of those that it gets too."""
        share = self.settings.shadow_share
        return self.shadow if random.random() < share else None  # noqa: S311 - traffic, no secret

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
        for variant in self._all():
            variant.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _all(self) -> Iterable[Variant]:
        return [*self._variants.values(), *([self.shadow] if self.shadow else [])]
