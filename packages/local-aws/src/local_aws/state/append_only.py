"""Lists that only grow: what has been saved of them is not saved again."""

from typing import Any

from local_aws.state import constructors
from local_aws.state.blobs import Blobs, Pickled, Reduced, made_of

# How many entries are pickled at once, for good.
CHUNK = 1000
# So many of the rest are cheaper in the records than as a file of their own.
_FEW = 20


def log_group(group: Any, blobs: Blobs) -> Reduced:
    """Reduce a log group of moto's; what is in its streams is saved now and then."""
    streams = blobs.lately(group, "streams", group.streams)
    return made_of(group, {**group.__dict__, "streams": streams})


def log_stream(stream: Any, blobs: Blobs) -> Reduced:
    """Reduce a log stream of moto's, without its mention of the group that it is in."""
    state = {**stream.__dict__, "events": Chunks(stream, stream.events, blobs)}
    state.pop("log_group", None)
    return made_of(stream, state)


class Chunks:
    """Stands for a list of entries with a `timestamp`."""

    def __init__(self, owner: Any, items: list[Any], blobs: Blobs) -> None:
        items = list(items)
        starts = range(0, len(items), CHUNK)
        rest = len(items) % CHUNK if len(items) % CHUNK <= _FEW else 0
        whole = [start for start in starts if start < len(items) - rest]
        self.chunks = tuple(self._chunk(owner, items[i : i + CHUNK], i, blobs) for i in whole)
        self.rest = items[len(items) - rest :]

    @staticmethod
    def _chunk(owner: Any, items: list[Any], start: int, blobs: Blobs) -> Pickled:
        first, last = items[0], items[-1]
        mark = (len(items), id(first), id(last), first.timestamp, last.timestamp)
        return blobs.pickled(owner, ("chunk", start), mark, lambda: items)

    def __reduce__(self) -> tuple[Any, ...]:
        return constructors.joined, (self.chunks, self.rest)
