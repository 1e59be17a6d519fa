"""An execution's history as visits of its states: when, with what, and how each ended.

Each event names the event before it in its own branch or iteration (`previousEventId`,
https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html), so that
the state which it belongs to is found along that chain.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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
class Story:
    """What a history tells: the visits, and the status of each iteration of each Map."""

    visits: list[Visit] = field(default_factory=list)
    iterations: dict[Path, str] = field(default_factory=dict)

    def within(self, path: Path) -> Iterator[Visit]:
        """Yield the visits on the way to an iteration, and of the iteration itself."""
        return (visit for visit in self.visits if visit.path == path[: len(visit.path)])


def tell(events: Iterable[Mapping[str, Any]]) -> Story:
    """Return the story of a history; events of kinds that are not known are kept as they are."""
    teller = _Teller()
    for event in events:
        teller.hear(event)
    return teller.story


class _Teller:
    def __init__(self) -> None:
        self.story = Story()
        self._paths: dict[int, Path] = {0: ()}
        self._current: dict[int, Visit | None] = {0: None}
        self._open: dict[tuple[str, Path], Visit] = {}

    def hear(self, event: Mapping[str, Any]) -> None:
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
            self.story.iterations[path] = RUNNING
        elif kind in _ITERATION_ENDS:
            self.story.iterations[path] = _ITERATION_ENDS[kind]
            path, visit = path[:-1], None
        elif kind in _ENDS:
            self._end(_ENDS[kind], details)
        elif visit is not None:
            _attempt(visit, kind, details)
        if visit is not None:
            visit.events.append((str(event["timestamp"]), kind))
        number = int(event["id"])
        self._paths[number] = path
        # What follows a state's exit is none of its own.
        self._current[number] = None if kind.endswith("StateExited") else visit

    def _enter(self, details: Mapping[str, Any], path: Path, at: str) -> Visit:
        name = str(details.get("name", ""))
        visit = Visit(name, path, at, input=str(details.get("input") or ""))
        self.story.visits.append(visit)
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
        for path, found in self.story.iterations.items():
            if found == RUNNING:
                self.story.iterations[path] = ABORTED


def _variables(assigned: Mapping[str, str]) -> str:
    """Return as one JSON object what a history tells as a JSON text for each variable."""
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
