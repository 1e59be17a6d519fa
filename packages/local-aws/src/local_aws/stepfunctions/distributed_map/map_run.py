"""A Map Run: children started within limits until all ended or too many failed. No moto here.

Of a child that has ended its record is left, not its history: a run of 50,000 children keeps
their inputs and outputs, which the ResultWriter needs.
"""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from local_aws.stepfunctions.distributed_map.item_batcher import ChildInput
from local_aws.stepfunctions.distributed_map.result_writer import ChildRecord

# AWS runs 10,000 at once. A laptop would do nothing but switch between them.
MAX_RUNNING_CHILDREN = 100
_LOOK_SECONDS = 0.2
_ABORT_SECONDS = 10.0
# How many children are saved together.
CHUNK = 256
_COUNTERS = {"SUCCEEDED": "succeeded", "TIMED_OUT": "timed_out", "ABORTED": "aborted"}


class Child(Protocol):
    """One child execution that was started."""

    def stop(self) -> None:
        """Abort it; returns at once."""

    def record(self) -> ChildRecord:
        """Return how it stands."""


class _Ended:
    """A child that has ended, now or before a redrive."""

    def __init__(self, record: ChildRecord) -> None:
        self._record = record

    def stop(self) -> None:
        """Do nothing: it has ended."""

    def record(self) -> ChildRecord:
        """Return how it stands."""
        return self._record


# Starts a child for an input, and has the callback called once when it has ended.
Launch = Callable[[ChildInput, Callable[[], None]], Child]


@dataclasses.dataclass(slots=True)
class Tolerance:
    """Which failures a Map Run survives; None where no limit was given."""

    count: int | None
    percentage: float | None

    def is_exceeded(self, failed: int, total: int) -> bool:
        """Return whether that many failed items of all fail the Map Run: either limit does.

        https://docs.aws.amazon.com/step-functions/latest/dg/maprun-fail-threshold.html
        """
        if self.count is None and self.percentage is None:
            return failed > 0
        over_count = self.count is not None and failed > self.count
        share = 100.0 * failed / max(total, 1)
        return over_count or (self.percentage is not None and share > self.percentage)


class MapRun:
    """Runs the children of one Distributed Map, and keeps the counts of moto's record of it."""

    def __init__(
        self,
        record: Any,
        inputs: Sequence[ChildInput],
        launch: Launch,
        pending: Callable[[ChildInput], ChildRecord],
        tolerance: Callable[[], Tolerance],
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._record, self.inputs = record, inputs
        self._launch, self._pending, self._tolerance = launch, pending, tolerance
        self._look_seconds = look_seconds
        self._changed = threading.Condition()
        self._children: list[Child] = []
        self._running: dict[int, Child | None] = {}
        # How often the children of each chunk started or ended.
        self.changes = [0] * -(-len(inputs) // CHUNK)
        self._failed_items = 0
        self._total_items = sum(given.item_count for given in inputs)

    def run(self, goes_on: Callable[[], bool]) -> bool:
        """Run until every child has ended; return False when too many items failed.

        Where `goes_on` says no, the rest is not started, and what runs is aborted.
        """
        self._count_all("total", "pending")
        with self._changed:
            while goes_on() and not self._is_exceeded() and self._is_unfinished():
                while len(self._children) < len(self.inputs) and self._has_room():
                    self._start_next()
                if self._running:
                    self._changed.wait(self._look_seconds)
            self._abort_running()
            exceeded = self._is_exceeded()
        return not exceeded

    def records(self) -> list[ChildRecord]:
        """Return how each child stands, in the order of the inputs."""
        started = [child.record() for child in self._children]
        return started + [self._pending(given) for given in self.inputs[len(started) :]]

    def started(self, chunk: int) -> list[ChildRecord]:
        """Return how the started children of a chunk stand, without their inputs."""
        children = self._children[chunk * CHUNK : (chunk + 1) * CHUNK]
        return [dataclasses.replace(child.record(), input=None) for child in children]

    def _is_exceeded(self) -> bool:
        return self._tolerance().is_exceeded(self._failed_items, self._total_items)

    def _is_unfinished(self) -> bool:
        return bool(self._running) or len(self._children) < len(self.inputs)

    def _has_room(self) -> bool:
        max_running = self._record.max_concurrency or MAX_RUNNING_CHILDREN
        return len(self._running) < min(max_running, MAX_RUNNING_CHILDREN)

    def _start_next(self) -> None:
        number = len(self._children)
        given = self.inputs[number]
        if given.previous is not None and given.previous.status == "SUCCEEDED":
            self._count(given, pending=-1, succeeded=1)
            self._children.append(_Ended(given.previous))
            self.changes[number // CHUNK] += 1
            return
        self._count(given, pending=-1, running=1)
        self._running[number] = None
        child = self._launch(given, lambda: self._end(number))
        self._children.append(child)
        self._running[number] = child
        self.changes[number // CHUNK] += 1

    def _end(self, number: int) -> None:
        with self._changed:
            given, record = self.inputs[number], self._children[number].record()
            self._children[number], status = _Ended(record), record.status
            self.changes[number // CHUNK] += 1
            self._count(given, **{"running": -1, _COUNTERS.get(status, "failed"): 1})
            if status in ("FAILED", "TIMED_OUT"):
                self._failed_items += given.item_count
            del self._running[number]
            self._changed.notify_all()

    def _abort_running(self) -> None:
        for child in self._running.values():
            if child is not None:
                child.stop()
        self._changed.wait_for(lambda: not self._running, _ABORT_SECONDS)

    def _count(self, given: ChildInput, **changes: int) -> None:
        for name, change in changes.items():
            getattr(self._record.execution_counter, name).offset(change)
            getattr(self._record.item_counter, name).offset(change * given.item_count)

    def _count_all(self, *names: str) -> None:
        for given in self.inputs:
            self._count(given, **dict.fromkeys(names, 1))
