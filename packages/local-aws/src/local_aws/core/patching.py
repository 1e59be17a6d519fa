"""Patches of moto: each replaces or adds one attribute, and says which fault it takes away.

A module declares its patches at its top level:

    @patch("moto.s3.models.S3Backend.put_object", why="keeps no checksum")
    def put_object(original, self, *args, **kwargs): ...

Importing the module declares them; `apply_patches` puts them into moto, in the order of their
declaration. A patch is refused when its target does not exist, when what it adds exists already,
or when moto is not the pinned version. So an upgrade of moto fails at start, naming the symbol.
"""

import functools
import importlib
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
class Patch:
    """One changed symbol of moto: what was wrong with it, in which version.

    `upstream` is the address of moto's issue where there is one.
    """

    symbol: str
    why: str
    upstream: str = ""
    moto_version: str = MOTO_VERSION
    # Which module of this package changes it.
    module: str = ""


_declared: list[Callable[[], None]] = []
_applied: list[Patch] = []


def patches() -> tuple[Patch, ...]:
    """Return the patches that were applied so far, in their order."""
    return tuple(_applied)


def require_moto(found: str | None = None) -> None:
    """Raise LocalAwsError unless the installed moto is the one that the patches were made for."""
    found = version("moto") if found is None else found
    if found != MOTO_VERSION:
        raise LocalAwsError(
            f"The embedded AWS patches moto {MOTO_VERSION}, but {found} is installed; "
            f"install moto=={MOTO_VERSION}."
        )


def patch(target: str, *, why: str, upstream: str = "") -> Callable[[_Wrapper], _Wrapper]:
    """Return a decorator that declares its function as the new `target`, a dotted name in moto.

    The function gets the original as its first argument, then what the original gets. A
    property, a class method and a static method each stay one.
    """

    def decorate(function: _Wrapper) -> _Wrapper:
        def apply() -> None:
            owner, name = _resolve(target)
            original = _existing(owner, name)
            _set(owner, name, _wrapped(original, function), why, upstream, by=function)

        _declared.append(apply)
        return function

    return decorate


def add(target: str, *, why: str, upstream: str = "") -> Callable[[_Function], _Function]:
    """Return a decorator that declares its function, or property, as an addition to moto."""

    def decorate(function: _Function) -> _Function:
        def apply() -> None:
            owner, name = _resolve(target)
            _refuse_existing(owner, name)
            _set(owner, name, function, why, upstream, by=function)

        _declared.append(apply)
        return function

    return decorate


def set_value(target: str, value: Any, *, why: str, upstream: str = "") -> None:
    """Declare any value as the new `target`."""

    def apply() -> None:
        owner, name = _resolve(target)
        _existing(owner, name)
        _set(owner, name, value, why, upstream, by=value)

    _declared.append(apply)


def apply_patches() -> None:
    """Put the declared patches that are not applied yet into moto.

    Raises LocalAwsError when a target does not exist, or exists where one is to be added.
    """
    while _declared:
        _declared.pop(0)()


def wrap(owner: Any, name: str, *, fault: str) -> Callable[[_Wrapper], _Wrapper]:
    """Return a decorator that puts its function in the place of `owner.name` at once.

    For what can only be known while the server starts; else use `patch`.
    """
    target = _existing(owner, name)

    def decorate(function: _Wrapper) -> _Wrapper:
        _set(owner, name, _wrapped(target, function), fault, by=function)
        return function

    return decorate


def implement(owner: Any, name: str, *, fault: str) -> Callable[[_Function], _Function]:
    """Return a decorator that adds its function, or property, to moto as `owner.name` at once.

    For what can only be known while the server starts; else use `add`.
    """
    _refuse_existing(owner, name)

    def decorate(function: _Function) -> _Function:
        _set(owner, name, function, fault, by=function)
        return function

    return decorate


def replace(owner: Any, name: str, value: Any, *, fault: str) -> None:
    """Put any value in the place of `owner.name` at once; else use `set_value`."""
    _existing(owner, name)
    _set(owner, name, value, fault, by=value)


def _resolve(target: str) -> tuple[Any, str]:
    """Return the class or module that owns a dotted name, and the name's last part."""
    path, _, name = target.rpartition(".")
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            # A module of moto's that misses one of its own dependencies is another fault.
            if error.name is None or not path.startswith(error.name):
                raise
            continue
        try:
            for part in parts[end:]:
                owner = getattr(owner, part)
        except AttributeError:
            break
        return owner, name
    raise LocalAwsError(f"moto has no {path} any more, so it cannot be patched.")


def _existing(owner: Any, name: str) -> Any:
    found = inspect.getattr_static(owner, name, _MISSING)
    if found is _MISSING:
        raise LocalAwsError(
            f"moto has no {_symbol(owner, name)} any more, so it cannot be patched."
        )
    return found


def _refuse_existing(owner: Any, name: str) -> None:
    if inspect.getattr_static(owner, name, _MISSING) is not _MISSING:
        raise LocalAwsError(f"moto has {_symbol(owner, name)} by now; remove its patch.")


def _set(
    owner: Any, name: str, value: Any, why: str, upstream: str = "", *, by: Any = None
) -> None:
    setattr(owner, name, value)
    module = getattr(by, "__module__", "") or getattr(getattr(by, "fget", None), "__module__", "")
    _applied.append(Patch(_symbol(owner, name), why, upstream, module=module or ""))


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
