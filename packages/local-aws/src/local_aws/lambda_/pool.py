"""The warm workers of one function version: started on demand, reused, ended when idle."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

from local_aws.lambda_.function_spec import FunctionSpec
from local_aws.lambda_.worker import Worker

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
        self._lose_one()

    def _lose_one(self) -> None:
        with self._free:
            self._count -= 1
            self._free.notify()
