"""The AWS/States metrics of executions.

https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

from collections.abc import Callable
from typing import Any

_ENDS = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}
# Takes a namespace, a metric's name, its dimensions, its value and its unit.
Put = Callable[[str, str, dict[str, str], float, str], None]
_puts: list[Put] = []


def publish_with(put: Put) -> None:
    """Have the metrics of executions published with this function as well."""
    _puts.append(put)


def started(execution: Any) -> None:
    """Count the start of an execution."""
    _put(execution, "ExecutionsStarted", 1.0, "Count")


def ended(execution: Any) -> None:
    """Count the end of an execution, and measure its time."""
    milliseconds = (execution.stop_date - execution.start_date).total_seconds() * 1000
    _put(execution, _ENDS[execution.status], 1.0, "Count")
    _put(execution, "ExecutionTime", milliseconds, "Milliseconds")


def _put(execution: Any, name: str, value: float, unit: str) -> None:
    # The children of a Map Run count for the Map Run, not for the state machine.
    if getattr(execution, "map_run_arn", None) is None:
        for put in _puts:
            put("AWS/States", name, {"StateMachineArn": execution.state_machine_arn}, value, unit)
