"""The AWS/States metrics of executions.

https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

from typing import Any

from local_aws.core.metrics import emit

_ENDS = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


def started(execution: Any) -> None:
    """Count the start of an execution."""
    _emit(execution, {"ExecutionsStarted": 1.0})


def ended(execution: Any) -> None:
    """Count the end of an execution, and measure its time."""
    milliseconds = (execution.stop_date - execution.start_date).total_seconds() * 1000
    counts = {"ExecutionTime": milliseconds}
    counts |= {name: float(status == execution.status) for status, name in _ENDS.items()}
    _emit(execution, counts)


def _emit(execution: Any, values: dict[str, float]) -> None:
    if getattr(execution, "map_run_arn", None) is not None:
        return  # the children of a Map Run are not the state machine's own executions
    units = {name: "Milliseconds" if name == "ExecutionTime" else "Count" for name in values}
    dimensions = {"StateMachineArn": execution.state_machine_arn}
    emit("AWS/States", dimensions, values, units, region=execution.region_name)
