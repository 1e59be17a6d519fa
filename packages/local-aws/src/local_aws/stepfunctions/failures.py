"""The interpreter's way to fail a state under one of the States Language's own error names."""

from typing import Any


class StateFailed(Exception):
    """A state's end under a reserved error name such as `States.ItemReaderFailed`."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(cause)
        self.error, self.cause = error, cause


def task_failure(task: Any, env: Any, error: str, cause: str) -> Any:
    """Return moto's object for the failure of a service integration's task."""
    from moto.stepfunctions.parser.api import HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
    )

    details: Any = {
        "taskFailedEventDetails": {
            "error": error,
            "cause": cause,
            "resource": task._get_sfn_resource(),
            "resourceType": task._get_sfn_resource_type(),
        }
    }
    name, kind = error_name(error), HistoryEventType("TaskFailed")
    return FailureEvent(env=env, error_name=name, event_type=kind, event_details=details)


def failure_event(env: Any, error: str, cause: str, event: str) -> Exception:
    """Return the exception by which the interpreter fails a state; Retry and Catch see `error`.

    `event` is the history event's type.
    """
    from moto.stepfunctions.parser.api import HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
        FailureEventException,
    )

    details = f"{event[0].lower()}{event[1:]}EventDetails"
    told: Any = {details: {"error": error, "cause": cause}}
    name, kind = error_name(error), HistoryEventType(event)
    return FailureEventException(
        FailureEvent(env=env, error_name=name, event_type=kind, event_details=told)
    )


def error_name(error: str | None) -> Any:
    """Return moto's object for an error name, a reserved one or any other."""
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
        CustomErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
        StatesErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
        StatesErrorNameType,
    )

    for kind in StatesErrorNameType:
        if kind.to_name() == error:
            return StatesErrorName(kind)
    return CustomErrorName(error)
