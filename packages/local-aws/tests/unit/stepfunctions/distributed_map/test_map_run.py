import dataclasses
import gc
import types
import weakref
from collections.abc import Callable

import pytest

from local_aws.stepfunctions.distributed_map.item_batcher import ChildInput
from local_aws.stepfunctions.distributed_map.map_run import (
    CHUNK,
    MAX_RUNNING_CHILDREN,
    MapRun,
    Tolerance,
)
from local_aws.stepfunctions.distributed_map.map_run import Child as StartedChild
from local_aws.stepfunctions.distributed_map.result_writer import ChildRecord


class Counters:
    """Counts as moto's record of a Map Run does."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __getattr__(self, name: str) -> types.SimpleNamespace:
        def offset(change: int) -> None:
            self.counts[name] = self.counts.get(name, 0) + change

        return types.SimpleNamespace(offset=offset)


@dataclasses.dataclass
class Child:
    status: str
    given: ChildInput
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True

    def record(self) -> ChildRecord:
        return ChildRecord("arn", "name", "machine", self.status, self.given.value)


def pending(given: ChildInput) -> ChildRecord:
    return ChildRecord("arn", "name", "machine", "PENDING", given.value)


def map_run(
    statuses: list[str],
    *,
    tolerated: Tolerance | None = None,
    max_concurrency: int = 1,
    sizes: dict[int, int] | None = None,
) -> tuple[MapRun, types.SimpleNamespace, Callable[[], bool]]:
    """A Map Run whose children end when its `goes_on` is asked."""
    record = types.SimpleNamespace(
        max_concurrency=max_concurrency, execution_counter=Counters(), item_counter=Counters()
    )
    inputs = [ChildInput(n, (sizes or {}).get(n, 1)) for n in range(len(statuses))]
    ends: list[Callable[[], None]] = []
    running: list[int] = []

    def launch(given: ChildInput, ended: Callable[[], None]) -> Child:
        running.append(len(running))
        ends.append(ended)
        return Child(statuses[given.value], given)

    limits = tolerated or Tolerance(None, None)
    run = MapRun(record, inputs, launch, pending, lambda: limits, look_seconds=0.001)

    def goes_on() -> bool:
        while ends:
            ends.pop(0)()
        return True

    return run, record, goes_on


@pytest.mark.parametrize(
    ("count", "percentage", "failed", "exceeded"),
    [
        (None, None, 0, False),
        (None, None, 1, True),
        (2, None, 2, False),
        (2, None, 3, True),
        (None, 25.0, 2, False),
        (None, 25.0, 3, True),
        (5, 10.0, 1, True),
        (0, 100.0, 1, True),
    ],
)
def test_failures_are_tolerated_up_to_either_limit(
    count: int | None, percentage: float | None, failed: int, exceeded: bool
) -> None:
    assert Tolerance(count, percentage).is_exceeded(failed, 8) is exceeded


def test_an_empty_run_tolerates_nothing_and_succeeds() -> None:
    run, _, goes_on = map_run([])
    assert run.run(goes_on)
    assert run.records() == []


def test_children_are_counted_with_their_items() -> None:
    run, record, goes_on = map_run(
        ["SUCCEEDED", "FAILED"], tolerated=Tolerance(5, None), sizes={1: 3}
    )
    assert run.run(goes_on)
    counts = record.item_counter.counts
    assert (counts["total"], counts["succeeded"], counts["failed"]) == (4, 1, 3)
    assert (counts["pending"], counts["running"]) == (0, 0)
    assert record.execution_counter.counts["failed"] == 1


def test_after_too_many_failures_nothing_more_is_started() -> None:
    run, record, goes_on = map_run(["SUCCEEDED", "TIMED_OUT", "SUCCEEDED"])
    assert not run.run(goes_on)
    assert [child.status for child in run.records()] == ["SUCCEEDED", "TIMED_OUT", "PENDING"]
    assert record.item_counter.counts["timed_out"] == 1


def test_no_more_children_run_than_asked_for_or_than_there_is_room() -> None:
    statuses = ["SUCCEEDED"] * (MAX_RUNNING_CHILDREN + 20)
    for asked, most in ((3, 3), (0, MAX_RUNNING_CHILDREN), (100_000, MAX_RUNNING_CHILDREN)):
        run, record, goes_on = map_run(statuses, max_concurrency=asked)
        peak: list[int] = []

        def watched(
            record: types.SimpleNamespace = record,
            peak: list[int] = peak,
            goes_on: Callable[[], bool] = goes_on,
        ) -> bool:
            peak.append(record.execution_counter.counts.get("running", 0))
            return goes_on()

        assert run.run(watched)
        assert max(peak) == most


def test_a_child_that_has_ended_is_kept_as_its_record_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, _, goes_on = map_run(["SUCCEEDED"] * 3)
    held: list[weakref.ref[StartedChild]] = []
    launch = run._launch

    def noted(given: ChildInput, ended: Callable[[], None]) -> StartedChild:
        child = launch(given, ended)
        held.append(weakref.ref(child))
        return child

    monkeypatch.setattr(run, "_launch", noted)
    assert run.run(goes_on)
    gc.collect()
    assert [child() for child in held] == [None] * 3
    assert [child.status for child in run.records()] == ["SUCCEEDED"] * 3


def test_only_the_chunks_whose_children_changed_say_so() -> None:
    run, _, goes_on = map_run(["SUCCEEDED"] * CHUNK + ["FAILED", "SUCCEEDED"])
    assert run.changes == [0, 0]
    assert not run.run(goes_on)
    # Each was started and ended; after the failure none was.
    assert run.changes == [2 * CHUNK, 2]
    (last,) = run.started(1)
    assert (last.status, last.input) == ("FAILED", None)
