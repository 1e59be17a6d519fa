"""The event that an execution's status changed.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import json
from typing import Any

from local_aws.core.patching import wrap
from local_aws.core.service_events import tell

_FAULT = "tells nobody of an execution's status"


def install() -> None:
    """Tell of each start and of each end."""
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    @wrap(ExecutionWorker, "_execution_logic", fault=_FAULT)
    def execution_logic(original: Any, worker: Any) -> None:
        status_changed(worker._execution_communication.execution)
        original(worker)

    @wrap(BaseExecutionWorkerCommunication, "_reflect_execution_status", fault=_FAULT)
    def reflect(original: Any, communication: Any) -> None:
        original(communication)
        status_changed(communication.execution)


def status_changed(execution: Any) -> None:
    """Put `Step Functions Execution Status Change` on the default bus; Express has none."""
    if str(execution.sm_type).rpartition(".")[2].upper() == "EXPRESS":
        return
    succeeded = execution.status == "SUCCEEDED"
    detail = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": execution.execution_input,
        "output": _json(execution.output) if succeeded else None,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if succeeded else None,
        "error": execution.error,
        "cause": execution.cause,
    }
    region = execution.execution_arn.split(":")[3]
    tell(
        "aws.states",
        "Step Functions Execution Status Change",
        detail,
        [execution.execution_arn],
        region,
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _milliseconds(at: Any) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
