"""Status events of executions: an EventBridge event and the AWS/States metrics.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

import json
from typing import Any

from local_aws.core.metrics import emit
from local_aws.core.service_events import publish_event
from local_aws.stepfunctions.json_data import compact

MAX_ESCAPED_BYTES = 248 * 1024
"""How much of an execution's data an event has: an event has at most 256 KiB."""
_ENDS = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


def started(execution: Any) -> None:
    """Publish that an execution has started."""
    _emit(execution, {"ExecutionsStarted": 1.0})
    _status_changed(execution)


def ended(execution: Any) -> None:
    """Publish an execution's end, and its time."""
    milliseconds = (execution.stop_date - execution.start_date).total_seconds() * 1000
    counts = {"ExecutionTime": milliseconds}
    counts |= {name: float(status == execution.status) for status, name in _ENDS.items()}
    _emit(execution, counts)
    _status_changed(execution)


def _emit(execution: Any, values: dict[str, float]) -> None:
    if getattr(execution, "map_run_arn", None) is not None:
        return  # the children of a Map Run are not the state machine's own executions
    units = {name: "Milliseconds" if name == "ExecutionTime" else "Count" for name in values}
    dimensions = {"StateMachineArn": execution.state_machine_arn}
    emit("AWS/States", dimensions, values, units, region=execution.region_name)


def _status_changed(execution: Any) -> None:
    """Put `Step Functions Execution Status Change` on the default bus; Express has none."""
    if str(execution.sm_type).rpartition(".")[2].upper() == "EXPRESS":
        return
    detail = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "stateMachineVersionArn": getattr(execution, "version_arn", None),
        "stateMachineAliasArn": getattr(execution, "alias_arn", None),
        "redriveCount": getattr(execution, "redrive_count", 0),
        "redriveDate": _milliseconds(getattr(execution, "redrive_date", None)),
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        **included_data(
            execution.execution_input,
            compact(execution.output) if execution.status == "SUCCEEDED" else None,
        ),
        "error": execution.error,
        "cause": execution.cause,
    }
    region = execution.execution_arn.split(":")[3]
    publish_event(
        "aws.states",
        "Step Functions Execution Status Change",
        detail,
        [execution.execution_arn],
        region,
    )


def included_data(given: str, output: str | None) -> dict[str, Any]:
    """Return the fields of an event about an execution's input and output, in JSON.

    Left out is the input where it is too long together with the output, and an output that is
    too long alone.
    """
    output_bytes = 0 if output is None else _escaped_bytes(output)
    has_input = _escaped_bytes(given) + output_bytes <= MAX_ESCAPED_BYTES
    has_output = output_bytes <= MAX_ESCAPED_BYTES
    return {
        "input": given if has_input else None,
        "output": output if has_output else None,
        "inputDetails": {"included": has_input},
        "outputDetails": None if output is None else {"included": has_output},
    }


def _escaped_bytes(text: str) -> int:
    """Return how long a text is as a string in JSON, without its quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) - 2


def _milliseconds(at: Any) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
