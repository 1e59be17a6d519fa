"""The event that an execution's status changed.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from typing import Any

from scones_local.events.notices import tell
from scones_local.states.starts import output_text


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
        "output": output_text(execution) if succeeded else None,
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


def _milliseconds(at: Any) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
