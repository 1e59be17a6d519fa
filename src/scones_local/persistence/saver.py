"""Saves while the server runs: soon after each change, and before a change is acknowledged."""

import gc
import hashlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scones_local.persistence import backends
from scones_local.persistence.pickling import StateUnreadable, dumps, loads, new_blobs
from scones_local.persistence.snapshots import Snapshots
from scones_local.stores import STORES, Stores

LOG = logging.getLogger(__name__)
# Changes of which nobody said a word, such as a session's, are looked for this often.
TICK_SECONDS = 5.0
# At most so long an answer is held back for a save that does not come to its end.
COMMIT_SECONDS = 10.0
# Saving takes at most this part of the time while something runs, and nobody waits for it.
_SHARE = 0.1
# And nothing is unsaved for longer.
_MAX_REST_SECONDS = 10.0
_RETRIES = 20


class Saver:
    """The saved state of a running server."""

    def __init__(self, snapshots: Snapshots, stores: Stores = STORES) -> None:
        self._snapshots, self._stores = snapshots, stores
        self._blobs = new_blobs()
        self._digest = ""
        self._left_out: set[Any] = set()
        self._changed = threading.Condition()
        self._asked = self._done = 0
        self._closed = False
        self._rest_until = 0.0
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)

    def load(self) -> bool:
        """Load what is saved, and return whether there is anything.

        Raises LocalAwsError, with nothing loaded, when it cannot be loaded whole.
        """
        if not self._snapshots.exist():
            self._snapshots.clear()
            return False
        value = self._read()
        backends.restore(value["backends"])
        self._stores.load(value["stores"])
        # Bodies that no records name are left from a save that did not come to its end.
        self._snapshots.remove(self._snapshots.stored - self._blobs.stored)
        return True

    def _read(self) -> dict[str, Any]:
        def body(digest: str) -> bytes:
            self._blobs.stored.add(digest)
            return self._snapshots.body(digest)

        try:
            value = loads(self._snapshots.read(), body)
        except StateUnreadable as error:
            raise self._snapshots.unusable(str(error)) from error
        if not isinstance(value, dict) or value.keys() != {"backends", "stores"}:
            raise self._snapshots.unusable("it is not made of records")
        return value

    def start(self) -> None:
        """Begin to save."""
        self._thread.start()

    def commit(self) -> None:
        """Return once what is there now is on disk."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= mine or self._closed, COMMIT_SECONDS)

    def close(self) -> None:
        """Save a last time, and stop; one that was never started saves nothing."""
        if not self._thread.ident:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._save()

    def _run(self) -> None:
        while True:
            asked = self._await_work()
            if asked is None:
                return
            self._stores.change.clear()
            self._stores.urgent.clear()
            began = time.monotonic()
            self._save()
            took = time.monotonic() - began
            with self._changed:
                self._done = max(self._done, asked)
                self._changed.notify_all()
            self._rest_until = time.monotonic() + min(took / _SHARE, _MAX_REST_SECONDS)

    def _await_work(self) -> int | None:
        """Return the last commit that was asked for, once there is work; None at the end."""
        deadline = time.monotonic() + TICK_SECONDS
        with self._changed:
            while not self._closed:
                now, stores = time.monotonic(), self._stores
                rested = stores.change.is_set() and now >= self._rest_until
                if self._asked > self._done or stores.urgent.is_set() or rested or now >= deadline:
                    return self._asked
                self._changed.wait(0.05)
        return None

    def _save(self) -> None:
        try:
            with _undisturbed():
                records = self._cut()
            digest = hashlib.sha256(records).hexdigest()
            if digest != self._digest:
                self._snapshots.write(records, self._blobs.new)
                self._digest = digest
                self._collect()
        except Exception:  # whatever it is, the server goes on, and the next save may work
            LOG.exception("The state was not saved")

    def _collect(self) -> None:
        """Note what is on disk now, and remove what the records do not name any more."""
        blobs = self._blobs
        blobs.stored |= set(blobs.new)
        unused = blobs.stored - blobs.used
        self._snapshots.remove(unused)
        blobs.stored -= unused

    def _cut(self) -> bytes:
        """Return all records as of one moment."""
        for _ in range(_RETRIES):
            self._blobs.start()
            try:
                return dumps(self._value(), self._blobs)
            except RuntimeError:  # a dictionary that changed meanwhile
                continue
            except Exception as error:  # a record of a kind that cannot be pickled
                if not self._leave_out():
                    raise error from None
        raise RuntimeError("The records changed each time that they were read.")

    def _value(self) -> dict[str, Any]:
        found = backends.records(self._blobs)
        kept = {place: found[place] for place in found if place not in self._left_out}
        return {"backends": kept, "stores": self._stores.saved()}

    def _leave_out(self) -> bool:
        """Find the backends that cannot be saved, and save the others; say so loudly."""
        bad = {}
        for place, attributes in backends.records(self._blobs).items():
            try:
                dumps(attributes, self._blobs)
            except Exception as error:  # what pickle raises is of many kinds
                bad[place] = error
        for place, fault in bad.items():
            LOG.error("The records of %s.%s are not kept: %s", place[0], place[1], fault)
        news = set(bad) - self._left_out
        self._left_out |= news
        return bool(news)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let other threads run as little as may be, so that the records are of one moment."""
    interval, collects = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(0.25)
    gc.disable()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if collects:
            gc.enable()
