"""Work that was accepted and is done later: saved until it is done, and done again after a kill.

An entry is saved with the answer that acknowledges it, and removed once it is done. What a
process did not bring to its end is begun again by the next one, with what is known of its tries:
at least once, as AWS delivers.
"""

import datetime
import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from local_aws.core.clock import Clock
from local_aws.core.stores import STORES, Stores

Work = TypeVar("Work")


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of work, in the order of `number`; `due` is when it is begun, in UTC."""

    work: Any
    due: datetime.datetime
    number: int


class WorkQueue(Generic[Work]):
    """Work by its identity. The clock's agenda of what is to be tried again. Thread-safe.

    `start` gets the identity and the work of what is due, and does not raise. It ends in `done`
    or `again`, or in neither when the server stops. The work is plain values or dataclasses of
    this package, and is not changed: `again` takes another.
    """

    def __init__(
        self, name: str, clock: Clock, start: Callable[[str, Work], None], stores: Stores = STORES
    ) -> None:
        self._clock, self._start, self._stores = clock, start, stores
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._entries: dict[str, Entry] = {}
        self._waiting: list[tuple[datetime.datetime, int, str]] = []
        self._loaded: dict[str, Entry] = {}
        stores.keep(name, lambda: self, self._load)
        stores.on_restored(self._resume)
        clock.follow(self)

    def entries(self) -> dict[str, Entry]:
        """Return what is not done, by its identity."""
        return self._entries.copy()

    def accept(self, identity: str, work: Work) -> None:
        """Start work; the answer to this thread's request waits until it is saved."""
        with self._stores.durable_transition():
            self._put(identity, work, self._clock.now())
        self._stores.wait_until_saved()
        self._start(identity, work)

    def again(self, identity: str, work: Work, seconds: float) -> None:
        """Start work so many seconds of the clock later."""
        entry = self._put(identity, work, self._clock.now() + datetime.timedelta(seconds=seconds))
        self._wait_for({identity: entry})
        self._stores.changed()

    def done(self, identity: str) -> None:
        """Forget work that came to its end, whatever it was."""
        if self._entries.pop(identity, None) is not None:
            self._stores.changed()

    def next_due(self) -> datetime.datetime | None:
        """Return when the next work is to be started."""
        with self._lock:
            return self._waiting[0][0] if self._waiting else None

    def run(self, now: datetime.datetime) -> None:
        """Start what is due."""
        while (identity := self._pop(now)) is not None:
            self._start(identity, self._entries[identity].work)

    def _pop(self, now: datetime.datetime) -> str | None:
        with self._lock:
            if not self._waiting or self._waiting[0][0] > now:
                return None
            return heapq.heappop(self._waiting)[2]

    def _put(self, identity: str, work: Work, due: datetime.datetime) -> Entry:
        entry = self._entries[identity] = Entry(work, due, next(self._numbers))
        return entry

    def _wait_for(self, entries: dict[str, Entry]) -> None:
        with self._lock:
            for identity, entry in entries.items():
                heapq.heappush(self._waiting, (entry.due, entry.number, identity))

    def _load(self, entries: dict[str, Entry]) -> None:
        """Take an earlier process's work, which waits until all records are back."""
        self._loaded = dict(entries)
        self._entries.update(entries)
        last = max((entry.number for entry in entries.values()), default=-1)
        self._numbers = itertools.count(last + 1)

    def _resume(self) -> None:
        """Have what was loaded started when it is due, in its order."""
        loaded, self._loaded = self._loaded, {}
        self._wait_for(loaded)
