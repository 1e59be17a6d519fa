"""From bytes back to records. What is loaded cannot run a program.

A name in the bytes stands for a plain class of the standard library, for the maker of blank
records of a class, or for a function of `constructors`; there is nothing else to call.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from local_aws.state.constructors import StateUnreadable
from local_aws.state.record_classes import resolve


class StateUnpickler(pickle.Unpickler):
    """Unpickles records; raises StateUnreadable for what is none.

    A lenient one puts a `Refused` in the place of what has a name that is refused.
    """

    def __init__(
        self, file: io.BytesIO, blob: Callable[[str], bytes], *, lenient: bool = False
    ) -> None:
        super().__init__(file)
        self._own = {
            "blob": blob,
            "pickled": lambda digest: loads(blob(digest), blob, lenient=lenient),
        }
        self._lenient = lenient

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class that may be unpickled, or a constructor."""
        try:
            found = resolve(module, name)
        except StateUnreadable:
            if not self._lenient:
                raise
            return Refused
        found = self._own.get(found.__name__, found)
        return found if isinstance(found, type) or not self._lenient else _leniently(found)


def _leniently(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        try:
            return function(*values)
        except StateUnreadable:
            return Refused()

    return call


class Refused:
    """Stands for a record of a class that is not loaded; takes whatever is given to it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any) -> "Refused":
        """Return another one, as the factory of a dictionary."""
        return Refused()

    def __setstate__(self, state: Any) -> None:
        """Drop the attributes."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Drop an item."""

    def append(self, value: Any) -> None:
        """Drop an item."""

    def add(self, value: Any) -> None:
        """Drop an item."""


def loads(
    data: bytes,
    blobs: Mapping[str, bytes] | Callable[[str], bytes],
    *,
    lenient: bool = False,
) -> Any:
    """Return the records; raises StateUnreadable for anything that is none."""
    blob = blobs if callable(blobs) else blobs.__getitem__
    try:
        return StateUnpickler(io.BytesIO(data), blob, lenient=lenient).load()
    except StateUnreadable:
        raise
    except Exception as error:  # whatever damaged or foreign bytes lead to
        raise StateUnreadable(f"{type(error).__name__}: {error}") from error
