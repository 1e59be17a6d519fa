import datetime
import threading
from typing import Any

import pytest

from local_aws.core.clock import Clock, others_unharmed
from local_aws.errors import LocalAwsError

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Log(list[tuple[str, float]]):
    """The name of each agenda that ran, and the seconds after the start."""


class Every:
    """An agenda that notes each time when it ran."""

    def __init__(self, seconds: int, log: Log, name: str = "") -> None:
        self.step = datetime.timedelta(seconds=seconds)
        self.due = START + self.step
        self.log, self.name = log, name

    def next_due(self) -> datetime.datetime:
        return self.due

    def run(self, now: datetime.datetime) -> None:
        self.log.append((self.name, (now - START).total_seconds()))
        self.due = now + self.step


def standing_clock() -> Clock:
    return Clock(real=START.timestamp)


def test_it_is_real_time_and_what_was_advanced() -> None:
    clock = standing_clock()
    clock.advance(90)
    assert clock.now() == START + datetime.timedelta(seconds=90)
    assert clock.advanced_seconds == 90


def test_advancing_does_all_that_is_due_in_order_and_at_its_time() -> None:
    clock, log = standing_clock(), Log()
    clock.follow(Every(20, log, "a"))
    clock.follow(Every(30, log, "b"))
    clock.advance(65)
    assert log == [("a", 20), ("b", 30), ("a", 40), ("a", 60), ("b", 60)]
    assert clock.seconds_to_next() == 15


def test_what_the_clock_shows_during_work_is_the_time_when_it_was_due() -> None:
    clock, shown = standing_clock(), []

    class Looking(Every):
        def run(self, now: datetime.datetime) -> None:
            shown.append(clock.now())
            super().run(now)

    clock.follow(Looking(40, Log()))
    clock.advance(50)
    assert shown == [START + datetime.timedelta(seconds=40)]


def test_time_that_passes_by_itself_makes_work_due_as_well() -> None:
    real, log = [START.timestamp()], Log()
    clock = Clock(real=lambda: real[0])
    clock.follow(Every(20, log))
    clock.run_due()
    assert log == []
    real[0] += 45
    clock.run_due()
    assert [at for _, at in log] == [20, 40]


def test_nothing_is_due_where_nobody_waits() -> None:
    assert standing_clock().seconds_to_next() is None


def test_a_waiter_returns_once_the_clock_is_past_its_time() -> None:
    clock, results = standing_clock(), []
    waiter = threading.Thread(target=lambda: results.append(clock.wait(3600)))
    waiter.start()
    clock.advance(1800)
    assert results == []
    clock.advance(1801)
    waiter.join(10)
    assert results == [False]


def test_a_waiter_that_is_stopped_says_so() -> None:
    clock, stop, results = standing_clock(), threading.Event(), []
    waiter = threading.Thread(target=lambda: results.append(clock.wait(3600, stop)))
    waiter.start()
    stop.set()
    waiter.join(10)
    assert results == [True]


@pytest.mark.parametrize("seconds", [-1, float("nan"), 1e12])
def test_it_goes_neither_back_nor_years_ahead(seconds: float) -> None:
    clock = standing_clock()
    with pytest.raises(LocalAwsError, match="goes forward by"):
        clock.advance(seconds)
    assert clock.now() == START


@pytest.mark.parametrize("kept", [3600.0, (3600.0, START.timestamp())])
def test_it_goes_on_where_an_earlier_process_was(kept: Any) -> None:
    clock, log = standing_clock(), Log()
    clock.follow(Every(20, log))
    clock.resume(kept)
    assert clock.now() == START + datetime.timedelta(hours=1)
    assert log == []


def test_it_does_not_go_back_where_the_hosts_clock_was_set_back_between_two_processes() -> None:
    year = datetime.timedelta(days=365)
    earlier = Clock(real=(START + year).timestamp)
    earlier.advance(60)
    clock = standing_clock()
    clock.resume(earlier.kept())
    assert clock.now() == earlier.now()


def test_a_host_whose_clock_is_set_back_does_not_take_time_back() -> None:
    real, log = [START.timestamp()], Log()
    clock = Clock(real=lambda: real[0])
    clock.follow(Every(20, log))
    real[0] += 10
    assert clock.now() == START + datetime.timedelta(seconds=10)
    real[0] -= 3600
    assert clock.now() == START + datetime.timedelta(seconds=10)
    real[0] += 10
    clock.run_due()
    assert [at for _, at in log] == [20]


class Faulty(Every):
    """An agenda that fails to say when it is due, or to do what is."""

    def __init__(self, seconds: int, *, says: bool) -> None:
        super().__init__(seconds, Log())
        self.says = says

    def next_due(self) -> datetime.datetime:
        if not self.says:
            raise TypeError("no time")
        return super().next_due()

    def run(self, now: datetime.datetime) -> None:
        raise ValueError(f"cannot be done at {now}")


@pytest.mark.parametrize("says", [False, True])
def test_an_agenda_that_fails_holds_up_no_other(
    says: bool, caplog: pytest.LogCaptureFixture
) -> None:
    real, log = [START.timestamp()], Log()
    clock = Clock(real=lambda: real[0])
    clock.follow(Faulty(10, says=says))
    clock.follow(Every(20, log))
    clock.advance(45)
    assert log == [("", 20), ("", 40)]
    real[0] += 20
    assert clock.run_due() == (not says)
    assert log[2:] == [("", 60)]
    assert len(caplog.records) == 1


def test_an_agenda_that_works_again_is_done_again() -> None:
    clock = standing_clock()
    agenda = Faulty(10, says=False)
    clock.follow(agenda)
    clock.advance(15)
    agenda.says = True
    assert clock.seconds_to_next() == 0


def test_a_record_that_fails_keeps_no_other_from_its_turn_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records, done = [Every(10, Log(), name) for name in "abc"], list[str]()
    for record in [*records, *records]:
        with others_unharmed(record):
            if record.name == "b":
                raise KeyError("a field that it lacks")
            done.append(record.name)
    assert done == ["a", "c", "a", "c"]
    assert len(caplog.records) == 1
