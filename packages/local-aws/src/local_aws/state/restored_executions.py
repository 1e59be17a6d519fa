"""Executions of an earlier process: their interpreter is gone, their history is not."""

import datetime
import pickle
from typing import Any

INTERRUPTED = "States.Interrupted"
CAUSE = "The embedded AWS ended while the execution ran."


class PastEvents:
    """The history of an execution, unpickled when it is read."""

    def __init__(self, pickled: bytes) -> None:
        self.pickled = pickled

    def get_event_history(self) -> list[Any]:
        """Return the events, the first one first."""
        from local_aws.state.pickling import loads

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
