"""JSONata as Step Functions has it: the language, AWS's own functions, and its limits.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import functools
import hashlib
import json
import random
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from jsonata import Jsonata
from jsonata.jexception import JException

from local_aws.core.bounded_calls import BoundedCalls, TooCostly
from local_aws.errors import LocalAwsError
from local_aws.stepfunctions.query_language.bounded_expressions import is_bounded

# The library raises it for the whole process, where data that is nested so deeply overflows the
# stack of a thread. An expression that needs more runs in a process that has more.
sys.setrecursionlimit(1_000)
# An expression that runs away is stopped. AWS does not say when it does that; its depth was
# measured (floci-io/floci#2737).
_SECONDS = 10.0
_DEPTH = 100
_evaluated_elsewhere = BoundedCalls(f"{__name__}:evaluated", _SECONDS)
_MAX_IN_RANGE = 1_000
# The library raises what Python raises for a number that is none, or a division by zero.
_FAULTS = (JException, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
# https://docs.oracle.com/javase/8/docs/api/java/util/Random.html
_JAVA_FACTOR, _JAVA_MASK = 0x5DEECE66D, (1 << 48) - 1
_HASHES = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


class QueryFailed(LocalAwsError):
    """An expression has no value; the message is the cause of States.QueryEvaluationError."""


def evaluate(expression: str, bindings: Mapping[str, Any]) -> Any:
    """Return an expression's value as plain JSON; `bindings` are variables without their `$`.

    Raises QueryFailed where it is none of JSONata, where it fails, where it takes too much time or
    memory, and where it has no value or one that JSON has not.
    """
    try:
        bounded = is_bounded(expression, _parsed(expression).ast)
    except _FAULTS as error:
        raise _failed(expression, error) from error
    if bounded:
        return evaluated(expression, bindings)
    try:
        return _evaluated_elsewhere(expression, bindings)
    except TooCostly as error:
        raise _failed(expression, error) from error
    except LocalAwsError as error:
        raise QueryFailed(str(error)) from error


def evaluated(expression: str, bindings: Mapping[str, Any]) -> Any:
    """Return an expression's value as `evaluate` does, however long it takes in this process."""
    try:
        program = _parsed(expression)
        value = program.evaluate(None, _frame(program, bindings))
        undefined = value is None and _undefined(expression, bindings)
    except _FAULTS as error:
        raise _failed(expression, error) from error
    if undefined:
        raise QueryFailed(f"The JSONata expression '{expression}' returned nothing (undefined).")
    return _plain(expression, value)


def _failed(expression: str, error: Exception) -> QueryFailed:
    return QueryFailed(f"The JSONata expression '{expression}' threw an error: {error}")


def syntax_tree(expression: str) -> Any:
    """Return the root node of an expression; raises QueryFailed unless it is one of JSONata."""
    try:
        return _parsed(expression).ast
    except _FAULTS as error:
        raise QueryFailed(str(error)) from error


@functools.lru_cache(maxsize=512)
def _parsed(expression: str) -> Jsonata:
    # Safe to be shared: each evaluation works on a copy of its thread's own.
    # Its parser overruns a comment that nothing follows.
    program = Jsonata(f"{expression}\n")
    for name, function in _FUNCTIONS.items():
        program.register_lambda(name, function)
    return program


@functools.lru_cache(maxsize=512)
def _existence(expression: str) -> Jsonata:
    return _parsed(f"$exists({expression}\n)")


def _undefined(expression: str, bindings: Mapping[str, Any]) -> bool:
    """Return whether there is no value; the library shows null and that alike."""
    program = _existence(expression)
    return program.evaluate(None, _frame(program, bindings)) is not True


def _frame(program: Jsonata, bindings: Mapping[str, Any]) -> Any:
    frame = program.create_frame()
    for name, value in bindings.items():
        frame.bind(name, value)
    frame.set_runtime_bounds(int(_SECONDS * 1000), _DEPTH)
    return frame


def _plain(expression: str, value: Any) -> Any:
    """Return the value without the library's own kinds of lists; raises QueryFailed."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise QueryFailed(
            f"The JSONata expression '{expression}' returned an unsupported result type."
        ) from error


def _partition(items: Any, size: float) -> list[list[Any]]:
    """Return the items in pieces of a size."""
    found, step = (items if isinstance(items, list) else [items]), int(size)
    if step < 1:
        raise ValueError("$partition needs a size of at least 1")
    return [found[start : start + step] for start in range(0, len(found), step)]


def _range(first: float, last: float, step: float) -> Any:
    """Return the numbers from the first to the last, both of them, by a step.

    They are a sequence, as JSONata's `$map` has it: one number is that number.
    """
    start, end, by = int(first), int(last), int(step)
    if by == 0:
        raise ValueError("$range needs a step other than 0")
    found = range(start, end + (1 if by > 0 else -1), by)
    if len(found) > _MAX_IN_RANGE:
        raise ValueError(f"$range gives at most {_MAX_IN_RANGE} numbers")
    return found[0] if len(found) == 1 else list(found)


def _hash(value: Any, algorithm: str = "SHA-256") -> str:
    if algorithm not in _HASHES:
        raise ValueError(f"$hash knows {', '.join(_HASHES)}")
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _random(seed: float | None = None) -> float:
    """Return a number from 0 to 1; a seed gives that of Java's generator, as on AWS."""
    if seed is None:
        # For jitter and samples; nothing secret is made of it.
        return random.random()  # noqa: S311
    state = (int(seed) ^ _JAVA_FACTOR) & _JAVA_MASK
    high = state = (state * _JAVA_FACTOR + 0xB) & _JAVA_MASK
    low = (state * _JAVA_FACTOR + 0xB) & _JAVA_MASK
    return float(((high >> 22) << 27) + (low >> 21)) / (1 << 53)


def _uuid() -> str:
    return str(uuid.uuid4())


def _no_eval(*_: Any) -> Any:
    """Refuse `$eval`, which AWS does not support."""
    raise ValueError("$eval is not supported; use $parse")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": _uuid,
    "parse": json.loads,
    "eval": _no_eval,
}
