"""One variant: its instances, the request that goes to the least busy one, and their number.

Each instance is a process, up to `MAX_PROCESSES`: a laptop that is asked for twenty instances
runs four, while the record says twenty.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from local_aws.core.child_processes import Children
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.container_processes import LineSink
from local_aws.sagemaker.endpoints.instances import (
    INVOKE_SECONDS,
    MAX_ANSWER_BYTES,
    Instance,
    Reply,
    ServeSpec,
    VariantUnavailable,
)

MAX_PROCESSES = 4


class VariantThrottled(LocalAwsError):
    """A serverless variant already holds as many requests as its MaxConcurrency allows."""


class Variant:
    """The instances of one variant; 0 as `max_concurrency` does not bound its requests."""

    def __init__(
        self,
        spec: ServeSpec,
        children: Children,
        open_log: Callable[[], LineSink],
        *,
        count: int = 1,
        max_concurrency: int = 0,
    ) -> None:
        self.spec, self.count, self.max_concurrency = spec, count, max_concurrency
        self._children, self._open_log = children, open_log
        self._changed = threading.Condition()
        self._scaling = threading.Lock()
        # The requests that each instance that takes new ones holds, and those of the leaving.
        self._held: dict[Instance, int] = {}
        self._leaving: dict[Instance, int] = {}

    @property
    def processes(self) -> int:
        """Return how many processes stand for the instances."""
        return len(self._held)

    @property
    def in_flight(self) -> int:
        """Return how many requests the instances hold."""
        return sum(self._held.values())

    def start(self) -> None:
        """Start the instances; raises the first VariantFailed, with none left running."""
        self.scale(self.count)

    def scale(self, count: int) -> None:
        """Have so many instances: start the missing, or let the last finish and stop them.

        Raises VariantFailed when one does not start; the number is then what it was before.
        """
        target = min(count, MAX_PROCESSES)
        with self._scaling:
            present = list(self._held)
            missing = self._started(target - len(present))
            with self._changed:
                self._held.update(dict.fromkeys(missing, 0))
                for surplus in present[target:]:
                    self._leaving[surplus] = self._held.pop(surplus)
            self.count = count
            for surplus in present[target:]:
                self._retire(surplus)

    def invoke(
        self,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float = INVOKE_SECONDS,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Reply:
        """Return the answer of the least busy instance, or of the next one if that is down.

        Raises VariantThrottled, VariantUnavailable when no process is up, and urllib3's
        HTTPError when one breaks the connection or does not answer within the time.
        """
        down: set[Instance] = set()
        while True:
            with self._taken(down) as instance:
                try:
                    return instance.invoke(body, headers, seconds, max_bytes)
                except VariantUnavailable:
                    down.add(instance)

    def stop(self) -> None:
        """End all instances; requests that they still hold are lost."""
        with self._changed:
            instances = [*self._held, *self._leaving]
            self._held.clear()
        _each(Instance.stop, instances)

    @contextlib.contextmanager
    def _taken(self, down: set[Instance]) -> Iterator[Instance]:
        instance = self._take(down)
        try:
            yield instance
        finally:
            with self._changed:
                group = self._held if instance in self._held else self._leaving
                if instance in group:
                    group[instance] -= 1
                self._changed.notify_all()

    def _take(self, down: set[Instance]) -> Instance:
        with self._changed:
            if 0 < self.max_concurrency <= sum(self._held.values()):
                raise VariantThrottled(
                    f"The variant {self.spec.name} holds {self.max_concurrency} requests, as "
                    "many as its MaxConcurrency allows."
                )
            free = [instance for instance in self._held if instance not in down]
            if not free:
                raise VariantUnavailable(f"The variant {self.spec.name} is not running.")
            instance = min(free, key=self._held.__getitem__)
            self._held[instance] += 1
            return instance

    def _started(self, number: int) -> list[Instance]:
        made = [Instance(self.spec, self._children, self._open_log()) for _ in range(number)]
        try:
            _each(Instance.start, made)
        except BaseException:
            _each(Instance.stop, made)
            raise
        return made

    def _retire(self, instance: Instance) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._leaving[instance], INVOKE_SECONDS + 1)
        instance.stop()
        with self._changed:
            self._leaving.pop(instance, None)


def _each(action: Callable[[Instance], None], instances: Sequence[Instance]) -> None:
    if instances:
        with ThreadPoolExecutor(len(instances)) as pool:
            list(pool.map(action, instances))
