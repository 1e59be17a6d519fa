"""What a process has and a file cannot: locks, threads and the like come back as new ones."""

from typing import Any

from scones_local.persistence import rebuild
from scones_local.persistence.blobs import Blobs, Reduced


def nothing(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a thread: it does not outlive its process."""
    del value, blobs
    return rebuild.nothing, ()


def event(value: Any, blobs: Blobs) -> Reduced:
    """Reduce an event, set or not."""
    del blobs
    return rebuild.event, (value.is_set(),)


def condition(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a condition: nobody waits for it any more."""
    del value, blobs
    return rebuild.condition, ()


def lock(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a lock: nobody holds it any more."""
    del value, blobs
    return rebuild.lock, ()


def rlock(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a reentrant lock: nobody holds it any more."""
    del value, blobs
    return rebuild.rlock, ()


def weak_values(values: Any, blobs: Blobs) -> Reduced:
    """Reduce a dictionary that does not hold its values."""
    del blobs
    return rebuild.weak_values, (dict(values.items()),)


def pattern(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a compiled regular expression."""
    del blobs
    return rebuild.pattern, (value.pattern, value.flags)


def function(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a function that has no name of its own; the others are left to pickle."""
    del blobs
    if "<" not in value.__qualname__:
        return None
    return rebuild.nested_function, rebuild.place_of(value)


def private_key(key: Any, blobs: Blobs) -> Reduced:
    """Reduce a private key to its PEM."""
    del blobs
    from cryptography.hazmat.primitives import serialization as form

    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return rebuild.private_key, (pem,)
