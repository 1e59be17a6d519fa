"""A collection's entries in segments: a save writes those that changed, in one file.

Each save makes a segment of the entries that changed since the last one. Segments whose sizes are
alike are merged, so that there are about log2(n) of them, and an entry is written about as often.
A segment knows its keys alone, and is read from the live collection: a later one has the last
word, and an entry that is gone is None there.
"""

import functools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from local_aws.state.blobs import Blobs, Pickled

ValueOf = Callable[[Any], Any]


class _Segment:
    """The keys of some entries; a body is kept for as long as its segment is."""

    def __init__(self, keys: set[Hashable]) -> None:
        self.keys = keys


class Journal:
    """Which entries of a collection changed since they were saved, by keys of plain values."""

    def __init__(self, keys: Iterable[Hashable] = ()) -> None:
        # Threads append and the saver takes from the other end, so no change is lost.
        self._changed: deque[Hashable] = deque(keys)
        self._segments: list[_Segment] = []

    def note(self, key: Hashable) -> None:
        """Have the next save read an entry again; call it once the change is made."""
        self._changed.append(key)

    def saved(self, blobs: Blobs, value_of: ValueOf) -> tuple[Pickled, ...]:
        """Return the stand-ins of the segments; `value_of` returns an entry, None for one gone."""
        changed: set[Hashable] = set()
        while self._changed:
            changed.add(self._changed.popleft())
        if changed:
            self._add(changed)
        return tuple(
            blobs.pickled(
                segment, place == 0, None, functools.partial(_read, segment, value_of, place)
            )
            for place, segment in enumerate(self._segments)
        )

    def _add(self, keys: set[Hashable]) -> None:
        while self._segments and len(self._segments[-1].keys) <= 2 * len(keys):
            keys = keys | self._segments.pop().keys
        self._segments.append(_Segment(keys))


def _read(segment: _Segment, value_of: ValueOf, place: int) -> dict[Hashable, Any]:
    values = {key: value_of(key) for key in segment.keys}
    if place > 0:
        return values
    # Nothing earlier holds what is gone.
    kept = {key: value for key, value in values.items() if value is not None}
    segment.keys = set(kept)
    return kept


def merged(segments: Sequence[dict[Hashable, Any]]) -> dict[Hashable, Any]:
    """Return a collection's entries from its saved segments."""
    found: dict[Hashable, Any] = {}
    for segment in segments:
        found.update(segment)
    return {key: value for key, value in found.items() if value is not None}
