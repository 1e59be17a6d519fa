"""The functions that saved state may call when it is loaded. None does more than make a value."""

import importlib
import re
import threading
import types
import weakref
from typing import Any

__all__ = [
    "aws_policy",
    "backend",
    "blob",
    "by_arn",
    "condition",
    "event",
    "joined",
    "lock",
    "nested_function",
    "nothing",
    "past_worker",
    "pattern",
    "pickled",
    "private_key",
    "rlock",
    "s3_objects",
    "text",
    "weak_values",
]


def lock() -> Any:
    """Return a new lock that nobody holds."""
    return threading.Lock()


def rlock() -> Any:
    """Return a new reentrant lock that nobody holds."""
    return threading.RLock()


def condition() -> Any:
    """Return a new condition that nobody waits for."""
    return threading.Condition()


def event(is_set: bool) -> Any:
    """Return a new event, set or not."""
    made = threading.Event()
    if is_set:
        made.set()
    return made


def nothing() -> None:
    """Return None, for what does not outlive a process."""


def blob(digest: str) -> bytes:
    """Stand for the loader's own function, which returns a body by its digest."""
    raise NotImplementedError(digest)


def pickled(digest: str) -> Any:
    """Stand for the loader's own function, which returns what a body is the pickle of."""
    raise NotImplementedError(digest)


def text(body: bytes) -> str:
    """Return a body as text."""
    return body.decode()


def joined(chunks: tuple[list[Any], ...], rest: list[Any]) -> list[Any]:
    """Return the list that was cut into chunks and a rest."""
    return [*(item for chunk in chunks for item in chunk), *rest]


def by_arn(chunks: tuple[list[Any], ...]) -> dict[str, Any]:
    """Return the executions of some chunks by their ARNs."""
    return {execution.exec_arn: execution for chunk in chunks for execution in chunk}


def s3_objects(shards: tuple[list[tuple[str, list[Any]]], ...]) -> Any:
    """Return a bucket's objects from its shards: each a list of names with their versions."""
    from moto.s3.utils import _VersionedKeyStore

    made: Any = _VersionedKeyStore()
    for shard in shards:
        for name, versions in shard:
            made.setlist(name, versions)
    return made


def past_worker(history: bytes, runs: Any) -> Any:
    """Return what stands for an execution's interpreter; `history` is its events, pickled."""
    from local_aws.state.restored_executions import PastWorker

    return PastWorker(history, _no_runs() if runs is None else runs)


def _no_runs() -> Any:
    from moto.stepfunctions.parser.asl.eval import environment

    manager: Any = vars(environment)["MapRunRecordPoolManager"]
    return manager()


def pattern(source: str | bytes, flags: int) -> Any:
    """Return a compiled regular expression."""
    return re.compile(source, flags)


def weak_values(items: dict[Any, Any]) -> Any:
    """Return a dictionary that does not hold its values."""
    made: Any = weakref.WeakValueDictionary()
    made.update(items)
    return made


def private_key(pem: bytes) -> Any:
    """Return a private key of its PEM."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem, None)


def backends_of(module: str, name: str) -> Any:
    """Return moto's dictionary of a backend class's instances."""
    from moto.core.base_backend import BackendDict

    if not module.startswith("moto."):
        raise ValueError(f"{module} is not moto's")
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, BackendDict) and value.backend.__name__ == name:
            return value
    raise ValueError(f"moto has no backend {module}.{name}")


def backend(module: str, name: str, account_id: str, region: str) -> Any:
    """Return the live backend of that class, account and region."""
    return backends_of(module, name)[account_id][region]


def aws_policy(account_id: str, partition: str, arn: str, attachments: int) -> Any:
    """Return the policy that AWS manages, with the number of its attachments."""
    from moto.iam.models import iam_backends

    policy = iam_backends[account_id][partition].managed_policies[arn]
    policy.attachment_count = attachments
    return policy


def place_of(function: types.FunctionType) -> tuple[str, str, int]:
    """Return where a function stands that has no name of its own, as `nested_function` takes it."""
    return function.__module__, function.__qualname__, function.__code__.co_firstlineno


def nested_function(module: str, qualname: str, line: int) -> Any:
    """Return a function that stands within another one of moto's or this package's.

    A `defaultdict` has such a one as its factory. One with a closure cannot be made anew.
    """
    if not module.startswith(("moto.", "local_aws.")):
        raise ValueError(f"{module} is no module of a record")
    owner: Any = importlib.import_module(module)
    for part in qualname.split(".<locals>", maxsplit=1)[0].split("."):
        owner = getattr(owner, part)
    code = _code(owner.__code__, qualname, line)
    return types.FunctionType(code, vars(importlib.import_module(module)))


def _code(outer: types.CodeType, qualname: str, line: int) -> types.CodeType:
    for constant in outer.co_consts:
        if isinstance(constant, types.CodeType):
            if (constant.co_qualname, constant.co_firstlineno) == (qualname, line):
                return constant
            if qualname.startswith(f"{constant.co_qualname}."):
                return _code(constant, qualname, line)
    raise ValueError(f"{qualname} is not there any more")
