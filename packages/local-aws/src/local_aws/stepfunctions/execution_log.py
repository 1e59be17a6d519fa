"""The log of executions in CloudWatch Logs, as a state machine's logging configuration says.

https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

import datetime
import json
import threading
import zlib
from dataclasses import dataclass
from typing import Any

from moto.logs.models import logs_backends
from moto.stepfunctions.parser.api import InvalidLoggingConfiguration

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import patch
from local_aws.stepfunctions.clients import denial

# Escaped data above this is left out, for the limits of CloudWatch Logs.
MAX_DATA_BYTES = 248 * 1024
_FATAL = frozenset(("ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"))
_ERROR_SUFFIXES = ("Aborted", "Failed", "TimedOut", "FailStateEntered")
_DATA = ("input", "output", "parameters")
_BATCH, _BATCH_MILLISECONDS = 100, 1000
_writing = threading.Lock()  # moto's streams are not safe to share


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Where and what a state machine logs. `level` is ALL, ERROR or FATAL."""

    stream: str
    group: str
    region: str
    level: str
    include_data: bool


class ExecutionLog:
    """The log of one execution; entries go out in batches, and all of them with `flush`."""

    def __init__(self, execution_arn: str, target: LogTarget) -> None:
        self._execution_arn, self._target = execution_arn, target
        self._rows: list[dict[str, Any]] = []

    def of(self, execution_arn: str) -> "ExecutionLog":
        """Return the log of a child execution."""
        return ExecutionLog(execution_arn, self._target)

    def publish(self, event: dict[str, Any], when: datetime.datetime) -> None:
        """Take one history event, if the level has it; the caller holds the execution's lock."""
        kind = str(getattr(event["type"], "value", event["type"]))
        if not is_logged(self._target.level, kind):
            return
        now = int(when.timestamp() * 1000)
        message = log_message(event, kind, now, self._execution_arn, self._target.include_data)
        self._rows.append({"timestamp": now, "message": message})
        if len(self._rows) >= _BATCH or now - self._rows[0]["timestamp"] >= _BATCH_MILLISECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was taken; it is lost when the log group was deleted, as on AWS."""
        rows, self._rows = self._rows, []
        with _writing:
            backend = logs_backends[ACCOUNT_ID][self._target.region]
            group = backend.groups.get(self._target.group)
            if group is None or not rows:
                return
            if self._target.stream not in group.streams:
                group.create_log_stream(self._target.stream)
            backend.put_log_events(self._target.group, self._target.stream, rows)


def is_logged(level: str, kind: str) -> bool:
    """Return whether a log level has an event type.

    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-log-level
    """
    if level == "ALL":
        return True
    if level == "ERROR":
        return kind.endswith(_ERROR_SUFFIXES)
    return level == "FATAL" and kind in _FATAL


def log_message(
    event: dict[str, Any], kind: str, milliseconds: int, execution_arn: str, include_data: bool
) -> str:
    """Return one entry's JSON; `details` leave the data out where it is not to be included."""
    details = next((value for value in event.values() if isinstance(value, dict)), {})
    entry = {
        "id": str(event["id"]),
        "type": kind,
        "details": _details(details, include_data),
        "previous_event_id": str(event["previousEventId"]),
        "event_timestamp": str(milliseconds),
        "execution_arn": execution_arn,
        "redrive_count": "0",
    }
    return json.dumps(entry, separators=(",", ":"), default=str)


def _details(details: dict[str, Any], include_data: bool) -> dict[str, Any]:
    kept = dict(details)
    for name in _DATA:
        text = kept.get(name)
        if name in kept and not include_data:
            del kept[name]
            kept.pop(f"{name}Details", None)
        elif isinstance(text, str) and len(text.encode("utf-8", "replace")) > MAX_DATA_BYTES:
            del kept[name]
            kept[f"{name}Details"] = {"truncated": True}
    return kept


def log_of(machine: Any, execution_arn: str, region: str) -> ExecutionLog | None:
    """Return the log of an execution of moto's state machine; None when it has none."""
    configuration = machine.loggingConfiguration or {}
    level = configuration.get("level", "OFF")
    group = _group(configuration)
    if level == "OFF" or not group:
        return None
    name = execution_arn.split(":")[6].split("/", maxsplit=1)[0]
    now = datetime.datetime.now(datetime.UTC)
    stream = f"states/{name}/{now:%Y-%m-%d-%H-%M}/{zlib.crc32(machine.arn.encode()):08x}"
    include = bool(configuration.get("includeExecutionData", False))
    return ExecutionLog(execution_arn, LogTarget(stream, group, region, level, include))


def _group(configuration: dict[str, Any]) -> str:
    for destination in configuration.get("destinations") or ():
        arn = destination.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "")
        if ":log-group:" in arn:
            return str(arn).split(":log-group:", 1)[1].split(":")[0]
    return ""


@patch(
    "moto.stepfunctions.parser.backend.execution.Execution._get_start_execution_worker",
    why="has no log",
)
def start_execution_worker(original: Any, execution: Any) -> Any:
    """Return the worker of an execution, which writes the log that its state machine asks for."""
    if execution._cloud_watch_logging_session is None and hasattr(
        execution.state_machine, "loggingConfiguration"
    ):
        execution._cloud_watch_logging_session = log_of(
            execution.state_machine, execution.exec_arn, execution.region_name
        )
    return original(execution)


def check_configuration(configuration: dict[str, Any], role_arn: str, region: str) -> None:
    """Refuse a destination that does not exist, or that the role may not write to."""
    if configuration.get("level", "OFF") == "OFF":
        return
    _require_group(configuration, region)
    if denial(role_arn, "logs:CreateLogDelivery", "*"):
        raise InvalidLoggingConfiguration(
            "The state machine IAM Role is not authorized to access the Log Destination"
        )


def _require_group(configuration: dict[str, Any], region: str) -> None:
    group = _group(configuration)
    if not group:
        raise InvalidLoggingConfiguration(
            "Invalid Logging Configuration: Must specify exactly one Log Destination."
        )
    if group not in logs_backends[ACCOUNT_ID][region].groups:
        raise InvalidLoggingConfiguration(
            "Invalid Logging Configuration: Log Destination not found."
        )
