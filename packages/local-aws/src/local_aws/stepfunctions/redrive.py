"""RedriveExecution: an execution that did not succeed goes on from where it ended.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import datetime
import threading
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType

from local_aws.core.patching import add, patch
from local_aws.stepfunctions import status_events
from local_aws.stepfunctions.executions import run_worker
from local_aws.stepfunctions.history import MAX_EVENTS
from local_aws.stepfunctions.interpreter import copied, in_background
from local_aws.stepfunctions.progress import resume

REDRIVABLE_PERIOD = datetime.timedelta(days=14)
MAX_REDRIVES = 1_000
_redriving = threading.Lock()


def redrive_status(execution: Any) -> tuple[str, str]:
    """Return an execution's `redriveStatus`, and the reason where it cannot be redriven."""
    age = datetime.datetime.now(datetime.UTC) - execution.start_date
    if execution.status in ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE"):
        reason = f"Execution is {execution.status} and cannot be redriven"
    elif age > REDRIVABLE_PERIOD:
        reason = "Execution was started more than 14 days ago and cannot be redriven"
    elif getattr(execution, "redrive_count", 0) >= MAX_REDRIVES:
        reason = f"Execution was redriven {MAX_REDRIVES} times and cannot be redriven again"
    elif getattr(execution, "event_count", 0) >= MAX_EVENTS - 1:
        reason = f"Execution has a history of {MAX_EVENTS} events and cannot be redriven"
    elif getattr(execution, "progress", None) is None:
        reason = "Execution ended in a crash, and cannot be redriven"
    elif getattr(execution, "map_run_arn", None) is not None:
        return "REDRIVABLE_BY_MAP_RUN", ""
    else:
        return "REDRIVABLE", ""
    return "NOT_REDRIVABLE", reason


def redrive_fields(execution: Any) -> dict[str, Any]:
    """Return what DescribeExecution has of redrives; None where there is nothing."""
    status, reason = redrive_status(execution)
    return {
        "redriveCount": getattr(execution, "redrive_count", 0),
        "redriveDate": getattr(execution, "redrive_date", None),
        "redriveStatus": status,
        "redriveStatusReason": reason or None,
    }


@add("moto.stepfunctions.responses.StepFunctionResponse.redrive_execution", why="is missing")
def redrive_execution(response: Any) -> Any:
    """Answer RedriveExecution; the same client token gets the same answer."""
    execution = response.stepfunction_backend.describe_execution(
        response._get_param("executionArn")
    )
    token = response._get_param("clientToken")
    with _redriving:
        if token is None or token != getattr(execution, "redrive_token", None):
            status, reason = redrive_status(execution)
            if status != "REDRIVABLE":
                reason = reason or "Redrive the execution that started its Map Run"
                raise AWSError(f"Execution not redrivable: '{reason}'", "ExecutionNotRedrivable")
            prepare(execution)
            execution.redrive_token = token
            in_background(lambda: run(execution))
    return ActionResult({"redriveDate": execution.redrive_date})


def prepare(execution: Any) -> None:
    """Have an execution be RUNNING again, with its history, its Map Runs and its progress."""
    past = execution.exec_worker.env
    events = past.event_manager.get_event_history()
    worker = execution._get_start_execution_worker()
    env = worker.env
    env.progress = resume(copied(execution.progress))
    env.map_run_record_pool_manager = past.map_run_record_pool_manager
    env.event_manager._history_event_list.extend(events)
    last = events[-1]["id"] if events else 0
    env.event_manager._event_id_gen._next_id = last + 1
    env.event_history_context.source_event_id = last
    env.event_history_context.last_published_event_id = last
    execution.redrive_count = getattr(execution, "redrive_count", 0) + 1
    execution.redrive_date = datetime.datetime.now(datetime.UTC)
    redriven: Any = env.states.context_object.context_object_data["Execution"]
    redriven["RedriveCount"] = execution.redrive_count
    redriven["RedriveTime"] = execution.redrive_date.isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    execution.exec_worker = worker
    execution.error = execution.cause = execution.output = None
    execution.stop_date = None
    execution.exec_status = ExecutionStatus.RUNNING
    details: Any = {"executionRedrivenEventDetails": {"redriveCount": execution.redrive_count}}
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.ExecutionRedriven,
        event_details=details,
    )


def run(execution: Any) -> None:
    """Run a prepared execution to its end, in the caller's thread."""
    worker = execution.exec_worker
    status_events.started(execution)

    def logic() -> None:
        program = getattr(worker, "local_program", None) or worker._get_evaluation_entrypoint()
        program.eval(worker.env)
        worker._execution_communication.terminated()

    run_worker(execution, logic)


@patch(
    "moto.stepfunctions.parser.backend.execution.BaseExecutionWorkerCommunication"
    "._reflect_execution_status",
    why="does not keep how far an execution has come",
)
def keep_progress(original: Any, communication: Any) -> None:
    """Keep the progress of an execution that did not succeed, before its status is seen."""
    execution = communication.execution
    env = execution.exec_worker.env
    ended = type(env._program_state).__name__ == "ProgramEnded"
    express = str(execution.sm_type).rpartition(".")[2].upper() == "EXPRESS"
    # Empty where it was stopped before its first state: a redrive begins with that.
    execution.progress = None if ended or express else copied(env.progress)
    original(communication)
