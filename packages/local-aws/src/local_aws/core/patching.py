"""Mends of moto: each replaces or adds one attribute, and says which fault it takes away.

A mend is refused when its target is gone, when an operation that it adds is already there, or
when moto is not the pinned version. So an upgrade of moto fails at start, naming the symbol,
and never half works.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

from local_aws.errors import LocalAwsError

MOTO_VERSION = "5.2.5"

_Function = TypeVar("_Function")
_Wrapper = TypeVar("_Wrapper", bound=Callable[..., Any])
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Mend:
    """One changed symbol of moto: what was wrong with it, in which version."""

    symbol: str
    fault: str
    moto_version: str = MOTO_VERSION


_mends: list[Mend] = []


def mends() -> tuple[Mend, ...]:
    """Return the mends made so far, in their order."""
    return tuple(_mends)


def require_moto(found: str | None = None) -> None:
    """Raise LocalAwsError unless the installed moto is the one that the mends were made for."""
    found = version("moto") if found is None else found
    if found != MOTO_VERSION:
        raise LocalAwsError(
            f"The embedded AWS mends moto {MOTO_VERSION}, but {found} is installed; "
            "run `make setup`."
        )


def wrap(owner: Any, name: str, *, fault: str) -> Callable[[_Wrapper], _Wrapper]:
    """Return a decorator that puts its function in the place of `owner.name`.

    The function gets the original as its first argument, then what the original gets. `owner`
    is a class or a module. A property, a class method and a static method each stay one.
    Raises LocalAwsError when the target does not exist.
    """
    target = inspect.getattr_static(owner, name, _MISSING)
    if target is _MISSING:
        raise LocalAwsError(f"moto has no {_symbol(owner, name)} any more, so it cannot be mended.")

    def decorate(function: _Wrapper) -> _Wrapper:
        _set(owner, name, _wrapped(target, function), fault)
        return function

    return decorate


def implement(owner: Any, name: str, *, fault: str) -> Callable[[_Function], _Function]:
    """Return a decorator that adds its function, or property, to moto as `owner.name`.

    Raises LocalAwsError when moto has that name by now: the mend is then to be taken out.
    """
    if inspect.getattr_static(owner, name, _MISSING) is not _MISSING:
        raise LocalAwsError(f"moto has {_symbol(owner, name)} by now; take its mend out.")

    def decorate(function: _Function) -> _Function:
        _set(owner, name, function, fault)
        return function

    return decorate


def replace(owner: Any, name: str, value: Any, *, fault: str) -> None:
    """Put any value in the place of `owner.name`; raises LocalAwsError when it is not there."""
    if inspect.getattr_static(owner, name, _MISSING) is _MISSING:
        raise LocalAwsError(f"moto has no {_symbol(owner, name)} any more, so it cannot be mended.")
    _set(owner, name, value, fault)


def _set(owner: Any, name: str, value: Any, fault: str) -> None:
    setattr(owner, name, value)
    _mends.append(Mend(_symbol(owner, name), fault))


def _symbol(owner: Any, name: str) -> str:
    if inspect.ismodule(owner):
        return f"{owner.__name__}.{name}"
    return f"{owner.__module__}.{owner.__qualname__}.{name}"


def _wrapped(target: Any, function: Callable[..., Any]) -> Any:
    if isinstance(target, property):
        return property(_calling(function, target.fget), target.fset, target.fdel)
    if isinstance(target, staticmethod):
        return staticmethod(_calling(function, target.__func__))
    if isinstance(target, classmethod):
        return classmethod(_calling(function, target.__func__))
    return _calling(function, target)


def _calling(function: Callable[..., Any], original: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(original, *args, **kwargs)

    return call
