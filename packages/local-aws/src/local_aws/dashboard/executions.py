"""State machines and executions as the page shows them."""

import datetime
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.core.context import Context
from local_aws.dashboard.history_view import CAUGHT, SUCCEEDED, Path, Story, tell
from local_aws.errors import LocalAwsError

LISTED = 50
# A state's data is 256 KiB at most; so many characters of it are read by nobody.
SHOWN_CHARACTERS = 20_000


class Executions:
    """The executions of one account and region."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # The story of an ended execution, as it is asked for again and again.
        self._told: tuple[str, Story] | None = None

    def listed(self) -> list[dict[str, Any]]:
        """Return the newest executions of all state machines."""
        found = sorted(self._all(), key=lambda execution: execution.start_date, reverse=True)
        return [_summary(execution) for execution in found[:LISTED]]

    def described(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the execution `arn`, and the visits of the iteration `path` (JSON pairs).

        Raises LocalAwsError where there is no such execution, or the path is none.
        """
        arn, path = query.get("arn", ""), _path(query.get("path", "[]"))
        execution = next((e for e in self._all() if e.execution_arn == arn), None)
        if execution is None:
            raise LocalAwsError(f"There is no execution {arn!r}.")
        story = self._story(execution)
        return {
            **_summary(execution),
            "definition": json.loads(execution.state_machine.definition),
            "input": _shown(json.dumps(execution.input_data, ensure_ascii=False)),
            "output": _shown(json.dumps(execution.output, ensure_ascii=False))
            if execution.output is not None
            else "",
            "error": execution.error or "",
            "cause": execution.cause or "",
            "counts": _counts(story),
            "iterations": _iterations(story),
            "visits": [_visit(visit) for visit in story.within(path)],
        }

    def _all(self) -> Iterator[Any]:
        from moto.stepfunctions.parser.models import stepfunctions_parser_backends

        accounts: Any = stepfunctions_parser_backends[self._context.account_id]
        for machine in list(accounts[self._context.region].state_machines):
            yield from list(machine.executions)

    def _story(self, execution: Any) -> Story:
        if self._told is not None and self._told[0] == execution.execution_arn:
            return self._told[1]
        env = execution.exec_worker.env if execution.exec_worker else None
        story = tell(env.event_manager.get_event_history() if env else [])
        if execution.stop_date is not None:
            self._told = (execution.execution_arn, story)
        return story


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


def _counts(story: Story) -> dict[str, dict[str, int]]:
    """Return how often each state was visited, by how that ended."""
    found: dict[str, Counter[str]] = {}
    for visit in story.visits:
        found.setdefault(visit.name, Counter())[visit.status] += 1
    return {name: dict(counter) for name, counter in found.items()}


def _iterations(story: Story) -> list[dict[str, Any]]:
    """Return each iteration's status; one that has caught an error is shown as that."""
    caught = {visit.path for visit in story.visits if visit.status == CAUGHT}
    return [
        {
            "path": [list(step) for step in path],
            "status": CAUGHT if status == SUCCEEDED and path in caught else status,
        }
        for path, status in sorted(story.iterations.items())
    ]


def _visit(visit: Any) -> dict[str, Any]:
    return {
        "name": visit.name,
        "path": [list(step) for step in visit.path],
        "status": visit.status,
        "entered": visit.entered,
        "exited": visit.exited,
        "input": _shown(visit.input),
        "output": _shown(visit.output),
        "assigned": _shown(visit.assigned),
        "error": visit.error,
        "cause": _shown(visit.cause),
        "events": visit.events,
    }


def _shown(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}\n... {len(text) - SHOWN_CHARACTERS} characters more"


def _path(text: str) -> Path:
    try:
        return tuple((str(name), int(index)) for name, index in json.loads(text))
    except (ValueError, TypeError) as error:
        raise LocalAwsError(f"{text!r} is no path of iterations.") from error
