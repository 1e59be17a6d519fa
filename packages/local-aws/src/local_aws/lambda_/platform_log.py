"""What Lambda itself writes into a function's log, as text or as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html
"""

import datetime
import json
from dataclasses import dataclass
from typing import Any

from local_aws.lambda_.function_spec import FunctionSpec
from local_aws.lambda_.invocation import Invocation


@dataclass(frozen=True, slots=True)
class Usage:
    """What an invocation took. `init_ms` is set for a cold start, `peak_mb` 0 if unknown."""

    seconds: float
    peak_mb: int
    init_ms: float | None


def start_lines(spec: FunctionSpec, invocation: Invocation) -> list[str]:
    """Return what precedes an invocation."""
    request_id = invocation.request_id
    if spec.json_logs:
        arn = invocation.function_arn
        record = {"requestId": request_id, "functionArn": arn, "version": spec.version}
        return [_event("platform.start", record)]
    return [f"START RequestId: {request_id} Version: {spec.version}"]


def end_lines(spec: FunctionSpec, invocation: Invocation, usage: Usage) -> list[str]:
    """Return what follows an invocation."""
    milliseconds = usage.seconds * 1000
    billed = int(milliseconds) + 1
    if spec.json_logs:
        return [_report(spec, invocation, usage, billed)]
    parts = [
        f"REPORT RequestId: {invocation.request_id}",
        f"Duration: {milliseconds:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {spec.memory_mb} MB",
    ]
    if usage.peak_mb:
        parts.append(f"Max Memory Used: {usage.peak_mb} MB")
    if usage.init_ms is not None:
        parts.append(f"Init Duration: {usage.init_ms:.2f} ms")
    return [f"END RequestId: {invocation.request_id}", "\t".join(parts)]


def missing_runtime_line(runtime: str, used: str) -> str:
    """Return the warning of a function that does not run on the Python that it declares."""
    return (
        f"WARNING This machine has no {runtime} that runs, so the function runs on {used}; "
        f"install {runtime} to have it run as on AWS."
    )


def _report(spec: FunctionSpec, invocation: Invocation, usage: Usage, billed: int) -> str:
    metrics: dict[str, Any] = {
        "durationMs": round(usage.seconds * 1000, 3),
        "billedDurationMs": billed,
        "memorySizeMB": spec.memory_mb,
    }
    if usage.peak_mb:
        metrics["maxMemoryUsedMB"] = usage.peak_mb
    if usage.init_ms is not None:
        metrics["initDurationMs"] = round(usage.init_ms, 3)
    status = "error" if invocation.failed else "success"
    record = {"requestId": invocation.request_id, "metrics": metrics, "status": status}
    return _event("platform.report", record)


def _event(kind: str, record: dict[str, Any]) -> str:
    now = datetime.datetime.now(datetime.UTC)
    time = now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return json.dumps({"time": time, "type": kind, "record": record}, separators=(",", ":"))
