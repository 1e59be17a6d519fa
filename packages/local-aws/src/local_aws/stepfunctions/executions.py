"""Executions once they run: an outcome that is always whole, and told as AWS tells it."""

import datetime
import json
import threading
from typing import Any

from local_aws.core.patching import wrap
from local_aws.state.stores import shown
from local_aws.stepfunctions import metrics

_READY_SECONDS = 10.0


def install() -> None:
    """Mend the worker behind StartExecution, and DescribeExecution."""
    _have_an_environment_from_the_start()
    _publish_whole_outcomes()
    _end_on_internal_faults()
    _stop_at_any_time()
    _find_the_latest_first()
    _describe_every_end()


def _have_an_environment_from_the_start() -> None:
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    fault = "answers 500 for the Map Runs or history of an execution whose thread has not begun"

    @wrap(ExecutionWorker, "__init__", fault=fault)
    def init(original: Any, worker: Any, *args: Any, **given: Any) -> None:
        original(worker, *args, **given)
        worker.env = worker._get_evaluation_environment()

    @wrap(ExecutionWorker, "_get_evaluation_environment", fault=fault)
    def environment(original: Any, worker: Any) -> Any:
        return original(worker) if worker.env is None else worker.env


def _publish_whole_outcomes() -> None:
    from moto.stepfunctions.parser.asl.eval import program_state
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

    fault = "shows the new status before the output, so a reader may see SUCCEEDED without one"

    @wrap(BaseExecutionWorkerCommunication, "_reflect_execution_status", fault=fault)
    def reflect(original: Any, communication: Any) -> None:
        execution = communication.execution
        env = execution.exec_worker.env
        state = env.program_state()
        if isinstance(state, program_state.ProgramEnded):
            execution.output = env.states.get_input()
        elif isinstance(state, program_state.ProgramError):
            execution.error = (state.error or {}).get("error")
            execution.cause = (state.error or {}).get("cause")
        elif isinstance(state, program_state.ProgramStopped):
            execution.error, execution.cause = state.error, state.cause
        execution.event_count = len(env.event_manager._history_event_list)
        original(communication)
        metrics.ended(execution)


def _end_on_internal_faults() -> None:
    from moto.stepfunctions.parser.api import ExecutionStatus
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    @wrap(ExecutionWorker, "_execution_logic", fault="leaves an execution RUNNING when it breaks")
    def execution_logic(original: Any, worker: Any) -> None:
        metrics.started(worker._execution_communication.execution)
        try:
            original(worker)
        except Exception as error:  # whatever it is, the execution must not run for ever
            execution = worker._execution_communication.execution
            execution.error = "States.Runtime"
            execution.cause = f"{type(error).__name__}: {error}"
            execution.stop_date = datetime.datetime.now(datetime.UTC)
            execution.exec_status = ExecutionStatus.FAILED


def _stop_at_any_time() -> None:
    from moto.core.responses import ActionResult
    from moto.stepfunctions.parser.backend.execution import Execution
    from moto.stepfunctions.responses import StepFunctionResponse

    fault = "cannot stop an execution that has just been started, and tells no stop date"

    @wrap(Execution, "stop", fault=fault)
    def stop(original: Any, execution: Any, stop_date: Any, error: Any, cause: Any) -> None:
        pause = threading.Event()
        for _ in range(int(_READY_SECONDS / 0.01)):
            if execution.stop_date is not None or execution.exec_worker.env.is_running():
                break
            pause.wait(0.01)
        original(execution, stop_date, error, cause)
        execution.stop_date = execution.stop_date or stop_date

    @wrap(StepFunctionResponse, "stop_execution", fault="drops the error and the cause")
    def stop_execution(_: Any, response: Any) -> Any:
        execution = response.stepfunction_backend.describe_execution(
            response._get_param("executionArn")
        )
        now = datetime.datetime.now(datetime.UTC)
        execution.stop(now, response._get_param("error"), response._get_param("cause"))
        return ActionResult({"stopDate": execution.stop_date})


def _find_the_latest_first() -> None:
    from moto.stepfunctions.models import StepFunctionBackend

    fault = "looks through all executions for one of the last, which are asked about most"

    @wrap(StepFunctionBackend, "describe_execution", fault=fault)
    def describe_execution(original: Any, backend: Any, execution_arn: str) -> Any:
        machine = _machine_name(execution_arn)
        for found in backend.state_machines:
            if found.name == machine:
                for execution in reversed(found.executions):
                    if execution.execution_arn == execution_arn:
                        return execution
        return original(backend, execution_arn)


def _machine_name(execution_arn: str) -> str:
    parts = execution_arn.split(":")
    return parts[6] if len(parts) > 7 else ""


def _describe_every_end() -> None:
    from moto.stepfunctions.responses import StepFunctionResponse

    fault = "tells no version, alias or time-out's stop date, and a text or null not as JSON"

    @wrap(StepFunctionResponse, "describe_execution", fault=fault)
    def describe_execution(original: Any, response: Any) -> Any:
        result = original(response)
        execution = response.stepfunction_backend.describe_execution(
            response._get_param("executionArn")
        )
        if execution.stop_date is not None:
            shown()
        succeeded = execution.status == "SUCCEEDED"
        more = {
            "stateMachineVersionArn": getattr(execution, "version_arn", None),
            "stateMachineAliasArn": getattr(execution, "alias_arn", None),
            "mapRunArn": getattr(execution, "map_run_arn", None),
            "itemCount": getattr(execution, "item_count", None),
            "stopDate": execution.stop_date,
            "inputDetails": {"included": True},
            "outputDetails": {"included": True} if succeeded else None,
            "output": output_text(execution) if succeeded else None,
            "traceHeader": execution.trace_header,
            "redriveCount": 0,
        }
        result.result.update({key: value for key, value in more.items() if value is not None})
        return result


def output_text(execution: Any) -> str:
    """Return a finished execution's output as compact JSON."""
    return json.dumps(execution.output, separators=(",", ":"), ensure_ascii=False, default=str)
