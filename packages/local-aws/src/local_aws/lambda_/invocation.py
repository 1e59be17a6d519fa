"""One event on its way through a worker."""

import threading
import time
import uuid
from dataclasses import dataclass, field


@dataclass(slots=True)
class Invocation:
    """One event on its way through a worker. `result` and `failed` are set before `done`.

    The request id stays the same when an event is tried again.
    """

    body: bytes
    function_arn: str
    timeout_seconds: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_context: str = ""
    deadline: float = 0.0
    result: bytes = b""
    failed: bool = False
    seconds: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    def finish(self, result: bytes, *, failed: bool) -> None:
        """Set the outcome, unless there is one."""
        if not self.done.is_set():
            self.result, self.failed = result, failed
            self.done.set()

    def headers(self) -> dict[str, str]:
        """Return what the runtime is told beside the event."""
        trace = f"Root=1-{int(time.time()):08x}-{self.request_id.replace('-', '')[:24]};Sampled=0"
        context = {"Lambda-Runtime-Client-Context": self.client_context}
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": trace,
            **(context if self.client_context else {}),
        }
