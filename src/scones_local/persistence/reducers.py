"""How those records are saved that pickle cannot save, or should not save whole."""

import copyreg
import functools
import hashlib
import threading
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scones_local.persistence import rebuild
from scones_local.persistence.objects import Shards, last_change
from scones_local.persistence.past import PastEvents

# A smaller body costs less in the records than as a file of its own.
MIN_BLOB_BYTES = 512
# How many entries of a list that only grows are pickled at once, for good.
CHUNK = 1000
Reduced = tuple[Any, ...] | None


class Blob:
    """Stands in the records for a body that is kept as a file under its SHA-256."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.blob, (self.digest,)


class Pickled(Blob):
    """Stands for a value that is pickled in a file of its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.pickled, (self.digest,)


class Blobs:
    """The bodies of one snapshot: those to write, and the digests of all.

    A body is made again only when its mark has changed: what is cheap to look at and changes
    with it. `dump` pickles a value for a body; other bodies may be within.
    """

    def __init__(self, dump: Callable[[Any], bytes]) -> None:
        self.dump = dump
        self.new: dict[str, bytes] = {}
        self.used: set[str] = set()
        self.stored: set[str] = set()
        self._known: weakref.WeakKeyDictionary[Any, dict[Any, _Known]] = weakref.WeakKeyDictionary()

    def start(self) -> None:
        """Begin a snapshot."""
        self.new, self.used = {}, set()

    def of(self, owner: Any, part: Any, mark: Any, read: Callable[[], bytes]) -> Blob:
        """Return the stand-in for a part of an object, as of that mark."""
        parts = self._known.setdefault(owner, {})
        known = parts.get(part)
        if known is None or known.mark != mark or not self._has(known):
            known = parts[part] = self._read(mark, read)
        self.used |= known.digests
        return Blob(known.digest)

    def pickled(self, owner: Any, part: Any, mark: Any, read: Callable[[], Any]) -> Pickled:
        """Return the stand-in for a value that is pickled on its own."""
        return Pickled(self.of(owner, part, mark, lambda: self.dump(read())).digest)

    def _has(self, known: "_Known") -> bool:
        """Return whether a body will be on disk, as it is not after a save that failed."""
        return known.digest in self.stored or known.digest in self.new

    def _read(self, mark: Any, read: Callable[[], bytes]) -> "_Known":
        outer, self.used = self.used, set()
        try:
            body = read()
            digest = hashlib.sha256(body).hexdigest()
            if digest not in self.stored:
                self.new[digest] = body
            return _Known(mark, digest, frozenset({digest, *self.used}))
        finally:
            self.used = outer


@dataclass(frozen=True, slots=True)
class _Known:
    """A body's mark and digest, and the digests of it and of the bodies within."""

    mark: Any
    digest: str
    digests: frozenset[str]


Reducer = Callable[[Any, Blobs], Reduced]


def reducer_of(kind: type) -> Reducer | None:
    """Return what reduces values of a class, None where pickle knows how."""
    for base in kind.__mro__:
        if (found := _REDUCERS.get(f"{base.__module__}.{base.__qualname__}")) is not None:
            return found
    return _private_key if hasattr(kind, "private_bytes") else None


def _backend(value: Any, blobs: Blobs) -> Reduced:
    del blobs
    kind = type(value)
    return rebuild.backend, (kind.__module__, kind.__name__, value.account_id, value.region_name)


def _made_of(value: Any, state: dict[str, Any]) -> tuple[Any, ...]:
    return copyreg.__newobj__, (type(value),), state  # type: ignore[attr-defined]


def _s3_object(key: Any, blobs: Blobs) -> Reduced:
    state = key.__dict__.copy()
    buffer = state.pop("_value_buffer")
    state.pop("lock")
    if buffer.closed:  # it was deleted, and is still in a list of moto's
        state["value"] = b""
    elif key.contentsize < MIN_BLOB_BYTES:
        state["value"] = key.value
    else:
        mark = (id(buffer), key.contentsize, key._etag)
        state["value"] = blobs.of(key, "value", mark, lambda: bytes(key.value))
    return _made_of(key, state)


def _s3_objects(store: Any, blobs: Blobs) -> Reduced:
    shards = Shards.of(store)
    found = tuple(
        blobs.pickled(
            shards, number, last_change(number), functools.partial(shards.entries, store, number)
        )
        for number, names in enumerate(shards.names)
        if names
    )
    return rebuild.s3_objects, (found,)


def _code(owner: Any, blobs: Blobs) -> Reduced:
    """Reduce a function or layer: its package is there as bytes, and as it was sent."""
    state = owner.__dict__.copy()
    for holder in ("code", "content"):
        if "ZipFile" in (state.get(holder) or {}):
            state[holder] = {**state[holder], "ZipFile": _body(owner, holder, state[holder], blobs)}
    if "code_bytes" in state:
        state["code_bytes"] = _bytes(owner, "code_bytes", state["code_bytes"], blobs)
    return _made_of(owner, state)


def _body(owner: Any, part: str, holder: dict[str, Any], blobs: Blobs) -> Any:
    sent = holder["ZipFile"]
    if isinstance(sent, str):
        encoded = sent.encode()
        return _Text(_bytes(owner, part, encoded, blobs))
    return _bytes(owner, part, sent, blobs)


def _bytes(owner: Any, part: str, body: bytes, blobs: Blobs) -> Any:
    # The hash of bytes is computed once for each object.
    return blobs.of(owner, part, (hash(body), len(body)), lambda: body)


class _Text:
    def __init__(self, body: Any) -> None:
        self.body = body

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.text, (self.body,)


def _log_stream(stream: Any, blobs: Blobs) -> Reduced:
    return _made_of(stream, {**stream.__dict__, "events": Chunks(stream, stream.events, blobs)})


class Chunks:
    """Stands for a list that only grows: whole chunks are pickled once, the rest each time."""

    def __init__(self, owner: Any, items: list[Any], blobs: Blobs) -> None:
        whole = len(items) // CHUNK * CHUNK
        starts = range(0, whole, CHUNK)
        self.chunks = tuple(self._chunk(owner, items[i : i + CHUNK], i, blobs) for i in starts)
        self.rest = items[whole:]

    @staticmethod
    def _chunk(owner: Any, items: list[Any], start: int, blobs: Blobs) -> Pickled:
        first, last = items[0], items[-1]
        mark = (id(first), id(last), first.timestamp, last.timestamp)
        return blobs.pickled(owner, ("chunk", start), mark, lambda: items)

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.joined, (self.chunks, self.rest)


def _aws_policy(policy: Any, blobs: Blobs) -> Reduced:
    del blobs
    count = policy.attachment_count
    return rebuild.aws_policy, (policy.account_id, policy.partition, policy.arn, count)


def _private_key(key: Any, blobs: Blobs) -> Reduced:
    del blobs
    from cryptography.hazmat.primitives import serialization as form

    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return rebuild.private_key, (pem,)


def _execution(execution: Any, blobs: Blobs) -> Reduced:
    state = {**execution.__dict__, "_cloud_watch_logging_session": None}
    if state.get("exec_worker") is not None:
        state["exec_worker"] = _Past(execution, blobs)
    return _made_of(execution, state)


class _Past:
    """Stands for an execution's interpreter: of an ended one only the history is left."""

    def __init__(self, execution: Any, blobs: Blobs) -> None:
        env = execution.exec_worker.env
        self.runs = env.map_run_record_pool_manager if env is not None else None
        events = env.event_manager if env is not None else None
        if isinstance(events, PastEvents):
            self.history: Any = _bytes(events, "history", events.pickled, blobs)
        elif events is None or execution.stop_date is None:
            self.history = blobs.dump(list(events._history_event_list) if events else [])
        else:
            listed = events._history_event_list
            self.history = blobs.of(
                events, "history", len(listed), lambda: blobs.dump(list(listed))
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.past_worker, (self.history, self.runs)


def _nothing(value: Any, blobs: Blobs) -> Reduced:
    del value, blobs
    return rebuild.nothing, ()


def _event(event: Any, blobs: Blobs) -> Reduced:
    del blobs
    return rebuild.event, (event.is_set(),)


def _condition(condition: Any, blobs: Blobs) -> Reduced:
    del condition, blobs
    return rebuild.condition, ()


def _lock(lock: Any, blobs: Blobs) -> Reduced:
    del lock, blobs
    return rebuild.lock, ()


def _rlock(lock: Any, blobs: Blobs) -> Reduced:
    del lock, blobs
    return rebuild.rlock, ()


def _weak_values(values: Any, blobs: Blobs) -> Reduced:
    del blobs
    return rebuild.weak_values, (dict(values.items()),)


def _pattern(pattern: Any, blobs: Blobs) -> Reduced:
    del blobs
    return rebuild.pattern, (pattern.pattern, pattern.flags)


def _function(function: Any, blobs: Blobs) -> Reduced:
    """Reduce a function that has no name of its own; the others are left to pickle."""
    del blobs
    if "<" not in function.__qualname__:
        return None
    return rebuild.nested_function, rebuild.place_of(function)


_REDUCERS: dict[str, Reducer] = {
    "moto.core.base_backend.BaseBackend": _backend,
    "moto.s3.models.FakeKey": _s3_object,
    "moto.s3.utils._VersionedKeyStore": _s3_objects,
    "moto.awslambda.models.LambdaFunction": _code,
    "moto.awslambda.models.LayerVersion": _code,
    "moto.logs.models.LogStream": _log_stream,
    "moto.iam.models.AWSManagedPolicy": _aws_policy,
    "moto.stepfunctions.parser.backend.execution.Execution": _execution,
    "threading.Thread": _nothing,
    "threading.Event": _event,
    "threading.Condition": _condition,
    "re.Pattern": _pattern,
    "weakref.WeakValueDictionary": _weak_values,
    **{
        f"{kind.__module__}.{kind.__qualname__}": reducer
        for kind, reducer in (
            (types.FunctionType, _function),
            (type(threading.Lock()), _lock),
            (type(threading.RLock()), _rlock),
        )
    },
}
