"""The one thread that does what falls due as real time passes."""

import threading
import traceback

from local_aws.core.clock import Clock
from local_aws.core.context import Context

# What is made in between may fall due sooner than anything that was known, so it looks again.
_LOOK_AGAIN_SECONDS = 1.0


def start_ticker(context: Context, clock: Clock) -> None:
    """Start the thread; it ends with the server."""
    stop = threading.Event()
    thread = threading.Thread(target=_tick, args=(clock, stop), name="ticker", daemon=True)
    context.on_shutdown(stop.set)
    thread.start()


def _tick(clock: Clock, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            left = clock.seconds_to_next()
            pause = _LOOK_AGAIN_SECONDS if left is None else min(left, _LOOK_AGAIN_SECONDS)
            if not stop.wait(pause):
                clock.run_due()
        except Exception:  # a fault in one firing must not stop all others for good
            traceback.print_exc()
            stop.wait(_LOOK_AGAIN_SECONDS)
