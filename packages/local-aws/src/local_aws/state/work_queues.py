"""Queues of accepted work: a save writes the entries that were added or done since the last one."""

from typing import Any
from weakref import WeakKeyDictionary

from local_aws.state.blobs import Blobs, Reduced
from local_aws.state.constructors import constructor
from local_aws.state.journals import Journal, merged

# With what each queue held when it was last saved: an entry is replaced, never changed.
_journals: WeakKeyDictionary[Any, tuple[Journal, dict[str, Any]]] = WeakKeyDictionary()


def work_queue(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a queue of accepted work to its entries."""
    journal, before = _journals.setdefault(value, (Journal(), {}))
    entries = value.entries()
    for identity in before.keys() | entries.keys():
        if before.get(identity) is not entries.get(identity):
            journal.note(identity)
    _journals[value] = journal, entries
    return queued_work, (journal.saved(blobs, entries.get),)


@constructor
def queued_work(segments: tuple[dict[Any, Any], ...]) -> dict[Any, Any]:
    """Return a queue's entries from its segments."""
    return merged(segments)
