"""How those records are saved that pickle cannot save, or should not save whole: by class."""

import enum
import threading
import types
from typing import Any

from local_aws.state import (
    constructors,
    executions,
    queue_messages,
    s3_objects,
    table_items,
    work_queues,
)
from local_aws.state.blobs import Blobs, Pickled, Reduced, Reducer, made_of

# How many entries are pickled at once, for good.
CHUNK = 1000
# So many of the rest are cheaper in the records than as a file of their own.
_FEW = 20


def log_group(group: Any, blobs: Blobs) -> Reduced:
    """Reduce a log group of moto's; what is in its streams is saved now and then."""
    streams = blobs.periodic(group, "streams", group.streams)
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


def package(owner: Any, blobs: Blobs) -> Reduced:
    """Reduce a function or layer of moto's."""
    state = owner.__dict__.copy()
    for holder in ("code", "content"):
        if "ZipFile" in (state.get(holder) or {}):
            state[holder] = {**state[holder], "ZipFile": _sent(owner, holder, state[holder], blobs)}
    if "code_bytes" in state:
        state["code_bytes"] = _bytes(owner, "code_bytes", state["code_bytes"], blobs)
    return made_of(owner, state)


def _sent(owner: Any, part: str, holder: dict[str, Any], blobs: Blobs) -> Any:
    sent = holder["ZipFile"]
    if isinstance(sent, str):
        # Text has its hash as well; encoding it for each save would cost more than the save.
        return _Text(blobs.of(owner, part, (hash(sent), len(sent)), sent.encode))
    return _bytes(owner, part, sent, blobs)


def _bytes(owner: Any, part: str, body: bytes, blobs: Blobs) -> Any:
    # The hash of bytes is computed once for each object.
    return blobs.of(owner, part, (hash(body), len(body)), lambda: body)


class _Text:
    """Stands for a body that is text."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def __reduce__(self) -> tuple[Any, ...]:
        return constructors.text, (self.body,)


def nothing(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a thread: it does not outlive its process."""
    del value, blobs
    return constructors.nothing, ()


def event(value: Any, blobs: Blobs) -> Reduced:
    """Reduce an event, set or not."""
    del blobs
    return constructors.event, (value.is_set(),)


def condition(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a condition: nobody waits for it any more."""
    del value, blobs
    return constructors.condition, ()


def lock(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a lock: nobody holds it any more."""
    del value, blobs
    return constructors.lock, ()


def rlock(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a reentrant lock: nobody holds it any more."""
    del value, blobs
    return constructors.rlock, ()


def weak_values(values: Any, blobs: Blobs) -> Reduced:
    """Reduce a dictionary that does not hold its values."""
    del blobs
    return constructors.weak_values, (dict(values.items()),)


def pattern(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a compiled regular expression."""
    del blobs
    return constructors.pattern, (value.pattern, value.flags)


def function(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a function that has no name of its own; the others are left to pickle."""
    del blobs
    if "<" not in value.__qualname__:
        return None
    constructors.check_factory(value)
    return constructors.nested_function, constructors.place_of(value)


def enum_member(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a member of an enumeration to its name."""
    del blobs
    return constructors.enum_member, (type(value), value.name)


def private_key(key: Any, blobs: Blobs) -> Reduced:
    """Reduce a private key to its PEM."""
    del blobs
    from cryptography.hazmat.primitives import serialization as form

    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return constructors.private_key, (pem,)


def reducer_of(kind: type) -> Reducer | None:
    """Return what reduces values of a class, None where pickle knows how."""
    if issubclass(kind, enum.Enum):
        return enum_member
    for base in kind.__mro__:
        if (found := _REDUCERS.get(_name(base))) is not None:
            return found
    return private_key if hasattr(kind, "private_bytes") else None


def _backend(value: Any, blobs: Blobs) -> Reduced:
    """Reduce one backend's mention of another to its place."""
    del blobs
    kind = type(value)
    return constructors.backend, (
        kind.__module__,
        kind.__name__,
        value.account_id,
        value.region_name,
    )


def _aws_policy(policy: Any, blobs: Blobs) -> Reduced:
    del blobs
    count = policy.attachment_count
    return constructors.aws_policy, (policy.account_id, policy.partition, policy.arn, count)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# By name, so that nothing of moto is imported before it is needed.
_REDUCERS: dict[str, Reducer] = {
    "moto.core.base_backend.BaseBackend": _backend,
    "moto.s3.models.FakeKey": s3_objects.s3_object,
    "moto.s3.models.FakeMultipart": s3_objects.upload,
    "moto.s3.utils._VersionedKeyStore": s3_objects.bucket,
    "moto.awslambda.models.LambdaFunction": package,
    "moto.awslambda.models.LayerVersion": package,
    "moto.logs.models.LogGroup": log_group,
    "moto.logs.models.LogStream": log_stream,
    "moto.dynamodb.models.table.Table": table_items.table,
    "moto.iam.models.AWSManagedPolicy": _aws_policy,
    "moto.sqs.models.Queue": queue_messages.queue,
    "moto.stepfunctions.models.StateMachine": executions.state_machine,
    "moto.stepfunctions.parser.backend.execution.Execution": executions.execution,
    "moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor"
    ".map_run_record.MapRunRecord": executions.map_run,
    "local_aws.core.work_queue.WorkQueue": work_queues.work_queue,
    "threading.Thread": nothing,
    "threading.Event": event,
    "threading.Condition": condition,
    "re.Pattern": pattern,
    "weakref.WeakValueDictionary": weak_values,
    _name(types.FunctionType): function,
    _name(type(threading.Lock())): lock,
    _name(type(threading.RLock())): rlock,
}
