"""What a process has and a file cannot: locks, threads and the like come back as new ones."""

from typing import Any

from local_aws.state import constructors
from local_aws.state.blobs import Blobs, Reduced


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
    return constructors.nested_function, constructors.place_of(value)


def private_key(key: Any, blobs: Blobs) -> Reduced:
    """Reduce a private key to its PEM."""
    del blobs
    from cryptography.hazmat.primitives import serialization as form

    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return constructors.private_key, (pem,)
