"""Saves while the server runs: soon after each change, and before a change is acknowledged."""

import hashlib
import logging
import threading
import time
from typing import Any

from local_aws.state import moto_backends
from local_aws.state.pickling import StateUnreadable, loads, new_blobs
from local_aws.state.snapshot import Cut
from local_aws.state.state_folder import Snapshots
from local_aws.state.stores import STORES, Stores

LOG = logging.getLogger(__name__)
# Changes of which nobody said a word, such as a session's, are looked for this often.
TICK_SECONDS = 5.0
# At most so long an answer is held back for a save that does not come to its end.
COMMIT_SECONDS = 10.0
# Saving takes at most this part of the time while something runs, and nobody waits for it.
_SHARE = 0.05
# Several that wait at once are let come together: each save is for all of them.
_GATHER_SECONDS = 0.02
# And nothing is unsaved for longer.
_MAX_REST_SECONDS = 10.0


class Saver:
    """The saved state of a running server."""

    def __init__(self, snapshots: Snapshots, stores: Stores = STORES) -> None:
        self._snapshots, self._stores = snapshots, stores
        self._blobs = new_blobs()
        self._digest = ""
        self._cut = Cut(self._blobs, stores)
        self._changed = threading.Condition()
        # How many saves were asked for, how many of them are done, and what one is at work on.
        self._asked = self._done = self._under_way = 0
        # Logs and metrics are saved as of a moment, which goes on less often than saves are made.
        self._moment = self._moment_before = 0
        self._closed = False
        self._rest_until = 0.0
        self._tick = time.monotonic() + TICK_SECONDS
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)

    def load(self) -> bool:
        """Load what is saved, and return whether there is anything.

        Raises LocalAwsError, with nothing loaded, when it cannot be loaded whole.
        """
        if not self._snapshots.exist():
            self._snapshots.clear()
            return False
        value = self._read()
        moto_backends.restore(value["backends"])
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

    def commit(self, *, whole: bool = False) -> None:
        """Return once what is there now is on disk; logs and metrics only if it is the `whole`."""
        with self._changed:
            self._asked += 1
            self._moment += whole
            self._await(self._asked)

    def settle(self) -> None:
        """Return once all outcomes that are visible now are on disk."""
        if self._stores.has_outcomes():
            self.commit()
        else:  # perhaps it is being written just now
            with self._changed:
                self._await(self._under_way)

    def _await(self, number: int) -> None:
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._done >= number or self._closed, COMMIT_SECONDS)

    def close(self) -> None:
        """Save a last time, and stop; one that was never started saves nothing."""
        if not self._thread.ident:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._moment += 1
        self._save()

    def _run(self) -> None:
        while self._await_work():
            began, moment = time.monotonic(), self._moment
            self._save()
            now = time.monotonic()
            with self._changed:
                several = self._under_way - self._done > 1
                self._done = self._under_way
                self._changed.notify_all()
            if moment != self._moment_before:
                self._moment_before = moment
                self._rest_until = now + min((now - began) / _SHARE, _MAX_REST_SECONDS)
                self._tick = now + TICK_SECONDS
            if several:
                time.sleep(_GATHER_SECONDS)

    def _await_work(self) -> bool:
        """Return True once there is something to save, and False at the end."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                due = self._stores.change.is_set() or now >= self._tick
                rested = due and now >= self._rest_until
                if self._asked > self._done or rested:
                    self._begin(rested)
                    return True
                self._changed.wait(0.05)
        return False

    def _begin(self, rested: bool) -> None:
        """Note what the next save is for; what changes from now on is for the one after it."""
        if rested:
            self._asked += 1
            self._moment += 1
            self._stores.change.clear()
        self._under_way = self._asked
        self._stores.take_outcomes()

    def _save(self) -> None:
        try:
            records = self._cut.read(self._moment)
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
        if len(blobs.stored) > len(blobs.used):  # all that is used is stored by now
            unused = blobs.stored - blobs.used
            self._snapshots.remove(unused)
            blobs.stored -= unused
