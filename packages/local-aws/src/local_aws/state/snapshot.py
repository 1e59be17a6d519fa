"""All records as of one moment, whatever goes on beside."""

import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local_aws.state import moto_backends
from local_aws.state.blobs import Blobs
from local_aws.state.pickling import dumps
from local_aws.state.stores import Stores

LOG = logging.getLogger(__name__)
_RETRIES = 20


class Cut:
    """Reads what is to be saved; the bodies that are new with it are in `blobs` then."""

    def __init__(self, blobs: Blobs, stores: Stores) -> None:
        self._blobs, self._stores = blobs, stores
        self._left_out: set[moto_backends.Place] = set()

    def read(self, moment: int) -> bytes:
        """Return all records, pickled; logs and metrics as they were when `moment` changed.

        Raises RuntimeError when they never stand still, and what pickle raises of others.
        """
        with _undisturbed():
            for _ in range(_RETRIES):
                self._blobs.start(moment)
                try:
                    return dumps(self._value(), self._blobs)
                except RuntimeError:  # a dictionary that changed meanwhile
                    continue
                except Exception as error:  # a record of a kind that cannot be pickled
                    if not self._leave_out():
                        raise error from None
        raise RuntimeError("The records changed each time that they were read.")

    def _value(self) -> dict[str, Any]:
        found = moto_backends.records(self._blobs)
        kept = {place: found[place] for place in found if place not in self._left_out}
        return {"backends": kept, "stores": self._stores.saved()}

    def _leave_out(self) -> bool:
        """Find the backends that cannot be saved, and save the others; say so loudly."""
        bad = {}
        for place, attributes in moto_backends.records(self._blobs).items():
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
