"""A function's log: what its worker prints, what Lambda adds, and where it is written.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html
"""

import array
import contextlib
import datetime
import fcntl
import json
import os
import select
import termios
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from moto.logs.models import logs_backends

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.access_decisions import permits
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.resources import log_arn
from local_aws.lambda_.functions import FunctionSpec
from local_aws.lambda_.runtime_api import Invocation

# CloudWatch Logs takes events of 256 KB, of which 26 bytes are its own.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
MAX_EVENT_BYTES = 262_118
KEPT_EVENTS = 5_000
KEPT_BYTES = 16 * 1024**2
_PIECE_BYTES = 65_536
_LEVELS = {
    "TRACE": 0,
    "DEBUG": 1,
    "INFO": 2,
    "WARN": 3,
    "WARNING": 3,
    "ERROR": 4,
    "FATAL": 5,
    "CRITICAL": 5,
}


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line of a log stream. `timestamp` is in milliseconds since 1970."""

    timestamp: int
    message: str


class LogPipe:
    """Reads a pipe into log events; each folder of `shown` in a line is shown as its value.

    A worker prints before it answers, so at the answer all its lines are in the pipe. `collect`
    reads them out itself and need not wait for the thread that otherwise does. A line is cut
    where CloudWatch Logs cuts an event, and the newest 16 MB of an invocation are kept.
    """

    def __init__(self, pipe: IO[bytes], shown: Mapping[str, str]) -> None:
        self._pipe = pipe
        self._shown = shown
        self._lock = threading.Lock()
        self._events: deque[LogEvent] = deque()
        self._bytes = 0
        self._rest = bytearray()
        self._open = True
        os.set_blocking(pipe.fileno(), False)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def add(self, message: str) -> None:
        """Append a line of the platform's own."""
        with self._lock:
            self._append(message)

    def collect(self) -> list[LogEvent]:
        """Return the events since the last call, with all that the pipe holds by now."""
        with self._lock:
            self._drain()
            events, self._events, self._bytes = list(self._events), deque(), 0
            return events

    def drain(self) -> None:
        """Take what the pipe holds, so that a line that is added next comes after it."""
        with self._lock:
            self._drain()

    def join(self, seconds: float) -> None:
        """Wait for the end of the pipe."""
        self._thread.join(seconds)

    def _pump(self) -> None:
        # Not select(2), which knows no descriptor above 1,023.
        waits = select.poll()
        waits.register(self._pipe, select.POLLIN)
        while self._open:
            waits.poll()
            self.drain()
        self._pipe.close()

    def _drain(self) -> None:
        """Read what is in the pipe now; a program that goes on printing does not prolong it."""
        left = self._waiting()
        while self._open:
            try:
                data = os.read(self._pipe.fileno(), _PIECE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._open = False
                if self._rest:
                    self._split(b"\n")
                return
            self._split(data)
            left -= len(data)
            if left <= 0:
                return

    def _waiting(self) -> int:
        """Return how many bytes are in the pipe; one more, so that its end is seen."""
        if not self._open:
            return 0
        count = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._pipe.fileno(), termios.FIONREAD, count)
        return count[0] + 1

    def _split(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._rest += line
            self._append_line(bytes(self._rest))
            self._rest.clear()
        self._rest += rest
        while len(self._rest) >= MAX_EVENT_BYTES:
            self._append_line(bytes(self._rest[:MAX_EVENT_BYTES]))
            del self._rest[:MAX_EVENT_BYTES]

    def _append_line(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), MAX_EVENT_BYTES):
            piece = line[start : start + MAX_EVENT_BYTES]
            # The runtime joins the lines of one event with carriage returns.
            self._append(piece.decode("utf-8", "replace").replace("\r", "\n"))

    def _append(self, message: str) -> None:
        now = int(time.time() * 1000)
        for folder, shown in self._shown.items():
            message = message.replace(folder, shown)
        self._events.append(LogEvent(now, message))
        self._bytes += len(message)
        while self._bytes > KEPT_BYTES:
            self._bytes -= len(self._events.popleft().message)


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
        if not _is_logged("INFO", spec.system_log_level):
            return []
        arn = invocation.function_arn
        record = {"requestId": request_id, "functionArn": arn, "version": spec.version}
        return [_event("platform.start", record)]
    return [f"START RequestId: {request_id} Version: {spec.version}"]


def end_lines(spec: FunctionSpec, invocation: Invocation, usage: Usage) -> list[str]:
    """Return what follows an invocation."""
    milliseconds = usage.seconds * 1000
    billed = int(milliseconds) + 1
    if spec.json_logs:
        if not _is_logged("INFO", spec.system_log_level):
            return []
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


def passes_log_level(spec: FunctionSpec, event: LogEvent) -> bool:
    """Return whether a JSON log takes a line; one that is no object, or has no level, it does.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    if not spec.json_logs or not event.message.lstrip().startswith("{"):
        return True
    try:
        level = json.loads(event.message).get("level")
    except (ValueError, AttributeError, RecursionError):
        return True
    return not isinstance(level, str) or _is_logged(level, spec.log_level)


def _is_logged(level: str, min_level: str) -> bool:
    return _LEVELS.get(level.upper(), _LEVELS["FATAL"]) >= _LEVELS.get(min_level, 0)


def missing_runtime_line(runtime: str, used: str) -> str:
    """Return the warning of a function that does not run on the Python that it declares."""
    return (
        f"WARNING This host has no {runtime} that runs, so the function runs on {used}; "
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


def put_logs(spec: FunctionSpec, stream: str, events: list[LogEvent]) -> None:
    """Write events to a function's log group, where its role may."""
    backend = logs_backends[ACCOUNT_ID][spec.region]
    group = backend.groups.get(spec.log_group)
    new_stream = group is None or stream not in group.streams
    if not _may_log(spec, stream, new_group=group is None, new_stream=new_stream):
        return
    backend.ensure_log_group(spec.log_group)
    group = backend.groups[spec.log_group]
    if new_stream:
        group.create_log_stream(stream)
    rows = [{"timestamp": event.timestamp, "message": event.message} for event in events]
    backend.put_log_events(spec.log_group, stream, rows)
    written = group.streams[stream].events
    size = sum(len(event.message) for event in events)
    if len(written) > 2 * KEPT_EVENTS or size > MAX_EVENT_BYTES:
        forget_oldest(written)


def forget_oldest(events: list[Any], kept: int = KEPT_EVENTS, kept_bytes: int = KEPT_BYTES) -> None:
    """Remove a stream's oldest events when it has twice as many, or as many bytes, as are kept.

    A worker writes to one stream for as long as it lives, and moto keeps all in memory.
    """
    if len(events) > 2 * kept:
        del events[:-kept]
    size = 0
    for position in range(len(events) - 1, -1, -1):
        size += len(events[position].message)
        if size > kept_bytes:
            del events[: position + 1]
            return


def _may_log(spec: FunctionSpec, stream: str, *, new_group: bool, new_stream: bool) -> bool:
    """Return whether the function's role may write its log; without that there is none."""
    needed = {"PutLogEvents": True, "CreateLogStream": new_stream, "CreateLogGroup": new_group}
    arn = log_arn(spec.region, ACCOUNT_ID, spec.log_group, stream)
    key = spec.credentials.get("AWS_ACCESS_KEY_ID", "")
    return all(permits(key, Access(f"logs:{action}", arn)) for action in needed if needed[action])
