"""Which classes saved records are made of, and how they are made: no code of theirs runs.

A record is an object with attributes. It is made by `object.__new__`, then given its attributes:
no constructor is called, and no `__setstate__` but the reviewed ones. Both saving and loading ask
`check`, so that nothing is saved that would not be loaded.
"""

import dataclasses
import enum
import importlib
import sys
import types
from collections import defaultdict
from typing import Any

from local_aws.core.open_services import SERVICES
from local_aws.state.constructors import CONSTRUCTORS, StateUnreadable

# Classes of the standard library whose making does nothing but hold the values they are given.
_PLAIN = frozenset(
    {
        *(("builtins", n) for n in ("set", "frozenset", "bytearray", "complex", "range", "slice")),
        *(("builtins", n) for n in ("list", "dict", "tuple", "int", "str", "bool", "float")),
        *(("builtins", n) for n in ("bytes", "object", "Exception", "ValueError", "KeyError")),
        *(("collections", n) for n in ("OrderedDict", "deque", "Counter")),
        *(("datetime", n) for n in ("date", "datetime", "time", "timedelta", "timezone")),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
        ("zoneinfo", "ZoneInfo"),
        ("dateutil.tz.tz", "tzutc"),
    }
)
_PACKAGES = frozenset({*SERVICES, "core", "utilities"})
# Records of other packages.
_OTHERS = frozenset({("requests.structures", "CaseInsensitiveDict")})
# Records of this package that are no dataclasses.
_OWN = frozenset(
    {"MetricStore", "PastEnvironment", "PastEvents", "PastWorker", "_Ecs", "_Snapshot"}
)
# Those whose `__setstate__` was read, and does no more than keep the values.
_SETS_STATE = frozenset({"moto.s3.models.FakeKey", "local_aws.core.metric_store.MetricStore"})
_LEGACY = "scones_local."


def check(kind: type) -> None:
    """Raise StateUnreadable unless records may be of that class."""
    module, name = kind.__module__, kind.__qualname__
    if (module, name) in _PLAIN or (module, name) in _OTHERS or kind is defaultdict:
        return
    if not (_is_of_moto(module) or _is_own(kind)):
        raise StateUnreadable(f"it names {module}.{name}, which no record is made of")
    if not _takes_attributes(kind):
        raise StateUnreadable(f"{module}.{name} has a way of its own to be loaded")


def resolve(module: str, name: str) -> Any:
    """Return what stands for a name in saved records: a class, or a function that makes a value.

    A class of moto's or of this package is represented by one that makes blank records of it.
    Raises StateUnreadable for everything else.
    """
    if module.startswith(("local_aws.state.", f"{_LEGACY}persistence.")) and name in CONSTRUCTORS:
        return CONSTRUCTORS[name]
    if (module, name) == ("builtins", "getattr"):  # so does Python 3.11 save an enumeration's
        return CONSTRUCTORS["enum_member"]
    if (module, name) == ("collections", "defaultdict"):
        return _default_dict
    if (module, name) in _PLAIN:
        return getattr(importlib.import_module(module), name)
    kind = _find(module, name)
    check(kind)
    return blank_class(kind)


def _find(module: str, name: str) -> type:
    unknown = StateUnreadable(f"it names {module}.{name}, which no record is made of")
    if module.startswith(_LEGACY):
        module = _module_now(name)
    if not (_is_of_moto(module) or module.startswith("local_aws.") or (module, name) in _OTHERS):
        raise unknown
    if module.startswith("local_aws.") and module not in sys.modules:
        raise unknown
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise unknown from error
    if not isinstance(found, type):
        raise StateUnreadable(f"it names {module}.{name}, which no record is made of")
    return found


def _module_now(name: str) -> str:
    """Return where a record's class is that was in this package under its earlier name."""
    return next(
        (
            module.__name__
            for module in list(sys.modules.values())
            if getattr(module, "__name__", "").startswith("local_aws.")
            and getattr(vars(module).get(name), "__module__", "") == module.__name__
        ),
        "",
    )


def _is_of_moto(module: str) -> bool:
    parts = module.split(".")
    return parts[0] == "moto" and len(parts) > 1 and parts[1] in _PACKAGES


def _is_own(kind: type) -> bool:
    if not kind.__module__.startswith("local_aws."):
        return False
    return dataclasses.is_dataclass(kind) or kind.__qualname__ in _OWN


def _takes_attributes(kind: type) -> bool:
    """Return whether giving a record its attributes runs none but reviewed code."""
    if f"{kind.__module__}.{kind.__qualname__}" in _SETS_STATE:
        return True
    setter = getattr(kind, "__setstate__", None)
    return setter is None or getattr(setter, "__module__", "") == "dataclasses"


class _ImmutableClass(type):
    """A class whose attributes stay as they are, whatever is loaded."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise StateUnreadable(f"it changes {cls.__name__}")

    def __delattr__(cls, name: str) -> None:
        raise StateUnreadable(f"it changes {cls.__name__}")


_blank_classes: dict[type, type] = {}


def blank_class(kind: type) -> type:
    """Return the class that makes blank records of another, without calling its constructor."""
    if kind not in _blank_classes:
        _blank_classes[kind] = _ImmutableClass(
            kind.__name__,
            (),
            {"kind": kind, "__new__": lambda _, *values, **__: _blank(kind, values)},
        )
    return _blank_classes[kind]


def _blank(kind: type, values: tuple[Any, ...]) -> Any:
    if issubclass(kind, enum.Enum):
        return kind(*values)
    if issubclass(kind, defaultdict):
        made: Any = dict.__new__(kind)
        defaultdict.__init__(made, *map(_itself, values))
        return made
    empty: tuple[Any, ...] = (dict, list, set)
    of_values: tuple[Any, ...] = (str, bytes, int, float, tuple, frozenset, BaseException)
    for base in (*empty, *of_values):
        if issubclass(kind, base):
            return base.__new__(kind, *(values if base in of_values else ()))
    if values:
        raise StateUnreadable(f"it makes a {kind.__name__} of values")
    made = object.__new__(kind)
    if _is_own(kind) and dataclasses.is_dataclass(kind):
        # One of an earlier version lacks the fields that were added since.
        for one in dataclasses.fields(kind):
            if one.default is not dataclasses.MISSING:
                object.__setattr__(made, one.name, one.default)
    return made


def _default_dict(factory: Any = None) -> Any:
    return defaultdict(_itself(factory))


def _itself(kind: Any) -> Any:
    """Return the class that a blank one stands for, else the value."""
    return vars(kind)["kind"] if isinstance(kind, _ImmutableClass) else kind


_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def check_reference(value: Any) -> None:
    """Raise StateUnreadable for a class or function that could not be loaded by its name."""
    if isinstance(value, type):
        check(value)
    elif isinstance(value, _FUNCTIONS):
        name = getattr(value, "__name__", "")
        if CONSTRUCTORS.get(name) is not value:
            place = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', name)}"
            raise StateUnreadable(f"it names {place}, which no record is made of")
