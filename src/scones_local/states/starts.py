"""StartExecution and StartSyncExecution: names, aliases, versions, Express and Standard."""

import datetime
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

from scones_local.registry import implement, wrap
from scones_local.states import retention
from scones_local.states.engine import MAX_STATE_BYTES

_UNSUPPORTED = "This operation is not supported by this type of state machine"
# Express executions are billed for memory in steps of 64 MB and time in steps of 100 ms.
_BILLED_MB, _BILLED_MILLISECONDS = 64, 100


def install() -> None:
    """Mend the two operations that start executions."""
    _start()
    _start_and_wait()
    _refuse_express_arns()


def _start() -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    fault = "names an execution None, knows no alias and no Express, and copies the whole machine"

    @wrap(StepFunctionsParserBackend, "start_execution", fault=fault)
    def start_execution(
        _: Any,
        backend: Any,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: str | None = None,
    ) -> Any:
        return _started(backend, state_machine_arn, name, execution_input, trace_header)


def _started(
    backend: Any, arn: str, name: str | None, text: str | None, trace_header: str | None
) -> Any:
    from moto.stepfunctions.parser.backend.execution import Execution

    _check_input(text)
    if name:
        backend._validate_name(name)
    base_arn, qualified = _split(arn)
    base = backend.describe_state_machine(base_arn)
    if name and base.type != "EXPRESS":
        existing = base._handle_name_input_idempotency(name, text)
        if existing is not None:
            return existing
    execution = _execution(
        Execution, backend, arn, name or str(uuid.uuid4()), _given(text, trace_header)
    )
    target = execution.state_machine.arn
    execution.version_arn = target if qualified else None
    execution.alias_arn = arn if qualified and target != arn else None
    if base.type != "EXPRESS":  # nothing can be asked about an Express execution later
        base.executions.append(execution)
        retention.forget(base.executions)
    execution.start()
    return execution


def _execution(
    kind: Callable[..., Any], backend: Any, arn: str, name: str, given: dict[str, Any]
) -> Any:
    base_arn, qualified = _split(arn)
    machine = backend.describe_state_machine(_version_of(backend, arn) if qualified else arn)
    prefix = f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}"
    express = machine.type == "EXPRESS"
    middle = f"{'express' if express else 'execution'}:{machine.name}:{name}"
    execution = kind(
        name=name,
        sm_type=machine.type,
        role_arn=machine.roleArn,
        exec_arn=f"{prefix}:{middle}:{uuid.uuid4()}" if express else f"{prefix}:{middle}",
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=_Snapshot(machine),
        start_date=datetime.datetime.now(datetime.UTC),
        cloud_watch_logging_session=None,
        activity_store={},
        **given,
    )
    execution.state_machine_arn = base_arn
    return execution


def _given(text: str | None, trace_header: str | None) -> dict[str, Any]:
    return {"input_data": "{}" if text is None else text, "trace_header": trace_header}


class _Snapshot:
    """What an execution goes by, whatever becomes of its machine while it runs."""

    def __init__(self, machine: Any) -> None:
        self.arn, self.name, self.definition = machine.arn, machine.name, machine.definition
        self.type = self.sm_type = machine.type
        self.roleArn, self.loggingConfiguration = machine.roleArn, machine.loggingConfiguration


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
    from moto.stepfunctions.parser.api import InvalidExecutionInput

    if text is None:
        return
    if len(text.encode("utf-8", "surrogatepass")) > MAX_STATE_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_STATE_BYTES}"
        )
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error


def _start_and_wait() -> None:
    from moto.core.responses import ActionResult
    from moto.stepfunctions.parser.api import StateMachineTypeNotSupported
    from moto.stepfunctions.parser.backend.execution import SyncExecution
    from moto.stepfunctions.responses import StepFunctionResponse

    @implement(StepFunctionResponse, "start_sync_execution", fault="is missing")
    def start_sync_execution(response: Any) -> Any:
        backend, arn = response.stepfunction_backend, response._get_param("stateMachineArn")
        if backend.describe_state_machine(_split(arn)[0]).type != "EXPRESS":
            raise StateMachineTypeNotSupported(_UNSUPPORTED)
        text, name = response._get_param("input"), response._get_param("name")
        _check_input(text)
        if name:
            backend._validate_name(name)
        given = _given(text, response._get_param("traceHeader"))
        execution = _execution(SyncExecution, backend, arn, name or str(uuid.uuid4()), given)
        execution.start()
        return ActionResult(_sync_answer(execution))


def _sync_answer(execution: Any) -> dict[str, Any]:
    succeeded = execution.status == "SUCCEEDED"
    seconds = (execution.stop_date - execution.start_date).total_seconds()
    steps = -(-int(seconds * 1000) // _BILLED_MILLISECONDS) or 1
    answer = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "startDate": execution.start_date,
        "stopDate": execution.stop_date,
        "status": execution.status if execution.status != "ABORTED" else "FAILED",
        "error": execution.error,
        "cause": execution.cause,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": output_text(execution) if succeeded else None,
        "outputDetails": {"included": True} if succeeded else None,
        "traceHeader": execution.trace_header,
        "billingDetails": {
            "billedMemoryUsedInMB": _BILLED_MB,
            "billedDurationInMilliseconds": steps * _BILLED_MILLISECONDS,
        },
    }
    return {name: value for name, value in answer.items() if value is not None}


def output_text(execution: Any) -> str:
    """Return a finished execution's output as compact JSON."""
    return json.dumps(execution.output, separators=(",", ":"), ensure_ascii=False, default=str)


def _refuse_express_arns() -> None:
    from moto.stepfunctions.exceptions import InvalidArn
    from moto.stepfunctions.models import StepFunctionBackend

    fault = "says that an Express execution does not exist, where it cannot be asked about"

    @wrap(StepFunctionBackend, "_validate_execution_arn", fault=fault)
    def validate(original: Any, backend: Any, execution_arn: str) -> None:
        if ":express:" in execution_arn:
            raise InvalidArn("Invalid Arn: 'Resource type not valid in this context: express'")
        original(backend, execution_arn)
