"""Every function's workers, by version: a new pool when a version changes."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local_aws.core.child_processes import Children
from local_aws.errors import LocalAwsError
from local_aws.lambda_.deployment_package import unpack
from local_aws.lambda_.function_spec import FunctionSpec, WorkerSettings
from local_aws.lambda_.invocation import Invocation
from local_aws.lambda_.layers import laid_out
from local_aws.lambda_.metrics import LambdaMeter
from local_aws.lambda_.pool import Pool
from local_aws.lambda_.worker import Worker
from local_aws.lambda_.worker_output import LogEvent

_IDLE_CHECK_SECONDS = 15.0

LogSink = Callable[[FunctionSpec, str, list[LogEvent]], None]


class Throttled(Exception):
    """A function's reserved concurrency is used up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation gave: the payload, whether it is an error, and the log's text."""

    payload: bytes
    failed: bool
    log: str
    request_id: str


class LambdaPools:
    """Every function's workers.

    `home` is the folder for unpacked packages. `sink` gets each invocation's log events.
    """

    def __init__(
        self,
        home: Path,
        settings: WorkerSettings,
        children: Children,
        sink: LogSink,
        meter: LambdaMeter | None = None,
    ) -> None:
        self._home = home
        self._settings = settings
        self._children = children
        self._sink = sink
        self._meter = meter
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str], Pool] = {}
        self._running: Counter[str] = Counter()

    def invoke(
        self,
        spec: FunctionSpec,
        body: bytes,
        *,
        arn: str | None = None,
        request_id: str | None = None,
        client_context: str = "",
    ) -> Outcome:
        """Run one event and return its outcome; `arn` is the one that it was invoked by.

        No lock is held while the handler runs. Raises Throttled over the reserved concurrency,
        LocalAwsError when no worker can start.
        """
        invocation = Invocation(body, arn or spec.arn, spec.timeout_seconds)
        invocation.request_id = request_id or invocation.request_id
        invocation.client_context = client_context
        with (
            self._slot(spec, invocation.function_arn) as running,
            self._pool(spec).worker() as worker,
        ):
            events = worker.run(invocation)
            self._sink(spec, worker.log_stream, events)
        if self._meter is not None:
            self._meter.ran(
                spec,
                invocation.function_arn,
                seconds=invocation.seconds,
                failed=invocation.failed,
                running=running,
            )
        log = "\n".join(event.message for event in events)
        return Outcome(invocation.result, invocation.failed, log, invocation.request_id)

    def retire(self, name: str) -> None:
        """End the workers of every version of a function."""
        with self._lock:
            keys = [key for key in self._pools if key[0] == name]
            pools = [self._pools.pop(key) for key in keys]
        for pool in pools:
            pool.retire()

    def end_idle(self) -> None:
        """End every worker that has been idle for longer than the settings say."""
        since = time.monotonic() - self._settings.idle_seconds
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.end_idle(since)

    def watch_idle(self, stop: threading.Event) -> None:
        """End idle workers again and again, in a thread, until `stop` is set."""

        def watch() -> None:
            while not stop.wait(min(self._settings.idle_seconds / 4, _IDLE_CHECK_SECONDS)):
                self.end_idle()

        threading.Thread(target=watch, name="idle-workers", daemon=True).start()

    @contextlib.contextmanager
    def _slot(self, spec: FunctionSpec, arn: str) -> Iterator[int]:
        """Hold one of the function's concurrent runs; give how many there are with it."""
        with self._lock:
            limit = spec.reserved_concurrency
            full = limit is not None and self._running[spec.name] >= limit
            if not full:
                self._running[spec.name] += 1
            running = self._running[spec.name]
        if full:
            if self._meter is not None:
                self._meter.throttled(spec, arn)
            raise Throttled(spec.name)
        try:
            yield running
        finally:
            with self._lock:
                self._running[spec.name] -= 1

    def _pool(self, spec: FunctionSpec) -> Pool:
        key = (spec.name, spec.version)
        with self._lock:
            pool = self._pools.get(key)
            if pool is not None and pool.spec.fingerprint() == spec.fingerprint():
                return pool
            new = self._pools[key] = Pool(spec, lambda: self._start(spec))
        if pool is not None:
            pool.retire()
        return new

    def _start(self, spec: FunctionSpec) -> Worker:
        if not (self._settings.runtime / "awslambdaric").is_dir():
            raise LocalAwsError(
                f"There is no Lambda runtime in {self._settings.runtime}; run `make setup`."
            )
        task = self._home / "code" / spec.code_sha256
        unpack(spec.code, task)
        layers = laid_out(spec, self._home)
        return Worker(spec, task, layers, self._settings, self._children)
