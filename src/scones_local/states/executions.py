"""Executions from start to end: names, aliases, limits, and an outcome that is always whole."""

import datetime
import json
import random
import threading
import uuid
from typing import Any

from scones_local.registry import implement, wrap
from scones_local.states.engine import MAX_STATE_BYTES

_READY_SECONDS = 10.0


def install() -> None:
    """Mend StartExecution, the worker behind it, and DescribeExecution."""
    _start_by_any_arn()
    _publish_whole_outcomes()
    _end_on_internal_faults()
    _stop_at_any_time()
    _describe_every_end()


def _start_by_any_arn() -> None:
    from moto.stepfunctions.models import StateMachineVersion
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    missing = "cannot start a version: StartExecution asks for what only a machine has"
    implement(StateMachineVersion, "_handle_name_input_idempotency", fault=missing)(
        lambda *_: None  # the machine itself was asked already
    )
    implement(StateMachineVersion, "backend", fault=missing)(property(lambda _: None))

    fault = "names an execution None, knows no alias, and loses an execution of a version"

    @wrap(StepFunctionsParserBackend, "start_execution", fault=fault)
    def start_execution(
        original: Any,
        backend: Any,
        arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        **more: Any,
    ) -> Any:
        _check_input(execution_input)
        if name:
            backend._validate_name(name)
        name = name or str(uuid.uuid4())
        base_arn, qualified = _split(arn)
        base = backend.describe_state_machine(base_arn)
        existing = base._handle_name_input_idempotency(name, execution_input)
        if existing is not None:
            return existing
        target = _version_of(backend, arn) if qualified else arn
        execution = original(backend, target, name, execution_input, **more)
        execution.state_machine_arn = base_arn
        execution.version_arn = target if qualified else None
        execution.alias_arn = arn if qualified and target != arn else None
        if qualified:
            base.executions.append(execution)
        return execution


def _split(arn: str) -> tuple[str, bool]:
    """Return the machine's own ARN, and whether `arn` names a version or an alias of it."""
    parts = arn.split(":")
    return ":".join(parts[:7]), len(parts) > 7


def _version_of(backend: Any, arn: str) -> str:
    """Return the version that an ARN stands for; an alias draws one by its weights."""
    if arn.rsplit(":", 1)[1].isnumeric():
        return arn
    routes = backend.describe_state_machine_alias(arn).routing_configuration
    weights = [route["weight"] for route in routes]
    drawn: str = random.choices(routes, weights)[0]["stateMachineVersionArn"]  # noqa: S311
    return drawn


def _check_input(text: str | None) -> None:
    from moto.stepfunctions.exceptions import ValidationException

    if text is not None and len(text.encode("utf-8", "surrogatepass")) > MAX_STATE_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_STATE_BYTES}"
        )


def _publish_whole_outcomes() -> None:
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

    fault = "shows the new status before the output, so a reader may see SUCCEEDED without one"

    @wrap(BaseExecutionWorkerCommunication, "_reflect_execution_status", fault=fault)
    def reflect(original: Any, communication: Any) -> None:
        execution = communication.execution
        env = execution.exec_worker.env
        state = env.program_state()
        if isinstance(state, ProgramEnded):
            execution.output = env.states.get_input()
        elif isinstance(state, ProgramError):
            execution.error = (state.error or {}).get("error")
            execution.cause = (state.error or {}).get("cause")
        original(communication)


def _end_on_internal_faults() -> None:
    from moto.stepfunctions.parser.api import ExecutionStatus
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
    from moto.stepfunctions.parser.utils import TMP_THREADS

    @wrap(ExecutionWorker, "_execution_logic", fault="leaves an execution RUNNING when it breaks")
    def execution_logic(original: Any, worker: Any) -> None:
        try:
            original(worker)
        except Exception as error:  # whatever it is, the execution must not run for ever
            execution = worker._execution_communication.execution
            execution.error = "States.Runtime"
            execution.cause = f"{type(error).__name__}: {error}"
            execution.stop_date = datetime.datetime.now(datetime.UTC)
            execution.exec_status = ExecutionStatus.FAILED

    @wrap(ExecutionWorker, "start", fault="keeps every thread of every execution for ever")
    def start(original: Any, worker: Any) -> None:
        TMP_THREADS[:] = [thread for thread in TMP_THREADS if thread.is_alive()]
        original(worker)


def _stop_at_any_time() -> None:
    from moto.stepfunctions.parser.backend.execution import Execution

    fault = "cannot stop an execution that has just been started, and tells no stop date"

    @wrap(Execution, "stop", fault=fault)
    def stop(original: Any, execution: Any, stop_date: Any, error: Any, cause: Any) -> None:
        pause = threading.Event()
        for _ in range(int(_READY_SECONDS / 0.01)):
            env = execution.exec_worker.env
            if execution.stop_date is not None or (env is not None and env.is_running()):
                break
            pause.wait(0.01)
        original(execution, stop_date, error, cause)
        execution.stop_date = execution.stop_date or stop_date


def _describe_every_end() -> None:
    from moto.stepfunctions.responses import StepFunctionResponse

    fault = "tells no version, alias or time-out's stop date, and a text or null not as JSON"

    @wrap(StepFunctionResponse, "describe_execution", fault=fault)
    def describe_execution(original: Any, response: Any) -> Any:
        result = original(response)
        execution = response.stepfunction_backend.describe_execution(
            response._get_param("executionArn")
        )
        more = {
            "stateMachineVersionArn": getattr(execution, "version_arn", None),
            "stateMachineAliasArn": getattr(execution, "alias_arn", None),
            "stopDate": execution.stop_date if execution.status == "TIMED_OUT" else None,
        }
        if execution.status == "SUCCEEDED":
            more["output"] = json.dumps(
                execution.output, separators=(",", ":"), ensure_ascii=False, default=str
            )
        result.result.update({key: value for key, value in more.items() if value is not None})
        return result
