"""Bodies that are kept as files of their own, so that a save writes only those that changed."""

import copyreg
import hashlib
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from typing import Any

from local_aws.state import constructors

Reduced = tuple[Any, ...] | None


class Blob:
    """Stands in the records for a body that is kept as a file under its SHA-256."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def __reduce__(self) -> tuple[Any, ...]:
        return constructors.blob, (self.digest,)


class Pickled(Blob):
    """Stands for a value that is pickled in a file of its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return constructors.pickled, (self.digest,)


class Blobs:
    """The bodies of one snapshot: those to write, and the digests of all.

    A body is made again only when its mark has changed: what is cheap to look at and changes
    with it. `dump` pickles a value for a body; other bodies may be within. `used` are the bodies
    that the records name themselves: a save's time must not grow with those within them.
    """

    def __init__(self, dump: Callable[[Any], bytes]) -> None:
        self.dump = dump
        self.new: dict[str, bytes] = {}
        self.used: set[Body] = set()
        self.stored: set[str] = set()
        self.generation = 0
        self._known: weakref.WeakKeyDictionary[Any, dict[Any, Body]] = weakref.WeakKeyDictionary()

    def start(self, generation: int = 0) -> None:
        """Begin a snapshot; what is `periodic` is read again when `generation` has changed."""
        self.new, self.used, self.generation = {}, set(), generation

    def of(self, owner: Any, part: Any, mark: Any, read: Callable[[], bytes]) -> Blob:
        """Return the stand-in for a part of an object, as of that mark."""
        parts = self._known.setdefault(owner, {})
        known = parts.get(part)
        if known is None or known.mark != mark or not self._has(known):
            known = parts[part] = self._read(mark, read)
        self.used.add(known)
        return Blob(known.digest)

    def pickled(self, owner: Any, part: Any, mark: Any, read: Callable[[], Any]) -> Pickled:
        """Return the stand-in for a value that is pickled on its own."""
        return Pickled(self.of(owner, part, mark, lambda: self.dump(read())).digest)

    def periodic(self, owner: Any, part: Any, value: Any) -> Pickled:
        """Return the stand-in for a value as it was when the generation last changed."""
        return self.pickled(owner, part, self.generation, lambda: value)

    def _has(self, known: "Body") -> bool:
        """Return whether a body will be on disk, as it is not after a save that failed."""
        return known.digest in self.stored or known.digest in self.new

    def _read(self, mark: Any, read: Callable[[], bytes]) -> "Body":
        outer, self.used = self.used, set()
        try:
            body = read()
            digest = hashlib.sha256(body).hexdigest()
            if digest not in self.stored:
                self.new[digest] = body
            return Body(digest, mark, frozenset(self.used))
        finally:
            self.used = outer


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A body's digest, the mark that it was made at, and the bodies within it."""

    digest: str
    mark: Any = None
    within: frozenset["Body"] = frozenset()


class Uses:
    """How often each body is named by the records on disk and by the bodies that these name."""

    def __init__(self) -> None:
        self._named: frozenset[Body] = frozenset()
        self._counts: Counter[str] = Counter()
        self._bodies: Counter[Body] = Counter()

    @property
    def digests(self) -> Set[str]:
        """Return the digests of all that is named."""
        return self._counts.keys()

    def replace(self, named: Iterable[Body]) -> set[str]:
        """Have these be what the records name; return the digests that nothing names any more.

        It takes as long as the difference is large.
        """
        before, self._named = self._named, frozenset(named)
        gone: set[str] = set()
        self._count(self._named - before, 1, gone)
        self._count(before - self._named, -1, gone)
        return {digest for digest in gone if digest not in self._counts}

    def _count(self, bodies: Iterable[Body], change: int, gone: set[str]) -> None:
        left = [*bodies]
        while left:
            body = left.pop()
            self._bodies[body] += change
            first, last = change > 0 and self._bodies[body] == 1, not self._bodies[body]
            if not first and not last:
                continue
            self._counts[body.digest] += change
            if last:
                del self._bodies[body]
            if not self._counts[body.digest]:
                del self._counts[body.digest]
                gone.add(body.digest)
            left += body.within


Reducer = Callable[[Any, Blobs], Reduced]


def made_of(value: Any, state: dict[str, Any]) -> tuple[Any, ...]:
    """Return how pickle makes an object of the class, with that state in the place of its own."""
    return copyreg.__newobj__, (type(value),), state  # type: ignore[attr-defined]
