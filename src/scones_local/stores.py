"""What outlives the server's process, beside the records that moto keeps.

moto's own records (buckets, functions, executions, ...) are saved without being asked. A module
that keeps something elsewhere, which must be there after a restart, registers it once, in its
`install` or where the module is made:

    keep("tags.budgets", tags.saved, tags.restore)

`saved` returns the value: of plain types, or of moto's and this package's classes. It is called
often, by another thread and with everything else held up, so it copies and does not compute.
`restore` gets an equal value when the server starts on a folder with saved state, before it
answers requests.

What has to be started again (a program, a thread, a timer) is started by an action given to
`on_restored`. These run once all records are back and requests are answered, in the order of
their registration, and not at all where there is no saved state.

A module whose records change by other ways than a request calls `changed()`; without it the
change is saved some seconds later.
"""

import threading
from collections.abc import Callable
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
        self.change, self.urgent = threading.Event(), threading.Event()

    def keep(self, name: str, save: Callable[[], Any], load: Callable[[Any], None]) -> None:
        """Have a value saved and loaded under a name; registering the name anew replaces it."""
        self._stores[name] = Store(save, load)

    def on_restored(self, action: Callable[[], None]) -> None:
        """Have an action called once after saved state was loaded."""
        self._restored.append(action)

    def changed(self, *, at_once: bool = False) -> None:
        """Have what is kept saved soon; `at_once` where somebody may rely on it by now."""
        if at_once:
            self.urgent.set()
        self.change.set()

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
