"""From live records to bytes and back: what cannot be pickled as it is, and who may be unpickled.

A lock becomes a new lock, a thread nothing, another backend a reference to it, a large body the
name of a file of its own. Unpickling resolves only classes of moto, of this package and of a few
modules of the standard library, and calls only those and the functions of `rebuild`. So a file
that somebody else wrote cannot run a program.
"""

import importlib
import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from local_aws.errors import LocalAwsError
from local_aws.state import constructors
from local_aws.state.blobs import Blobs, Reducer
from local_aws.state.reducers import reducer_of

_OWN = ("moto.", "local_aws.")
# Classes whose making does nothing but hold the values that they are given.
_PLAIN = frozenset(
    {
        *(("builtins", n) for n in ("set", "frozenset", "bytearray", "complex", "range", "slice")),
        *(("builtins", n) for n in ("list", "dict", "tuple", "int", "str", "bool", "float")),
        *(("builtins", n) for n in ("bytes", "object", "Exception", "ValueError", "KeyError")),
        *(("collections", n) for n in ("OrderedDict", "defaultdict", "deque", "Counter")),
        *(("datetime", n) for n in ("date", "datetime", "time", "timedelta", "timezone")),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
        ("zoneinfo", "ZoneInfo"),
        ("dateutil.tz.tz", "tzutc"),
    }
)
_FUNCTIONS = {name: getattr(constructors, name) for name in constructors.__all__}
_KNOWN: dict[type, Reducer | None] = {}


class StateUnreadable(LocalAwsError):
    """Saved state that is not what this program wrote."""


class StatePickler(pickle.Pickler):
    """Pickles records; large bodies go to `blobs`."""

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
        return NotImplemented if reduced is None else reduced


class StateUnpickler(pickle.Unpickler):
    """Unpickles records; raises StateUnreadable for what is none."""

    def __init__(self, file: io.BytesIO, blob: Callable[[str], bytes]) -> None:
        super().__init__(file)
        self._own = {"blob": blob, "pickled": lambda digest: loads(blob(digest), blob)}

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that may be unpickled, or a function of `rebuild`."""
        if module == constructors.__name__ and name in _FUNCTIONS:
            return self._own.get(name, _FUNCTIONS[name])
        if (module, name) not in _PLAIN and not module.startswith(_OWN):
            raise StateUnreadable(f"it names {module}.{name}, which no record is made of")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not isinstance(found, type) or not _may_be(found, module):
            raise StateUnreadable(f"it names {module}.{name}, which is no class of a record")
        return found


def _may_be(found: type, module: str) -> bool:
    """Return whether a class is one of the package that it was asked from."""
    return not module.startswith(_OWN) or found.__module__.startswith(_OWN)


def new_blobs() -> Blobs:
    """Return an empty collection of bodies."""
    blobs = Blobs(lambda value: dumps(value, blobs))
    return blobs


def dumps(value: Any, blobs: Blobs) -> bytes:
    """Return records as bytes, without the bodies that `blobs` has then."""
    file = io.BytesIO()
    StatePickler(file, blobs).dump(value)
    return file.getvalue()


def loads(data: bytes, blobs: Mapping[str, bytes] | Callable[[str], bytes]) -> Any:
    """Return the records; raises StateUnreadable for anything that is none."""
    blob = blobs if callable(blobs) else blobs.__getitem__
    try:
        return StateUnpickler(io.BytesIO(data), blob).load()
    except StateUnreadable:
        raise
    except Exception as error:  # whatever damaged or foreign bytes lead to
        raise StateUnreadable(f"{type(error).__name__}: {error}") from error
