"""Queues of accepted work: a save writes the entries that were added or done since the last one.

A queue with few entries, as most are, is in the records themselves.
"""

from typing import Any
from weakref import WeakKeyDictionary

from local_aws.state.blobs import Blobs, Reduced
from local_aws.state.constructors import constructor
from local_aws.state.journals import Journal, merged

# So many are cheaper in the records than in a file of their own, which is synced as well.
_FEW = 20
# With what each queue held when it was last saved: an entry is replaced, never changed.
_journals: WeakKeyDictionary[Any, tuple[Journal, dict[str, Any]]] = WeakKeyDictionary()


def work_queue(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a queue of accepted work to its entries."""
    entries = value.entries()
    if len(entries) <= _FEW:
        _journals.pop(value, None)
        return queued_work, ((entries,),)
    journal, before = _journals.setdefault(value, (Journal(), {}))
    for identity in before.keys() | entries.keys():
        if before.get(identity) is not entries.get(identity):
            journal.note(identity)
    _journals[value] = journal, entries
    return queued_work, (journal.saved(blobs, entries.get),)


@constructor
def queued_work(segments: tuple[dict[Any, Any], ...]) -> dict[Any, Any]:
    """Return a queue's entries from its segments."""
    return merged(segments)
