"""The errors of states: their names and limits as the States Language has them.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimeoutError

from local_aws.core.patching import patch, set_value
from local_aws.stepfunctions.interpreter import modules_with
from local_aws.stepfunctions.json_data import within_quota

# The guide says that States.ALL does not catch States.DataLimitExceeded either. AWS does catch it
# where a task's result is too large (recorded in March 2024).
_TERMINAL_ERROR = "States.Runtime"
_STATE = "moto.stepfunctions.parser.asl.component.state"


class StateFailed(Exception):
    """A state's end under a reserved error name such as `States.ItemReaderFailed`."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(cause)
        self.error, self.cause = error, cause


def matches_error(named: set[str], error: str | None) -> bool:
    """Return whether an `ErrorEquals` list has an error's name, or one that stands for it."""
    if error in named:
        return True
    if "States.ALL" in named:
        return error != _TERMINAL_ERROR
    if error == "States.HeartbeatTimeout":
        return "States.Timeout" in named
    return "States.TaskFailed" in named and error not in (_TERMINAL_ERROR, "States.Timeout")


def named_error(error: str | None) -> Any:
    """Return moto's object for an error name, a reserved one or any other."""
    for kind in StatesErrorNameType:
        if kind.to_name() == error:
            return StatesErrorName(kind)
    return CustomErrorName(error)


def failure_event(env: Any, error: str, cause: str, event: str) -> Exception:
    """Return the exception by which the interpreter fails a state; Retry and Catch see `error`.

    `event` is the history event's type.
    """
    field = f"{event[0].lower()}{event[1:]}EventDetails"
    details: Any = {field: {"error": error, "cause": cause}}
    name, kind = named_error(error), HistoryEventType(event)
    return FailureEventException(
        FailureEvent(env=env, error_name=name, event_type=kind, event_details=details)
    )


def task_failure(task: Any, env: Any, error: str, cause: str) -> Any:
    """Return moto's object for the failure of a service integration's task."""
    details: Any = {
        "taskFailedEventDetails": {
            "error": error,
            "cause": cause,
            "resource": task._get_sfn_resource(),
            "resourceType": task._get_sfn_resource_type(),
        }
    }
    name, kind = named_error(error), HistoryEventType("TaskFailed")
    return FailureEvent(env=env, error_name=name, event_type=kind, event_details=details)


def _by_keyword(error_name: str | None) -> Any:
    return named_error(error_name)


for _module in (
    f"{_STATE}.exec.state_map.iteration.iteration_worker",
    f"{_STATE}.exec.state_parallel.branches_decl",
):
    set_value(
        f"{_module}.CustomErrorName",
        _by_keyword,
        why="hides a States.* error of a Map item or branch behind one about its name",
    )
for _symbol in modules_with("is_within_size_quota"):
    set_value(
        _symbol, within_quota, why="counts the blanks of its own formatting, and refuses the limit"
    )


@patch(
    "moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl"
    ".ErrorEqualsDecl._eval_body",
    why="has States.ALL match States.Runtime, and States.TaskFailed no reserved one",
)
def evaluate_error_equals(_: Any, declaration: Any, env: Any) -> None:
    """Put on the stack whether the names of a Retry or Catch have the error."""
    error = getattr(env.stack.pop(), "error_name", None)
    named = {name.error_name for name in declaration.error_names}
    env.stack.append(matches_error(named, error))


@patch(
    f"{_STATE}.exec.state_task.state_task.StateTask._from_error",
    why="names a missed heartbeat States.Timeout",
)
def from_error(original: Any, task: Any, env: Any, ex: Exception) -> Any:
    """Return the failure of a task for what was raised in it."""
    event = original(task, env=env, ex=ex)
    if isinstance(ex, HeartbeatTimeoutError):
        event.error_name = named_error("States.HeartbeatTimeout")
        event.event_details["taskTimedOutEventDetails"]["error"] = "States.HeartbeatTimeout"
    return event
