"""Chains of requests: what led to an invocation or an execution, so that a loop comes to an end.

A chain goes from one to the next in the trace header, as on AWS: functions send it with each call
of their SDK, messages keep it, services hand it on. It says how often each function and state
machine has run so far.

Lambda stops a function that one chain has invoked 16 times by way of SQS, SNS, S3 or itself:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
Of other loops, as of a rule that starts the state machine whose events it listens to, AWS stops
none, and bills them. Here they would fill the host, so a chain that comes back to the same
function or state machine goes on only as fast as a slow one: beyond `MAX_REPEATS` times, once a
second of the clock on average. A state machine that starts itself again every few minutes, to keep
its history short, is not held up, nor is a function that starts the execution whose Map invokes it
for thousands of items: it came back once, if many times at once.
"""

import contextlib
import hashlib
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self

from local_aws.core import clock
from local_aws.core.admin_api import Wsgi

MAX_INVOCATIONS = 16
MAX_REPEATS = 1_000
_ONCE_FACTOR = 100
_MAX_KNOWN = 10_000
_MAX_NAMES = 50
_MAX_HEADER_CHARACTERS = 4_096
_ROOT = re.compile(r"1-([0-9a-f]{8})-[0-9a-f]{24}")
_COUNT = re.compile(r"([0-9a-f]{8}):([0-9]{1,6})")
_current: ContextVar[str] = ContextVar("chain", default="")


class LoopFound(Exception):
    """A chain that came back to the same function or state machine too often."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What led to a request: how often each function and state machine has run.

    `lineage` counts functions as Lambda does, `passed` all, whatever led from one to the other.
    """

    root: str
    lineage: Mapping[str, int] = field(default_factory=dict)
    passed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, header: str) -> Self:
        """Return the chain of a trace header; a new one where it has none."""
        parts = dict(part.partition("=")[::2] for part in header.split(";"))
        root = parts.get("Root", "")
        if not _ROOT.fullmatch(root):
            at = int(clock.now().timestamp())
            return cls(f"1-{at:08x}-{uuid.uuid4().hex[:24]}")
        return cls(root, _counts(parts.get("Lineage", "")), _counts(parts.get("Passed", "")))

    def header(self) -> str:
        """Return the chain as a trace header."""
        lineage, passed = _text(self.lineage), _text(self.passed)
        return (
            f"Root={self.root};Sampled=0"
            f"{f';Lineage={lineage}' if lineage else ''}{f';Passed={passed}' if passed else ''}"
        )


class Loops:
    """How often chains came back to where they had been. Thread-safe."""

    def __init__(self, max_repeats: int = MAX_REPEATS) -> None:
        self._max_repeats = max_repeats
        self._lock = threading.Lock()
        self._repeats: OrderedDict[tuple[str, str], int] = OrderedDict()

    def note(self, root: str, name: str, before: int) -> None:
        """Count that a chain came back to a function or state machine where it was `before` times.

        Raises LoopFound where that is too often and too fast.
        """
        limit = self._max_repeats * (_ONCE_FACTOR if before == 1 else 1)
        with self._lock:
            count = self._repeats.pop((root, name), 0) + 1
            age = clock.now().timestamp() - int(root[2:10], 16)
            is_loop = count > max(limit, age)
            self._repeats[root, name] = count - is_loop
            while len(self._repeats) > _MAX_KNOWN:
                self._repeats.popitem(last=False)
        if is_loop:
            raise LoopFound


_LOOPS = Loops()


def current() -> str:
    """Return the trace header of what this thread works on, "" where nothing led to it."""
    return _current.get()


@contextlib.contextmanager
def following(header: str) -> Iterator[None]:
    """Have what this thread does follow from that."""
    token = _current.set(header)
    try:
        yield
    finally:
        _current.reset(token)


def follow_requests(application: Wsgi) -> Wsgi:
    """Return the application; what it does follows from what a request's header says."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with following(environ.get("HTTP_X_AMZN_TRACE_ID", "")[:_MAX_HEADER_CHARACTERS]):
            return application(environ, start_response)

    return answer


def send_along(client: Any) -> None:
    """Have a client of boto3 send the chain with each call."""

    def add_header(params: dict[str, Any], **_: Any) -> None:
        if header := current():
            params["headers"]["X-Amzn-Trace-Id"] = header

    client.meta.events.register_first("before-call", add_header)


def without_lineage(header: str) -> str:
    """Return a chain after a service that Lambda does not see loops through."""
    if not header:
        return ""
    chain = Chain.parse(header)
    return Chain(chain.root, passed=chain.passed).header()


def invocations(header: str, function_arn: str) -> int:
    """Return how often Lambda saw a chain invoke a function."""
    return Chain.parse(header).lineage.get(_name(function_arn), 0)


def invoked(header: str, function_arn: str, *, allowed: bool = False) -> str:
    """Return the chain of an invocation; raises LoopFound unless loops are allowed."""
    chain, name = Chain.parse(header), _name(function_arn)
    if not allowed and chain.lineage.get(name, 0) >= MAX_INVOCATIONS:
        raise LoopFound
    if not allowed and name in chain.passed:
        _LOOPS.note(chain.root, name, chain.passed[name])
    return Chain(chain.root, _added(chain.lineage, name), _added(chain.passed, name)).header()


def started(header: str, state_machine_arn: str) -> str:
    """Return the chain of an execution; raises LoopFound."""
    chain, name = Chain.parse(header), _name(state_machine_arn)
    if name in chain.passed:
        _LOOPS.note(chain.root, name, chain.passed[name])
    return Chain(chain.root, passed=_added(chain.passed, name)).header()


def _name(arn: str) -> str:
    """Return what a function or state machine is called in a chain, in all its versions."""
    return hashlib.sha256(":".join(arn.split(":")[:7]).encode()).hexdigest()[:8]


def _counts(text: str) -> dict[str, int]:
    return {name: int(count) for name, count in _COUNT.findall(text)}


def _added(counts: Mapping[str, int], name: str) -> dict[str, int]:
    """Return the counts with one more; those of long ago go first."""
    others = [item for item in counts.items() if item[0] != name][1 - _MAX_NAMES :]
    return dict([*others, (name, counts.get(name, 0) + 1)])


def _text(counts: Mapping[str, int]) -> str:
    return ",".join(f"{name}:{count}" for name, count in counts.items())
