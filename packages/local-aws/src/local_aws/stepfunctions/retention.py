"""How many finished executions are remembered: AWS forgets after 90 days, a laptop by number."""

from collections.abc import Callable
from typing import Any

# For each state machine, and for the children of each Map Run.
MAX_EXECUTIONS = 2_000
MAX_EVENTS = 100_000


def excess(sizes: list[int | None]) -> set[int]:
    """Return the positions to forget, of executions in the order of their starts.

    A size is a finished execution's number of events, None for one that runs: it stays. The
    oldest go first, until both limits hold.
    """
    finished = [(place, size) for place, size in enumerate(sizes) if size is not None]
    count, events = len(finished), sum(size for _, size in finished)
    gone: set[int] = set()
    for place, size in finished:
        if count <= MAX_EXECUTIONS and events <= MAX_EVENTS:
            break
        gone.add(place)
        count, events = count - 1, events - size
    return gone


def size_of(execution: Any) -> int | None:
    """Return the number of events of moto's execution; None while it runs."""
    if execution.stop_date is None:
        return None
    return int(getattr(execution, "event_count", 0))


def forget(executions: list[Any], size: Callable[[Any], int | None] = size_of) -> None:
    """Take the finished executions that are too many out of the list, in place."""
    if len(executions) <= MAX_EXECUTIONS and len(executions) % 20:
        return  # the events are counted now and then only
    gone = excess([size(execution) for execution in executions])
    if gone:
        executions[:] = [kept for place, kept in enumerate(executions) if place not in gone]
