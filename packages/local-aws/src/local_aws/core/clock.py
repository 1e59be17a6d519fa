"""The embedded AWS's clock: real time, plus what it was advanced by.

What waits for hours on AWS is driven by it: schedules, alarms, scaling, canary periods. Who
does something at a time of its own registers an `Agenda`; `advance` then goes from one due time
to the next, so that everything happens in its order and at its time, as if that time had passed.
"""

import contextlib
import datetime
import logging
import threading
import time
import weakref
from collections.abc import Callable, Container, Iterator
from typing import Any, Protocol

from local_aws.core.admin_api import CLOCK_PATH, route
from local_aws.core.context import Context
from local_aws.errors import LocalAwsError

LOG = logging.getLogger(__name__)
# So that a slip of the pen (milliseconds, say) does not fire years of schedules.
MAX_ADVANCE_SECONDS = 400 * 86_400
# How often a waiter looks whether it is to stop.
_STOP_POLL_SECONDS = 0.2
# What is made in between may fall due sooner than anything that was known, so it looks again.
_LOOK_AGAIN_SECONDS = 1.0


# To the hour, so that time alone is no change that has to be saved.
_KEPT_SECONDS = 3600


class Agenda(Protocol):
    """Something that does its work at times that it knows itself."""

    def next_due(self) -> datetime.datetime | None:
        """Return when there is something to do, in UTC; None when there is nothing."""

    def run(self, now: datetime.datetime) -> None:
        """Do what is due by `now`. `next_due` must be later than `now` after it.

        What is done for one record is done in `others_unharmed`.
        """


# Whose fault is in the log already: of saying when it is due, and of doing what is; and what the
# last fault of a record was.
_undated: "weakref.WeakSet[Any]" = weakref.WeakSet()
_undone: "weakref.WeakSet[Any]" = weakref.WeakSet()
_faults: "weakref.WeakKeyDictionary[Any, str]" = weakref.WeakKeyDictionary()


def due_time(
    item: Any, find: Callable[[Any], datetime.datetime | None]
) -> datetime.datetime | None:
    """Return when an item is due, by `find`.

    None, with one line in the log, where that fails: one item must not hold up all others.
    """
    try:
        found = find(item)
    except Exception:
        _note_fault(item, _undated)
        return None
    _undated.discard(item)
    return found


@contextlib.contextmanager
def others_unharmed(item: Any) -> Iterator[None]:
    """Have a failure at one item end here: those after it go on. The log has each kind once."""
    try:
        yield
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        if _faults.get(item) != fault:
            _faults[item] = fault
            LOG.exception("%r fails, and the others go on", item)


def _note_fault(item: Any, known: "weakref.WeakSet[Any]") -> None:
    if item not in known:
        known.add(item)
        LOG.exception("%r is not done when it is due", item)


class Clock:
    """A clock that only goes forward, also when the host's is set back. Thread-safe."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._host = real
        self._last = real()
        self._reading = threading.Lock()
        self._ahead = 0.0
        # The real time of each advance, and how far it was ahead before; one a second at most.
        self._advances: list[tuple[float, float]] = []
        self._moved = threading.Condition()
        self._running = threading.RLock()
        self._agendas: list[Agenda] = []

    def _real(self) -> float:
        """Return the host's time; what it was set back by counts as advanced."""
        with self._reading:
            read = self._host()
            self._ahead += max(0.0, self._last - read)
            self._last = read
            return read

    def now(self) -> datetime.datetime:
        """Return the time in UTC."""
        return datetime.datetime.fromtimestamp(self._real() + self._ahead, datetime.UTC)

    def at(self, real: datetime.datetime) -> datetime.datetime:
        """Return what this clock showed at a time of the real clock, since the process began.

        So what a client signed or issued by its own clock ages by this one.
        """
        when = real.timestamp()
        with self._moved:
            ahead = next((before for moved, before in self._advances if when < moved), self._ahead)
        return real + datetime.timedelta(seconds=ahead)

    @property
    def advanced_seconds(self) -> float:
        """Return how far the clock is ahead of the real one."""
        return self._ahead

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Sleep for that many seconds of this clock; return True at once when `stop` is set."""
        end = self._real() + self._ahead + seconds
        with self._moved:
            while (left := end - self._real() - self._ahead) > 0:
                if stop is not None and stop.is_set():
                    return True
                self._moved.wait(left if stop is None else min(left, _STOP_POLL_SECONDS))
        return stop is not None and stop.is_set()

    def follow(self, agenda: Agenda) -> None:
        """Have the agenda's work done when it is due, by `advance` and by `run_due`."""
        with self._running:
            self._agendas.append(agenda)

    def advance(self, seconds: float) -> None:
        """Go forward, doing all that falls due on the way before this returns.

        A second caller waits for the first. Raises LocalAwsError unless `seconds` is between
        0 and `MAX_ADVANCE_SECONDS`.
        """
        if not 0 <= seconds <= MAX_ADVANCE_SECONDS:
            raise LocalAwsError(
                f"The clock goes forward by 0 to {MAX_ADVANCE_SECONDS} seconds, not {seconds}."
            )
        failed: set[Agenda] = set()
        with self._running:
            end = self.now() + datetime.timedelta(seconds=seconds)
            while (due := self._earliest(failed)) is not None and due <= end:
                self._go_to(due)
                self._run(failed)
            self._go_to(end)

    def kept(self) -> tuple[float, float]:
        """Return what a later process resumes from: how far this is ahead, and the host's hour."""
        return self._ahead, self._last // _KEPT_SECONDS * _KEPT_SECONDS

    def resume(self, kept: tuple[float, float] | float) -> None:
        """Go on from where an earlier process was; nothing is done for the time between.

        `kept` is a number, the seconds ahead, where an earlier version saved it.
        """
        ahead, last = kept if isinstance(kept, tuple) else (kept, 0.0)
        with self._moved:
            self._ahead = max(0.0, float(ahead))
            with self._reading:
                # What the host's clock was set back by meanwhile counts as advanced.
                self._last = max(self._last, float(last))
            self._moved.notify_all()

    def run_due(self) -> bool:
        """Have every agenda do what is due by now, the earliest first; return whether all could.

        One that fails does not keep the others from their work.
        """
        failed: set[Agenda] = set()
        with self._running:
            self._run(failed)
        return not failed

    def _run(self, failed: set[Agenda]) -> None:
        now = self.now()
        while (due := self._earliest(failed)) is not None and due <= now:
            for agenda in [one for one in self._agendas if one not in failed]:
                when = due_time(agenda, _next_due)
                if when is not None and when <= due:
                    try:
                        agenda.run(due)
                    except Exception:
                        failed.add(agenda)
                        _note_fault(agenda, _undone)
                    else:
                        _undone.discard(agenda)

    def seconds_to_next(self) -> float | None:
        """Return how long it is until something is due, 0 when it is; None for nothing."""
        with self._running:
            due = self._earliest()
        return None if due is None else max(0.0, (due - self.now()).total_seconds())

    def _earliest(self, failed: Container[Agenda] = ()) -> datetime.datetime | None:
        agendas = [agenda for agenda in self._agendas if agenda not in failed]
        times = [when for agenda in agendas if (when := due_time(agenda, _next_due)) is not None]
        return min(times, default=None)

    def _go_to(self, when: datetime.datetime) -> None:
        with self._moved:
            if not self._advances or self._advances[-1][0] < self._real() - 1:
                self._advances.append((self._real(), self._ahead))
            self._ahead += max(0.0, (when - self.now()).total_seconds())
            self._moved.notify_all()


def _next_due(agenda: Agenda) -> datetime.datetime | None:
    return agenda.next_due()


def start_ticker(context: Context, clock: Clock) -> None:
    """Start the one thread that does what falls due as real time passes."""
    stop = threading.Event()
    thread = threading.Thread(target=_tick, args=(clock, stop), name="ticker", daemon=True)
    context.on_shutdown(stop.set)
    thread.start()


def _tick(clock: Clock, stop: threading.Event) -> None:
    while not stop.is_set():
        left = clock.seconds_to_next()
        pause = _LOOK_AGAIN_SECONDS if left is None else min(left, _LOOK_AGAIN_SECONDS)
        # What failed is still due.
        if not stop.wait(pause) and not clock.run_due():
            stop.wait(_LOOK_AGAIN_SECONDS)


CLOCK = Clock()
now = CLOCK.now
wait = CLOCK.wait
advance = CLOCK.advance


@route("GET", CLOCK_PATH)
def read_clock(query: dict[str, Any]) -> dict[str, Any]:
    """Return the time in UTC (ISO 8601), and how far it is ahead of the real one."""
    del query
    return _reading()


@route("POST", CLOCK_PATH)
def move_clock(body: dict[str, Any]) -> dict[str, Any]:
    """Advance the clock by the body's `advance_seconds`; return what `read_clock` does."""
    seconds = body.get("advance_seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise LocalAwsError('Say how far: {"advance_seconds": 60}.')
    advance(seconds)
    return _reading()


def _reading() -> dict[str, Any]:
    return {"now": now().isoformat(), "advanced_seconds": CLOCK.advanced_seconds}


def on_the_clock(at: float) -> float:
    """Return when something happened by the embedded AWS's clock, in seconds since 1970.

    Programs stamp what they log with the real time, which an advanced clock has left behind. A
    time that the real clock has not reached yet can only be one of the embedded AWS's.
    """
    return at + CLOCK.advanced_seconds if at <= time.time() else at
