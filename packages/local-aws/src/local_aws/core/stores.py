"""Stores: state that outlives the server's process, in addition to moto's records.

moto's own records (buckets, functions, executions, ...) are saved without further ado. A module
that keeps something elsewhere, which must be there after a restart, registers it once, in its
`install` or where the module is made:

    keep("tags.budgets", tags.saved, tags.restore)

`saved` returns the value: of plain types, or of record classes (`record_classes`). It is called
often, by another thread while everything else waits, so it copies and does not compute.
`restore` gets an equal value when the server starts on a folder with saved state, before it
answers requests.

What has to be started again (a program, a thread, a timer) is started by an action given to
`on_restored`. These run once all records are back and requests are answered, in the order of
their registration, and not at all where there is no saved state.

A module whose records change by other ways than a request calls `changed()`; without it the
change is saved some seconds later. A terminal status (an execution's or a job's) is set within
`durable_transition()`, and a request that shows one calls `wait_until_saved()`: its answer then
waits until the status is on disk.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Store:
    """One kept value: how it is read for saving, and how it is put back."""

    save: Callable[[], Any]
    load: Callable[[Any], None]


class Stores:
    """A registry of stores, and of what to do after they were loaded."""

    def __init__(self) -> None:
        self._stores: dict[str, Store] = {}
        self._restored: list[Callable[[], None]] = []
        self.change = threading.Event()
        self._lock = threading.Lock()
        self._open, self._ended = 0, False
        self._request = threading.local()

    def keep(self, name: str, save: Callable[[], Any], load: Callable[[Any], None]) -> None:
        """Have a value saved and loaded under a name; registering the name again replaces it."""
        self._stores[name] = Store(save, load)

    def on_restored(self, action: Callable[[], None]) -> None:
        """Have an action called once after saved state was loaded."""
        self._restored.append(action)

    def changed(self) -> None:
        """Have what is kept saved soon."""
        self.change.set()

    @contextmanager
    def durable_transition(self) -> Iterator[None]:
        """Make a terminal status that is set inside durable before any answer can show it."""
        with self._lock:
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open, self._ended = self._open - 1, True
            self.change.set()

    def has_transitions(self) -> bool:
        """Return whether a terminal status may be visible that `take_transitions` did not note."""
        return self._ended or self._open > 0

    def take_transitions(self) -> None:
        """Note that all terminal statuses so far are about to be saved."""
        with self._lock:
            self._ended = False

    def wait_until_saved(self) -> None:
        """Have the answer to this thread's request wait until what it shows is saved."""
        self._request.shows = True

    def take_wait(self) -> bool:
        """Return whether this thread's request called `wait_until_saved`, and forget it."""
        shows = getattr(self._request, "shows", False)
        self._request.shows = False
        return shows

    def saved(self) -> dict[str, Any]:
        """Return every store's value now."""
        return {name: store.save() for name, store in self._stores.items()}

    def load(self, values: dict[str, Any]) -> None:
        """Give the stores their values; one that has none keeps what it has."""
        for name, value in values.items():
            if name in self._stores:
                self._stores[name].load(value)

    def restored(self) -> None:
        """Call the actions that were registered for after a load."""
        for action in self._restored:
            action()


STORES = Stores()
keep = STORES.keep
on_restored = STORES.on_restored
changed = STORES.changed
durable_transition = STORES.durable_transition
wait_until_saved = STORES.wait_until_saved
