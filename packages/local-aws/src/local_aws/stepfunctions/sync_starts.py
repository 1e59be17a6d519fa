"""StartSyncExecution: an Express execution whose outcome is the answer."""

import uuid
from typing import Any

from local_aws.core.patching import implement
from local_aws.stepfunctions.executions import output_text
from local_aws.stepfunctions.starts import check_input, new_execution, request_data, split

_UNSUPPORTED = "This operation is not supported by this type of state machine"
# Express executions are billed for memory in steps of 64 MB and time in steps of 100 ms.
_BILLED_MB, _BILLED_MILLISECONDS = 64, 100


def install() -> None:
    """Add the operation, which moto lacks."""
    from moto.core.responses import ActionResult
    from moto.stepfunctions.parser.api import StateMachineTypeNotSupported
    from moto.stepfunctions.parser.backend.execution import SyncExecution
    from moto.stepfunctions.responses import StepFunctionResponse

    @implement(StepFunctionResponse, "start_sync_execution", fault="is missing")
    def start_sync_execution(response: Any) -> Any:
        backend, arn = response.stepfunction_backend, response._get_param("stateMachineArn")
        if backend.describe_state_machine(split(arn)[0]).type != "EXPRESS":
            raise StateMachineTypeNotSupported(_UNSUPPORTED)
        text, name = response._get_param("input"), response._get_param("name")
        check_input(text)
        if name:
            backend._validate_name(name)
        given = request_data(text, response._get_param("traceHeader"))
        execution = new_execution(SyncExecution, backend, arn, name or str(uuid.uuid4()), given)
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
