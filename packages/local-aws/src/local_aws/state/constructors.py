"""The functions that saved state may call when it is loaded. None does more than make a value."""

import enum
import importlib
import re
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from local_aws.core.open_services import SERVICES, service_of
from local_aws.errors import LocalAwsError

_Constructor = TypeVar("_Constructor", bound=Callable[..., Any])
# A backend may refer to one of a service that is not open, as scaling does to ECS.
_MODELS = re.compile(r"moto(\.[a-z0-9_]+)+\.models")
CONSTRUCTORS: dict[str, Callable[..., Any]] = {}


class StateUnreadable(LocalAwsError):
    """Saved state that is not what this program wrote, or a record that could not be loaded."""


def constructor(function: _Constructor) -> _Constructor:
    """Have saved state call the function by its name."""
    CONSTRUCTORS[function.__name__] = function
    return function


@constructor
def lock() -> Any:
    """Return a new lock that nobody holds."""
    return threading.Lock()


@constructor
def rlock() -> Any:
    """Return a new reentrant lock that nobody holds."""
    return threading.RLock()


@constructor
def condition() -> Any:
    """Return a new condition that nobody waits for."""
    return threading.Condition()


@constructor
def event(is_set: bool) -> Any:
    """Return a new event, set or not."""
    made = threading.Event()
    if is_set:
        made.set()
    return made


@constructor
def nothing() -> None:
    """Return None, for what does not outlive a process."""


@constructor
def blob(digest: str) -> bytes:
    """Stand for the loader's own function, which returns a body by its digest."""
    raise NotImplementedError(digest)


@constructor
def pickled(digest: str) -> Any:
    """Stand for the loader's own function, which returns what a body is the pickle of."""
    raise NotImplementedError(digest)


@constructor
def text(body: bytes) -> str:
    """Return a body as text."""
    return body.decode()


@constructor
def joined(chunks: tuple[list[Any], ...], rest: list[Any]) -> list[Any]:
    """Return the list that was cut into chunks and a rest."""
    return [*(item for chunk in chunks for item in chunk), *rest]


@constructor
def by_arn(chunks: tuple[list[Any], ...]) -> dict[str, Any]:
    """Return the executions of some chunks by their ARNs."""
    return {execution.exec_arn: execution for chunk in chunks for execution in chunk}


@constructor
def pattern(source: str | bytes, flags: int) -> Any:
    """Return a compiled regular expression."""
    return re.compile(source, flags)


@constructor
def weak_values(items: dict[Any, Any]) -> Any:
    """Return a dictionary that does not hold its values."""
    made: Any = weakref.WeakValueDictionary()
    made.update(items)
    return made


@constructor
def private_key(pem: bytes) -> Any:
    """Return a private key of its PEM."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem, None)


def backends_of(module: str, name: str) -> Any:
    """Return moto's dictionary of a backend class's instances."""
    from moto.core.base_backend import BackendDict

    if not _MODELS.fullmatch(module):
        raise StateUnreadable(f"it names {module}, which has no backends of moto's")
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, BackendDict) and value.backend.__name__ == name:
            return value
    raise StateUnreadable(f"moto has no backend {module}.{name}")


@constructor
def backend(module: str, name: str, account_id: str, region: str) -> Any:
    """Return the live backend of that class, account and region."""
    return backends_of(module, name)[account_id][region]


@constructor
def aws_policy(account_id: str, partition: str, arn: str, attachments: int) -> Any:
    """Return the policy that AWS manages, with the number of its attachments."""
    from moto.iam.models import iam_backends

    policy = iam_backends[account_id][partition].managed_policies[arn]
    policy.attachment_count = attachments
    return policy


def place_of(function: types.FunctionType) -> tuple[str, str, int]:
    """Return where a function stands that has no name of its own, as `nested_function` takes it."""
    return function.__module__, function.__qualname__, function.__code__.co_firstlineno


@constructor
def nested_function(module: str, qualname: str, line: int) -> Any:
    """Return a function that stands within another one of moto's or this package's.

    A `defaultdict` has such a one as its factory; no other function is made.
    """
    if not module.startswith("moto.") or service_of(module) not in {*SERVICES, "core", "utilities"}:
        raise StateUnreadable(f"it names a function of {module}")
    owner: Any = importlib.import_module(module)
    for part in qualname.split(".<locals>", maxsplit=1)[0].split("."):
        owner = getattr(owner, part)
    code = _code(owner.__code__, qualname, line)
    check_factory(code)
    return types.FunctionType(code, vars(importlib.import_module(module)))


def _code(outer: types.CodeType, qualname: str, line: int) -> types.CodeType:
    for constant in outer.co_consts:
        if isinstance(constant, types.CodeType):
            if (constant.co_qualname, constant.co_firstlineno) == (qualname, line):
                return constant
            if qualname.startswith(f"{constant.co_qualname}."):
                return _code(constant, qualname, line)
    raise StateUnreadable(f"{qualname} is not there any more")


# Factories of dictionaries in moto, such as `lambda: defaultdict(dict)`.
_FACTORY_NAMES = frozenset({"defaultdict", "dict", "list", "set", "OrderedDict", "int", "str"})


def check_factory(function: types.FunctionType | types.CodeType) -> None:
    """Raise StateUnreadable unless a function without a name only makes an empty value."""
    code = function if isinstance(function, types.CodeType) else function.__code__
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    harmless = (
        code.co_name == "<lambda>"
        and code.co_argcount == 0
        and not code.co_freevars
        and _FACTORY_NAMES.issuperset(code.co_names)
    )
    if not harmless:
        raise StateUnreadable(f"it names the function {code.co_qualname}")
    for inner in nested:
        check_factory(inner)


@constructor
def enum_member(kind: Any, name: str) -> Any:
    """Return a member of an enumeration by its name.

    Earlier states have the built-in `getattr` in its place. Raises StateUnreadable for an
    attribute of anything else.
    """
    kind = vars(kind).get("kind", kind) if isinstance(kind, type) else kind
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        raise StateUnreadable("it reads an attribute of what is no enumeration")
    return kind[name]
