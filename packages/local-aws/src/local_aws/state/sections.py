"""All records at one point in time, in a section for each service, pickled on its own.

A service whose records cannot be saved keeps what was last saved of it, and one whose records
cannot be loaded keeps them as they are; the others do not notice. Each section begins with its own
checksum, so a damaged file of records costs only the services whose sections are damaged.
"""

import gc
import hashlib
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local_aws.core.open_services import SERVICES, service_of
from local_aws.core.stores import Stores
from local_aws.errors import LocalAwsError
from local_aws.state import moto_backends
from local_aws.state.blobs import Blobs, Body
from local_aws.state.constructors import StateUnreadable
from local_aws.state.pickling import dumps, new_blobs
from local_aws.state.unpickling import loads

LOG = logging.getLogger(__name__)
_RETRIES = 20
# JSON that a request brings is nested in some 1,000 levels at most, by Python's own limit; pickle
# needs more than one step for each.
_RECURSION = 5_000
_DIGEST = re.compile(rb"[0-9a-f]{64}")
# A service of moto's, or a store by its name.
Key = tuple[str, str]
ReadBody = Callable[[str], bytes]
# What there is besides: the list of all others, so that none is missed without a word.
_INDEX = ("index", "")
# Begins a section with a checksum; of an earlier version's the first byte is pickle's.
_SEAL, _SEAL_END = b"S", 33
_ALTERED = "its bytes are not those that were written"


@dataclass(frozen=True, slots=True)
class Section:
    """Pickled records as they are in the file, and the bodies that they name."""

    records: bytes
    bodies: frozenset[Body]


class Sections:
    """Reads what is to be saved, and puts back what was; new bodies are in `blobs` then."""

    def __init__(self, blobs: Blobs, stores: Stores) -> None:
        self._blobs, self._stores = blobs, stores
        # As they are on disk, and as they were read for the save that is made just now.
        self._last: dict[Key, Section] = {}
        self._current: dict[Key, Section] = {}
        self._not_loaded: dict[Key, Section] = {}
        # What is wrong with a service or a store, by its name.
        self.problems: dict[str, str] = {}
        # Those whose changes since the last save are not on disk.
        self._unsaved_names: set[str] = set()

    def read(self, generation: int) -> bytes:
        """Return all records, pickled; logs and metrics as they were when `generation` changed.

        Raises RuntimeError when they change each time that they are read.
        """
        with _undisturbed():
            for _ in range(_RETRIES):
                self._blobs.start(generation)
                try:
                    return self._read()
                except RuntimeError:  # a dictionary that changed meanwhile
                    continue
        raise RuntimeError("The records changed each time that they were read.")

    def _read(self) -> bytes:
        values: dict[Key, Any] = {}
        for place, attributes in moto_backends.records(self._blobs).items():
            values.setdefault(("service", service_of(place[0])), {})[place] = attributes
        for name, value in self._stores.saved().items():
            values["store", name] = value
        found = {key: self._section(key, value) for key, value in values.items()}
        found |= self._not_loaded
        self._current = {key: section for key, section in found.items() if section is not None}
        self._blobs.used = set().union(*(section.bodies for section in self._current.values()))
        sections = {key: section.records for key, section in self._current.items()}
        sections[_INDEX] = _sealed(_INDEX, dumps([*self._current], new_blobs()))
        return dumps(sections, new_blobs())

    def written(self) -> None:
        """Note that what was read last is on disk."""
        self._last = self._current

    def is_unsaved(self, service: str) -> bool:
        """Return whether changes of a service stay off the disk: unsavable ones, or not loaded."""
        return service in self._unsaved_names or ("service", service) in self._not_loaded

    def _section(self, key: Key, value: Any) -> Section | None:
        """Return a section as of now; as it was last, where it cannot be saved."""
        if key in self._not_loaded:
            return None
        self._blobs.used = set()
        try:
            records = _sealed(key, dumps(value, self._blobs))
            section = Section(records, frozenset(self._blobs.used))
        except RecursionError as error:
            return self._unsaved(key, error)
        except RuntimeError:
            raise
        except Exception as error:  # what pickle raises is of many kinds
            return self._unsaved(key, error)
        self._unsaved_names.discard(key[1])
        if self.problems.pop(key[1], ""):
            LOG.warning("The records of %s are saved again", key[1])
        return section

    def _unsaved(self, key: Key, error: Exception) -> Section | None:
        self._unsaved_names.add(key[1])
        self._report(key, f"its records are not saved: {error}")
        return self._last.get(key)

    def load(self, records: bytes, body: ReadBody, *, whole: bool = True) -> None:
        """Put saved records back; raises StateUnreadable where they are of no known form.

        `whole` says that their file is as it was written.
        """
        value = loads(records, body, lenient=True)
        if not isinstance(value, dict):
            raise StateUnreadable("it is not made of records")
        index = value.pop(_INDEX, b"")
        if not whole and {*loads(_opened(_INDEX, index, whole=False), {})} != value.keys():
            raise StateUnreadable(_ALTERED)
        if value.keys() == {"backends", "stores"}:
            self._load_whole(value)
            return
        for key, section in value.items():
            digests: set[str] = set()

            def noting(digest: str, digests: set[str] = digests) -> bytes:
                digests.add(digest)
                return body(digest)

            try:
                self._put(key, loads(_opened(key, section, whole=whole), noting))
                self._last[key] = Section(section, frozenset(map(Body, digests)))
            except Exception as error:  # whatever a record that does not fit leads to
                self._report(key, f"its saved records are not loaded: {error}")
                bodies = frozenset(map(Body, _digests(section, body)))
                self._not_loaded[key] = Section(section, bodies)

    def _load_whole(self, value: Mapping[str, Any]) -> None:
        """Put records back that were saved as one, before there were sections."""
        services: dict[str, dict[moto_backends.Place, Any]] = {}
        for place, attributes in value["backends"].items():
            services.setdefault(service_of(place[0]), {})[place] = attributes
        for service in services.keys() & SERVICES:
            try:
                dumps(services[service], new_blobs())  # so nothing that was refused is in it
                self._put(("service", service), services[service])
            except Exception as error:
                self._report(("service", service), f"its saved records are not loaded: {error}")
        for name, store in value["stores"].items():
            self._put(("store", name), store)

    def _put(self, key: Key, value: Any) -> None:
        kind, name = key
        if kind == "store":
            self._stores.load({name: value})
        else:
            moto_backends.restore(value)

    def _report(self, key: Key, problem: str) -> None:
        if self.problems.get(key[1]) != problem:
            self.problems[key[1]] = problem
            LOG.error("%s: %s", key[1], problem)


def _seal(key: Key, records: bytes) -> bytes:
    """Return a section's checksum, under its own name only."""
    return _SEAL + hashlib.sha256(repr(key).encode() + records).digest()


def _sealed(key: Key, records: bytes) -> bytes:
    return _seal(key, records) + records


def _opened(key: Key, section: bytes, *, whole: bool) -> bytes:
    """Return a section's records; raises StateUnreadable where they are not as they were written.

    Those of an earlier version have no checksum, and are taken from a whole file only.
    """
    if not section.startswith(_SEAL) and whole:
        return section
    if section[:_SEAL_END] != _seal(key, section[_SEAL_END:]):
        raise StateUnreadable(_ALTERED)
    return section[_SEAL_END:]


def _digests(records: bytes, body: ReadBody) -> Iterator[str]:
    """Yield the digests of the bodies that records name, and of those that these name."""
    for found in set(_DIGEST.findall(records)):
        digest = found.decode()
        try:
            inner = body(digest)
        except LocalAwsError:  # it is missing or damaged, or these digits are no digest
            continue
        yield digest
        if inner.startswith(b"\x80"):
            yield from _digests(inner, body)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let other threads run as little as possible, so that the records fit together."""
    interval, collects = sys.getswitchinterval(), gc.isenabled()
    levels = sys.getrecursionlimit()
    sys.setswitchinterval(0.25)
    sys.setrecursionlimit(max(levels, _RECURSION))
    gc.disable()
    try:
        yield
    finally:
        sys.setrecursionlimit(levels)
        sys.setswitchinterval(interval)
        if collects:
            gc.enable()
