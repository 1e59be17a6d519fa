"""From live records to bytes: what cannot be pickled as it is, and what may be saved.

A lock becomes a new lock, a thread nothing, another backend a reference to it, a large body the
name of a file of its own. What `unpickling` would refuse is refused here already.
"""

import io
import pickle
from typing import Any

from local_aws.state.blobs import Blobs, Reducer
from local_aws.state.record_classes import check_reference
from local_aws.state.reducers import reducer_of

_KNOWN: dict[type, Reducer | None] = {}


class StatePickler(pickle.Pickler):
    """Pickles records; large bodies go to `blobs`.

    Raises StateUnreadable for a class or function that could not be loaded.
    """

    def __init__(self, file: io.BytesIO, blobs: Blobs) -> None:
        super().__init__(file, protocol=5)
        self._blobs = blobs

    def reducer_override(self, value: Any) -> Any:
        """Return how a value is rebuilt, or NotImplemented for pickle's own way."""
        kind = type(value)
        if kind not in _KNOWN:
            _KNOWN[kind] = reducer_of(kind)
        reducer = _KNOWN[kind]
        reduced = None if reducer is None else reducer(value, self._blobs)
        if reduced is None:
            check_reference(value)
            return NotImplemented
        return reduced


def new_blobs() -> Blobs:
    """Return an empty collection of bodies."""
    blobs = Blobs(lambda value: dumps(value, blobs))
    return blobs


def dumps(value: Any, blobs: Blobs) -> bytes:
    """Return records as bytes, without the bodies that `blobs` has then."""
    file = io.BytesIO()
    StatePickler(file, blobs).dump(value)
    return file.getvalue()
