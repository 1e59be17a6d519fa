"""Saves while the server runs: soon after each change, and before a change is acknowledged."""

import hashlib
import logging
import threading
import time

from local_aws.core.stores import STORES, Stores
from local_aws.errors import LocalAwsError
from local_aws.state.blobs import Uses
from local_aws.state.constructors import StateUnreadable
from local_aws.state.pickling import new_blobs
from local_aws.state.sections import Sections
from local_aws.state.state_folder import Snapshots

LOG = logging.getLogger(__name__)
# Changes of which nobody said a word, such as a session's, are looked for this often.
TICK_SECONDS = 5.0
# Whether a body's file was deleted is looked at this often.
LOOK_SECONDS = 20.0
# At most so long an answer is held back for a save that makes no headway.
COMMIT_SECONDS = 30.0
# After a save that failed, the next one begins so much later.
RETRY_SECONDS = 1.0
# Saving takes at most this part of the time while something runs, and nobody waits for it.
_SHARE = 0.05
# Several that wait at once are let come together: each save is for all of them.
_GATHER_SECONDS = 0.02
# And nothing is unsaved for longer.
_MAX_REST_SECONDS = 10.0


class NotSaved(LocalAwsError):
    """A change is not on disk, and may be lost."""


class Saver:
    """The saved state of a running server.

    `failure` says why the last save failed; it is empty while saving works.
    """

    def __init__(self, snapshots: Snapshots, stores: Stores = STORES) -> None:
        self._snapshots, self._stores = snapshots, stores
        self._blobs = new_blobs()
        self._digest = ""
        self._uses, self._collected = Uses(), False
        self._sections = Sections(self._blobs, stores)
        self.failure = ""
        self._changed = threading.Condition()
        # How many saves were asked for, how many were tried, what one is at work on, and which
        # was the last that succeeded.
        self._asked = self._done = self._under_way = self._saved = 0
        # Logs and metrics are of a generation, which changes less often than saves are made.
        self._generation = self._generation_before = 0
        self._closed = self._abandoned = False
        self._rest_until = self._look_at = 0.0
        self._tick = time.monotonic() + TICK_SECONDS
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)

    def load(self) -> bool:
        """Load what is saved, and return whether there is anything.

        A service whose records cannot be loaded is left as it is on disk, and named in `problems`.
        Raises LocalAwsError, with nothing loaded, for a file that this program did not write.
        """
        if not self._snapshots.exist():
            self._snapshots.clear()
            return False

        unread: set[str] = set()

        def body(digest: str) -> bytes:
            try:
                found = self._snapshots.body(digest)
            except LocalAwsError:
                unread.add(digest)
                raise
            self._blobs.stored.add(digest)
            return found

        try:
            records, whole = self._snapshots.read()
            self._sections.load(records, body, whole=whole)
        except StateUnreadable as error:
            raise self._snapshots.unusable(str(error)) from error
        # Bodies that no records name are left from a save that did not come to its end. A body
        # that cannot be read may name any of them, and may be put back; so may altered records.
        if not unread and not self._sections.problems:
            self._snapshots.remove(self._snapshots.stored - self._blobs.stored)
        return True

    def problems(self) -> list[str]:
        """Return a sentence for each thing that is not saved or was not loaded."""
        found = [f"{name}: {why}" for name, why in sorted(self._sections.problems.items())]
        return [f"Changes are refused: {self.failure}", *found] if self.failure else found

    def start(self) -> None:
        """Begin to save."""
        self._thread.start()

    def commit(self, service: str = "", *, whole: bool = False) -> None:
        """Return once what is there now is on disk; logs and metrics only if it is the `whole`.

        Raises NotSaved when that failed, or made no headway for `COMMIT_SECONDS`, and when the
        records of this service (moto's name) cannot be saved, or were not loaded.
        """
        with self._changed:
            self._asked += 1
            self._generation += whole
            self._await(self._asked)
        if self._sections.is_unsaved(service):
            raise NotSaved(f"{service}: {self._sections.problems.get(service, 'is not saved')}.")

    def settle(self) -> None:
        """Return once all terminal statuses that are visible are on disk; raises as `commit`."""
        if self._stores.has_transitions():
            self.commit()
        else:  # perhaps it is being written just now
            with self._changed:
                self._await(self._under_way)

    def _await(self, number: int) -> None:
        self._changed.notify_all()
        before = -1
        # A job may leave thousands of objects: their save is long, and goes on.
        while before != self._snapshots.written:
            before = self._snapshots.written
            ended = self._changed.wait_for(
                lambda: self._done >= number or self._closed, COMMIT_SECONDS
            )
            if ended:
                break
        if self._saved < number and not self._closed:
            raise NotSaved(self.failure or f"The state was not saved in {COMMIT_SECONDS:.0f} s.")

    def abandon(self) -> None:
        """Save nothing more: the folder of the state was deleted on purpose."""
        self._abandoned = True

    def close(self) -> None:
        """Save a last time, and stop; one that was never started saves nothing."""
        if not self._thread.ident:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        if not self._abandoned:
            self._generation += 1
            self._save()

    def _run(self) -> None:
        while self._await_work():
            began, generation = time.monotonic(), self._generation
            self._save()
            now = time.monotonic()
            with self._changed:
                several = self._under_way - self._done > 1
                self._done = self._under_way
                if not self.failure:
                    self._saved = self._done
                self._changed.notify_all()
            if generation != self._generation_before:
                self._generation_before = generation
                self._rest_until = now + min((now - began) / _SHARE, _MAX_REST_SECONDS)
                self._tick = now + TICK_SECONDS
            if self.failure:
                self._rest_until = now + RETRY_SECONDS
            if several:
                time.sleep(_GATHER_SECONDS)

    def _await_work(self) -> bool:
        """Return True once there is something to save, and False at the end."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                due = self._stores.change.is_set() or now >= self._tick
                rested = (due or bool(self.failure)) and now >= self._rest_until
                if self._asked > self._done or rested:
                    self._begin(rested)
                    return True
                self._changed.wait(0.05)
        return False

    def _begin(self, rested: bool) -> None:
        """Note what the next save is for; what changes from now on is for the one after it."""
        if rested:
            self._asked += 1
            self._generation += 1
            self._stores.change.clear()
        self._under_way = self._asked
        self._stores.take_transitions()

    def _save(self) -> None:
        try:
            if self._lacks_bodies():
                self._blobs.stored.clear()  # somebody deleted them: they are written again
                self._digest = ""
            records = self._sections.read(self._generation)
            digest = hashlib.sha256(records).hexdigest()
            if digest != self._digest:
                self._snapshots.write(records, self._blobs.new)
                self._digest = digest
                self._sections.written()
                self._collect()
        except Exception as error:  # whatever it is, the server goes on, and the next may work
            self._report(error)
        else:
            if self.failure:
                LOG.warning("The state is saved again")
            self.failure = ""

    def _lacks_bodies(self) -> bool:
        """Return whether a body is gone that was written.

        Which ones there are is looked at now and then, and at the end.
        """
        stored = self._blobs.stored
        if not stored or not self._snapshots.has_bodies():
            return bool(stored)
        now = time.monotonic()
        if now < self._look_at and not self._closed:
            return False
        missing = stored - self._snapshots.stored
        self._look_at = now + LOOK_SECONDS
        if missing:
            LOG.warning("%d files of bodies are gone, and are written again", len(missing))
        return bool(missing)

    def _report(self, error: Exception) -> None:
        """Note why a save failed, and log it once."""
        why = error.strerror if isinstance(error, OSError) and error.strerror else repr(error)
        failure = f"The state could not be saved in {self._snapshots.folder}: {why}."
        if failure != self.failure:
            LOG.error(failure, exc_info=None if isinstance(error, OSError) else error)
        self.failure = failure

    def _collect(self) -> None:
        """Note what is on disk now, and remove what the records do not name any more."""
        blobs = self._blobs
        blobs.stored |= set(blobs.new)
        unused = self._uses.replace(blobs.used) & blobs.stored
        if not self._collected:  # what was loaded, and is not used any more
            self._collected, unused = True, blobs.stored - self._uses.digests
        if unused:
            self._snapshots.remove(unused)
            blobs.stored -= unused
