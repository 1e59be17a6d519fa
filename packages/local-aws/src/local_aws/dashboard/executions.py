"""Executions as the page shows them: their histories parsed into visits of states.

Each event names the event before it in its own branch or iteration (`previousEventId`,
https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html), so that
the state which it belongs to is found along that chain.
"""

import datetime
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local_aws.core.context import Context
from local_aws.errors import LocalAwsError

LISTED = 50
# A state's data is 256 KiB at most; more characters than these nobody reads.
SHOWN_CHARACTERS = 20_000
# The iterations that a state is within: the Map's name and the item's index, outermost first.
Path = tuple[tuple[str, int], ...]
RUNNING, SUCCEEDED, FAILED, CAUGHT = "running", "succeeded", "failed", "caught"
ABORTED = "aborted"
_ENDS = {"ExecutionFailed": FAILED, "ExecutionAborted": ABORTED, "ExecutionTimedOut": FAILED}
_ITERATION_ENDS = {
    "MapIterationSucceeded": SUCCEEDED,
    "MapIterationFailed": FAILED,
    "MapIterationAborted": ABORTED,
}


@dataclass(slots=True)
class Visit:
    """One entry into a state. `error` and `cause` are those of its last failed attempt.

    `assigned` is a JSON object of the variables that it assigned, or empty.
    """

    name: str
    path: Path
    entered: str
    input: str = ""
    exited: str = ""
    output: str = ""
    assigned: str = ""
    status: str = RUNNING
    error: str = ""
    cause: str = ""
    events: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class ExecutionTrace:
    """The visits of a history, and the status of each iteration of each Map."""

    visits: list[Visit] = field(default_factory=list)
    iterations: dict[Path, str] = field(default_factory=dict)

    def within(self, path: Path) -> Iterator[Visit]:
        """Yield the visits on the way to an iteration, and of the iteration itself."""
        return (visit for visit in self.visits if visit.path == path[: len(visit.path)])


def parse(events: Iterable[Mapping[str, Any]]) -> ExecutionTrace:
    """Return the trace of a history; events of unknown kinds are kept as they are."""
    parser = _Parser()
    for event in events:
        parser.feed(event)
    return parser.trace


class _Parser:
    def __init__(self) -> None:
        self.trace = ExecutionTrace()
        self._paths: dict[int, Path] = {0: ()}
        self._current: dict[int, Visit | None] = {0: None}
        self._open: dict[tuple[str, Path], Visit] = {}

    def feed(self, event: Mapping[str, Any]) -> None:
        kind = str(getattr(event["type"], "value", event["type"]))
        before = int(event.get("previousEventId") or 0)
        path, visit = self._paths.get(before, ()), self._current.get(before)
        details = _details(event)
        if kind.endswith("StateEntered"):
            visit = self._enter(details, path, str(event["timestamp"]))
        elif kind.endswith("StateExited"):
            visit = self._exit(details, path, str(event["timestamp"])) or visit
            path = visit.path if visit else path
        elif kind == "MapIterationStarted":
            path, visit = _iteration(path, str(details.get("name")), details.get("index")), None
            self.trace.iterations[path] = RUNNING
        elif kind in _ITERATION_ENDS:
            self.trace.iterations[path] = _ITERATION_ENDS[kind]
            path, visit = path[:-1], None
        elif kind in _ENDS:
            self._end(_ENDS[kind], details)
        elif visit is not None:
            _attempt(visit, kind, details)
        if visit is not None:
            visit.events.append((str(event["timestamp"]), kind))
        number = int(event["id"])
        self._paths[number] = path
        # What follows a state's exit does not belong to it.
        self._current[number] = None if kind.endswith("StateExited") else visit

    def _enter(self, details: Mapping[str, Any], path: Path, at: str) -> Visit:
        name = str(details.get("name", ""))
        visit = Visit(name, path, at, input=str(details.get("input") or ""))
        self.trace.visits.append(visit)
        self._open[name, path] = visit
        return visit

    def _exit(self, details: Mapping[str, Any], path: Path, at: str) -> Visit | None:
        # A Map's exit follows an event of its last iteration.
        for length in range(len(path), -1, -1):
            visit = self._open.pop((str(details.get("name", "")), path[:length]), None)
            if visit is not None:
                visit.exited, visit.output = at, str(details.get("output") or "")
                visit.assigned = _variables(details.get("assignedVariables") or {})
                visit.status = CAUGHT if visit.error else SUCCEEDED
                return visit
        return None

    def _end(self, status: str, details: Mapping[str, Any]) -> None:
        for visit in self._open.values():
            visit.status = status
            visit.error = visit.error or str(details.get("error") or "")
            visit.cause = visit.cause or str(details.get("cause") or "")
        self._open.clear()
        for path, found in self.trace.iterations.items():
            if found == RUNNING:
                self.trace.iterations[path] = ABORTED


def _variables(assigned: Mapping[str, str]) -> str:
    """Return one JSON object of the JSON texts that a history has for each variable."""
    pairs = (f"{json.dumps(name)}: {text}" for name, text in sorted(assigned.items()))
    return f"{{{', '.join(pairs)}}}" if assigned else ""


def _attempt(visit: Visit, kind: str, details: Mapping[str, Any]) -> None:
    """Note how an attempt of the state's work ended; a later success takes a failure back."""
    if kind.endswith(("Failed", "TimedOut", "Aborted")):
        visit.error = str(details.get("error") or kind)
        visit.cause = str(details.get("cause") or "")
    elif kind.endswith("Succeeded"):
        visit.error = visit.cause = ""


def _iteration(path: Path, name: str, index: Any) -> Path:
    """Return the path of an iteration; it may follow an event within another one of its Map."""
    outer = next((i for i, (step, _) in enumerate(path) if step == name), len(path))
    return (*path[:outer], (name, int(index or 0)))


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, value in event.items():
        if key.endswith("EventDetails") and isinstance(value, Mapping):
            return value
    return {}


class Executions:
    """The executions of one account and region."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # The trace of the last ended execution: the page asks for it again and again.
        self._last: tuple[str, ExecutionTrace] | None = None

    def listed(self) -> list[dict[str, Any]]:
        """Return the newest executions of all state machines."""
        found = sorted(self._all(), key=lambda execution: execution.start_date, reverse=True)
        return [_summary(execution) for execution in found[:LISTED]]

    def described(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the execution `arn`, and the visits of the iteration `path` (JSON pairs).

        Raises LocalAwsError where there is no such execution, or the path is not one.
        """
        arn, path = query.get("arn", ""), _path(query.get("path", "[]"))
        execution = next((e for e in self._all() if e.execution_arn == arn), None)
        if execution is None:
            raise LocalAwsError(f"There is no execution {arn!r}.")
        trace = self._trace(execution)
        return {
            **_summary(execution),
            "definition": json.loads(execution.state_machine.definition),
            "input": _shortened(json.dumps(execution.input_data, ensure_ascii=False)),
            "output": _shortened(json.dumps(execution.output, ensure_ascii=False))
            if execution.output is not None
            else "",
            "error": execution.error or "",
            "cause": execution.cause or "",
            "counts": _counts(trace),
            "iterations": _iterations(trace),
            "visits": [_visit(visit) for visit in trace.within(path)],
        }

    def _all(self) -> Iterator[Any]:
        accounts: Any = stepfunctions_parser_backends[self._context.account_id]
        for machine in list(accounts[self._context.region].state_machines):
            yield from list(machine.executions)

    def _trace(self, execution: Any) -> ExecutionTrace:
        if self._last is not None and self._last[0] == execution.execution_arn:
            return self._last[1]
        env = execution.exec_worker.env if execution.exec_worker else None
        trace = parse(env.event_manager.get_event_history() if env else [])
        if execution.stop_date is not None:
            self._last = (execution.execution_arn, trace)
        return trace


def _summary(execution: Any) -> dict[str, Any]:
    stop = execution.stop_date
    end = stop or datetime.datetime.now(datetime.UTC)
    return {
        "arn": execution.execution_arn,
        "name": execution.name,
        "machine": execution.state_machine.name,
        "status": execution.status,
        "started": execution.start_date.isoformat(),
        "seconds": round((end - execution.start_date).total_seconds(), 3),
        "running": stop is None,
    }


def _counts(trace: ExecutionTrace) -> dict[str, dict[str, int]]:
    """Return how often each state was visited, by how that ended."""
    found: dict[str, Counter[str]] = {}
    for visit in trace.visits:
        found.setdefault(visit.name, Counter())[visit.status] += 1
    return {name: dict(counter) for name, counter in found.items()}


def _iterations(trace: ExecutionTrace) -> list[dict[str, Any]]:
    """Return each iteration's status; one that has caught an error is shown as that."""
    caught = {visit.path for visit in trace.visits if visit.status == CAUGHT}
    return [
        {
            "path": [list(step) for step in path],
            "status": CAUGHT if status == SUCCEEDED and path in caught else status,
        }
        for path, status in sorted(trace.iterations.items())
    ]


def _visit(visit: Any) -> dict[str, Any]:
    return {
        "name": visit.name,
        "path": [list(step) for step in visit.path],
        "status": visit.status,
        "entered": visit.entered,
        "exited": visit.exited,
        "input": _shortened(visit.input),
        "output": _shortened(visit.output),
        "assigned": _shortened(visit.assigned),
        "error": visit.error,
        "cause": _shortened(visit.cause),
        "events": visit.events,
    }


def _shortened(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}\n... {len(text) - SHOWN_CHARACTERS} characters more"


def _path(text: str) -> Path:
    try:
        return tuple((str(name), int(index)) for name, index in json.loads(text))
    except (ValueError, TypeError) as error:
        raise LocalAwsError(f"{text!r} is not a path of iterations.") from error
