import datetime
from collections.abc import Callable

from local_aws.core.clock import Clock
from local_aws.core.stores import Stores
from local_aws.core.work_queue import WorkQueue

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
Started = Callable[[str, str], None]


class Process:
    """One process with a queue of work, which starts what it is told to and ends nothing."""

    def __init__(self, seconds: float = 0) -> None:
        self.stores, self.clock = Stores(), Clock(real=lambda: START.timestamp() + seconds)
        self.started: list[tuple[str, str]] = []
        self.queue: WorkQueue[str] = WorkQueue("work", self.clock, self._start, self.stores)

    def _start(self, identity: str, work: str) -> None:
        self.started.append((identity, work))

    def after_a_kill(self, seconds: float = 0) -> "Process":
        """Return the next process with what this one would save now."""
        found = Process(seconds)
        found.stores.load({"work": self.stores.saved()["work"].entries()})
        return found


def test_an_answer_waits_until_accepted_work_is_saved() -> None:
    process = Process()
    process.queue.accept("a", "work")
    assert process.started == [("a", "work")]
    assert process.stores.take_wait() and process.stores.has_transitions()


def test_what_is_not_done_is_begun_again_by_the_next_process_in_its_order() -> None:
    killed = Process()
    for identity in "dcba":
        killed.queue.accept(identity, f"work {identity}")
    killed.queue.done("c")
    process = killed.after_a_kill()
    process.clock.run_due()
    assert process.started == []  # not all records are back
    process.queue.accept("new", "work")
    process.stores.restored()
    process.clock.run_due()
    assert [identity for identity, _ in process.started] == ["new", "d", "b", "a"]
    assert process.queue.next_due() is None


def test_what_waits_is_begun_when_it_is_due_also_by_the_next_process() -> None:
    killed = Process()
    killed.queue.accept("a", "first try")
    killed.queue.again("a", "second try", 60)
    process = killed.after_a_kill(seconds=20)
    process.stores.restored()
    process.clock.advance(39)
    assert process.started == []
    process.clock.advance(1)
    assert process.started == [("a", "second try")]
    process.queue.done("a")
    assert process.after_a_kill().queue.entries() == {}
