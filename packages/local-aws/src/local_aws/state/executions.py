"""Executions: saved once they have ended, and not again whatever other ones do.

Of an ended execution nothing changes but by a redrive, so its record with its history is a file
of its own. Files of `CHUNK` executions each name them, one file for each state machine names
those. So one execution's end costs its own file and one chunk, however many are remembered, and
what has to do with no execution looks at none.
"""

import datetime
import functools
import itertools
import pickle
from collections.abc import Iterable, Iterator
from typing import Any

from local_aws.core.patching import patch
from local_aws.state import constructors
from local_aws.state.blobs import Blobs, Pickled, Reduced, made_of
from local_aws.state.constructors import constructor
from local_aws.state.unpickling import loads

INTERRUPTED = "States.Interrupted"
CAUSE = "The embedded AWS ended while the execution ran."
CHUNK = 64
# A number of our own on each execution, which gives its chunk; it stays when older ones go.
_NUMBER = "saved_number"
# What `_mark` found on an ended execution, until the execution changes: one save looks at all.
_MARK = "saved_mark"
_numbers = itertools.count(1)
# When any execution was last changed: a new number never equals an older one.
_changes = [0]


def state_machine(value: Any, blobs: Blobs) -> Reduced:
    """Reduce a state machine with its executions."""
    executions = InChunks(value, value.executions, blobs)
    return made_of(value, {**value.__dict__, "executions": executions})


def map_run(record: Any, blobs: Blobs) -> Reduced:
    """Reduce a Map Run with its child executions, which are kept by their ARNs.

    Of one that runs the inputs are saved once, and its children by chunks, as they start and end.
    """
    state = dict(record.__dict__)
    run = state.pop("live_run", None)
    if run is not None:
        state["under_way"] = _under_way(run, blobs)
    if "executions" in state:
        state["executions"] = ByArn(record, state["executions"].values(), blobs)
    return made_of(record, state)


def _under_way(run: Any, blobs: Blobs) -> tuple[Pickled, tuple[Pickled, ...]]:
    def inputs() -> list[tuple[Any, int]]:
        return [(given.value, given.item_count) for given in run.inputs]

    chunks = tuple(
        blobs.pickled(run, number, changes, functools.partial(run.started, number))
        for number, changes in enumerate(run.changes)
        if changes
    )
    return blobs.pickled(run, "inputs", None, inputs), chunks


def execution(value: Any, blobs: Blobs) -> Reduced:
    """Reduce one execution: of its interpreter the history, the progress and the Map Runs."""
    state = {**value.__dict__, "_cloud_watch_logging_session": None}
    state.pop(_MARK, None)
    if state.get("exec_worker") is not None:
        env = value.exec_worker.env
        if value.stop_date is None and env is not None:
            state["progress"] = getattr(env, "progress", None)
        state["exec_worker"] = _Past(env, blobs)
    return made_of(value, state)


class InChunks:
    """Stands for a list of executions that grows at its end, and loses its oldest."""

    def __init__(self, owner: Any, executions: Iterable[Any], blobs: Blobs) -> None:
        mark = (_changes[0], blobs.generation)
        self.chunks = blobs.pickled(
            owner, "executions", mark, lambda: _chunks(owner, list(executions), blobs)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return constructors.joined, (self.chunks, [])


class ByArn(InChunks):
    """Stands for a dictionary of executions by their ARNs."""

    def __reduce__(self) -> tuple[Any, ...]:
        return constructors.by_arn, (self.chunks,)


@patch(
    "moto.stepfunctions.parser.backend.execution.Execution.__setattr__",
    why="keeps everything in memory only",
)
def set_attribute(original: Any, value: Any, name: str, to: Any) -> None:
    """Note each change of an execution; the events of a running one are read periodically."""
    original(value, name, to)
    note_change(value)


def note_change(execution: Any) -> None:
    """Have the next save read an execution's record again."""
    execution.__dict__.pop(_MARK, None)
    _changes[0] = next(_numbers)


def _chunks(owner: Any, executions: list[Any], blobs: Blobs) -> tuple[Pickled, ...]:
    chunks = itertools.groupby(_numbered(executions), key=lambda found: found[0])
    return tuple(
        _chunk(owner, number, [found for _, found in members], blobs) for number, members in chunks
    )


def _numbered(executions: list[Any]) -> Iterator[tuple[int, Any]]:
    """Yield each execution with the number of its chunk."""
    last = -1
    for found in executions:
        last = found.__dict__.setdefault(_NUMBER, last + 1)
        yield last // CHUNK, found


def _chunk(owner: Any, number: int, members: list[Any], blobs: Blobs) -> Pickled:
    marks = [_mark(member) for member in members]
    # A new object equals no other: what runs changes all the time.
    mark = object() if None in marks else marks
    return blobs.pickled(owner, number, mark, functools.partial(_entries, members, marks, blobs))


def _entries(members: list[Any], marks: list[Any], blobs: Blobs) -> list[Any]:
    return [
        member
        if mark is None
        else blobs.pickled(member, "record", mark, functools.partial(_itself, member))
        for member, mark in zip(members, marks, strict=True)
    ]


def _itself(value: Any) -> Any:
    return value


def _mark(value: Any) -> Any:
    """Return what changes with an ended execution; None for one that runs."""
    known = value.__dict__.get(_MARK)
    if known is not None or value.stop_date is None:
        return known
    env = value.exec_worker.env if value.exec_worker else None
    if env is None or not env.map_run_record_pool_manager._pool:
        mark = value.__dict__[_MARK] = (value.stop_date, value.exec_status)
        return mark
    # A Map Run ends slightly after the execution that was stopped.
    runs = env.map_run_record_pool_manager.get_all()
    statuses = [(run.status, run.stop_date, id(getattr(run, "children", None))) for run in runs]
    return value.stop_date, value.exec_status, statuses


class _Past:
    """Stands for an execution's interpreter."""

    def __init__(self, env: Any, blobs: Blobs) -> None:
        self.runs = env.map_run_record_pool_manager if env is not None else None
        events = env.event_manager if env is not None else None
        if isinstance(events, PastEvents):
            self.history = events.pickled
        else:
            self.history = blobs.dump(list(events._history_event_list) if events else [])

    def __reduce__(self) -> tuple[Any, ...]:
        return past_worker, (self.history, self.runs)


class PastEvents:
    """The history of an execution, unpickled when it is read."""

    def __init__(self, pickled: bytes) -> None:
        self.pickled = pickled

    def get_event_history(self) -> list[Any]:
        """Return the events, the first one first."""
        events: list[Any] = loads(self.pickled, {}) if self.pickled else []
        return events

    @property
    def _history_event_list(self) -> list[Any]:
        return self.get_event_history()


class _NoCallbacks:
    """Nobody waits for a token any more."""

    def heartbeat(self, **_: Any) -> bool:
        return False

    def notify(self, **_: Any) -> bool:
        return False

    def get(self, _: str) -> None:
        return None


class PastEnvironment:
    """As much of the interpreter's environment as is asked of an ended execution."""

    callback_pool_manager = _NoCallbacks()

    def __init__(self, history: bytes, runs: Any) -> None:
        self.event_manager = PastEvents(history)
        self.map_run_record_pool_manager = runs

    def is_running(self) -> bool:
        """Return False: it ended with its process at the latest."""
        return False


class PastWorker:
    """Stands for the worker of an execution."""

    def __init__(self, history: bytes, runs: Any) -> None:
        self.env = PastEnvironment(history, runs)

    def stop(self, **_: Any) -> None:
        """Do nothing: it has ended."""


@constructor
def past_worker(history: bytes, runs: Any) -> Any:
    """Return what stands for an execution's interpreter; `history` is its events, pickled."""
    return PastWorker(history, _no_runs() if runs is None else runs)


def _no_runs() -> Any:
    from moto.stepfunctions.parser.asl.eval import environment

    manager: Any = vars(environment)["MapRunRecordPoolManager"]
    return manager()


def end_interrupted(execution: Any, cause: str) -> None:
    """Have an execution that was running when its process ended be ABORTED, by an event too."""
    from moto.core.utils import iso_8601_datetime_with_milliseconds
    from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType

    now = datetime.datetime.now(datetime.UTC)
    events = execution.exec_worker.env.event_manager if execution.exec_worker else PastEvents(b"")
    history = events.get_event_history()
    last = history[-1]["id"] if history else 0
    history.append(
        {
            "id": last + 1,
            "previousEventId": last,
            "type": HistoryEventType.ExecutionAborted,
            "timestamp": iso_8601_datetime_with_milliseconds(now),
            "executionAbortedEventDetails": {"error": INTERRUPTED, "cause": cause},
        }
    )
    events.pickled = pickle.dumps(history)
    execution.error, execution.cause, execution.stop_date = INTERRUPTED, cause, now
    execution.exec_status = ExecutionStatus.ABORTED
