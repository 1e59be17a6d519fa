"""Every function's workers, by version: a new pool when a version changes."""

import contextlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_aws.core.child_processes import Children
from local_aws.core.metrics import emit
from local_aws.core.request_chains import LoopFound, current, following, invoked
from local_aws.errors import LocalAwsError
from local_aws.lambda_.functions import FunctionSpec, WorkerSettings
from local_aws.lambda_.logs import LogEvent, passes_log_level
from local_aws.lambda_.packages import CODE, laid_out, unpack
from local_aws.lambda_.runtime_api import Invocation
from local_aws.lambda_.worker import Worker

_IDLE_CHECK_SECONDS = 15.0
_TAIL_CHARACTERS = 8192
_log = logging.getLogger(__name__)
LogSink = Callable[[FunctionSpec, str, list[LogEvent]], None]


class LambdaMeter:
    """Publishes the metrics of invocations, by function and by the ARN that was invoked."""

    def ran(
        self, spec: FunctionSpec, arn: str, *, seconds: float, failed: bool, running: int
    ) -> None:
        """Put the metrics of an invocation; `running` counts those of the function at its start."""
        values = {
            "Invocations": 1.0,
            "Errors": float(failed),
            "Throttles": 0.0,
            "Duration": seconds * 1000,
            "ConcurrentExecutions": float(running),
        }
        self._put(spec, arn, values)

    def throttled(self, spec: FunctionSpec, arn: str) -> None:
        """Put the metric of an invocation that was turned away."""
        self._put(spec, arn, {"Throttles": 1.0})

    def dropped(self, spec: FunctionSpec, arn: str) -> None:
        """Put the metric of an event that a loop of functions ends with."""
        self._put(spec, arn, {"RecursiveInvocationsDropped": 1.0})

    def _put(self, spec: FunctionSpec, arn: str, values: dict[str, float]) -> None:
        units = {"Duration": "Milliseconds"}
        resource = arn.split(":function:", 1)[-1]
        for dimensions in (
            {"FunctionName": spec.name},
            {"FunctionName": spec.name, "Resource": resource},
        ):
            emit("AWS/Lambda", dimensions, values, units, region=spec.region)


# A burst must not start as many processes as it has events: each cold start slows the others.
# So few start at once. Another one does only when none got free for this long and none is
# starting, as with handlers that wait for something.
_EAGER_WORKERS = min(max(2, os.cpu_count() or 2), 8)

_PATIENCE_SECONDS = 1.0

_MAX_WORKERS = 40


class Pool:
    """The workers of one function version in one configuration."""

    def __init__(self, spec: FunctionSpec, start: Callable[[], Worker]) -> None:
        self.spec = spec
        self._start = start
        self._free = threading.Condition()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._count = 0
        self._starting = 0
        self._last_free = 0.0
        self._retired = False
        self._since: dict[Worker, float] = {}

    @contextlib.contextmanager
    def worker(self) -> Iterator[Worker]:
        """Lend a worker; no lock is held meanwhile. A dead or retired one is not taken back."""
        worker = self._take()
        try:
            yield worker
        finally:
            self._give_back(worker)

    def retire(self) -> None:
        """End the idle workers now, and each busy one after its invocation."""
        with self._free:
            self._retired = True
            idle, self._idle = self._idle, []
            self._since.clear()
            self._count -= len(idle)
        for worker in idle:
            worker.kill()

    def end_idle(self, since: float) -> None:
        """End the workers that have had nothing to do since that time (`time.monotonic`)."""
        with self._free:
            ended = [worker for worker in self._idle if self._since.get(worker, since) < since]
            for worker in ended:
                self._idle.remove(worker)
                self._since.pop(worker, None)
            self._count -= len(ended)
        for worker in ended:
            worker.kill()

    def _take(self) -> Worker:
        asked = time.monotonic()
        with self._free:
            while True:
                while self._idle:
                    worker = self._idle.pop()
                    self._since.pop(worker, None)
                    if worker.alive:
                        self._busy.add(worker)
                        return worker
                    self._count -= 1
                if self._may_start(asked):
                    self._count += 1
                    self._starting += 1
                    break
                self._free.wait(_PATIENCE_SECONDS / 4)
        return self._started()

    def _started(self) -> Worker:
        made: Worker | None = None
        try:
            made = self._start()
            return made
        finally:
            with self._free:
                self._starting -= 1
                if made is None:
                    self._count -= 1
                    self._free.notify()
                else:
                    self._busy.add(made)

    def _may_start(self, asked: float) -> bool:
        if self._count < _EAGER_WORKERS:
            return True
        starting = self._starting or any(not worker.started for worker in self._busy)
        if starting or self._count >= _MAX_WORKERS:
            return False
        return time.monotonic() - max(asked, self._last_free) >= _PATIENCE_SECONDS

    def _give_back(self, worker: Worker) -> None:
        with self._free:
            self._busy.discard(worker)
            self._last_free = time.monotonic()
            if worker.alive and not self._retired:
                self._idle.append(worker)
                self._since[worker] = self._last_free
                self._free.notify()
                return
        worker.kill()
        self._release_slot()

    def _release_slot(self) -> None:
        with self._free:
            self._count -= 1
            self._free.notify()


class Throttled(Exception):
    """A function's reserved concurrency is used up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation gave: the payload, whether it is an error, and the end of its log.

    `trace` is the trace header of what follows from it.
    """

    payload: bytes
    failed: bool
    log: str
    request_id: str
    trace: str = ""


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
        LoopFound for an event of a loop, LocalAwsError when no worker can start.
        """
        invocation = Invocation(body, arn or spec.arn, spec.timeout_seconds)
        invocation.request_id = request_id or invocation.request_id
        invocation.client_context = client_context
        invocation.trace = self._trace(spec, invocation.function_arn)
        with (
            following(invocation.trace),
            self._slot(spec, invocation.function_arn) as running,
            self._pool(spec).worker() as worker,
        ):
            events = [event for event in worker.run(invocation) if passes_log_level(spec, event)]
            self._sink(spec, worker.log_stream, events)
        if self._meter is not None:
            self._meter.ran(
                spec,
                invocation.function_arn,
                seconds=invocation.seconds,
                failed=invocation.failed,
                running=running,
            )
        log = _tail(events)
        return Outcome(
            invocation.result, invocation.failed, log, invocation.request_id, invocation.trace
        )

    def _trace(self, spec: FunctionSpec, arn: str) -> str:
        try:
            return invoked(current(), arn, allowed=spec.allows_loops)
        except LoopFound:
            _log.error(
                "%s is not invoked: it invokes itself, directly or through other services. End "
                "the loop, or allow it with PutFunctionRecursionConfig.",
                spec.name,
            )
            if self._meter is not None:
                self._meter.dropped(spec, arn)
            raise

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
        task = self._home / CODE / spec.code_sha256
        unpack(spec.code, task)
        layers = laid_out(spec.layers, spec.layer_sha256s, self._home)
        return Worker(spec, task, layers, self._settings, self._children)


def _tail(events: Sequence[LogEvent]) -> str:
    """Return the last events as text, as many as make up what an answer may show of a log."""
    last: list[str] = []
    size = 0
    for event in reversed(events):
        last.append(event.message)
        size += len(event.message)
        if size > _TAIL_CHARACTERS:
            break
    return "\n".join(reversed(last))
