"""Asynchronous invocations: a queue, two more tries, and where an event goes that never works."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scones_core.errors import LocalAwsError
from scones_local.functions.pool import LambdaPools, Throttled
from scones_local.functions.spec import FunctionSpec

# AWS waits one minute, then two. A laptop's user would only wait.
_RETRY_SECONDS = (1.0, 2.0)
_THROTTLE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class AsyncInvoker:
    """Runs `Event` invocations in the background until it is stopped."""

    def __init__(self, threads: int = 8) -> None:
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="lambda-event")

    def submit(self, function: Any, spec: FunctionSpec, event: bytes, pools: LambdaPools) -> None:
        """Queue one event for a function; returns at once."""
        self._executor.submit(self._deliver, function, spec, event, pools)

    def stop(self) -> None:
        """Drop what is queued, and end the waits between tries."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _deliver(self, function: Any, spec: FunctionSpec, event: bytes, pools: LambdaPools) -> None:
        try:
            for delay in (0.0, *_RETRY_SECONDS[: _retries(function)]):
                if self._stopping.wait(delay) or self._succeeds(spec, event, pools):
                    return
            _send_to_dead_letters(function, spec, event)
        except Exception:  # nobody waits for this thread, so its faults are only seen in the log
            if not self._stopping.is_set():
                _log.exception("The event of %s was lost", spec.name)

    def _succeeds(self, spec: FunctionSpec, event: bytes, pools: LambdaPools) -> bool:
        while True:
            try:
                return not pools.invoke(spec, event).failed
            except Throttled:  # does not count as a try, as on AWS
                if self._stopping.wait(_THROTTLE_SECONDS):
                    return True
            except LocalAwsError as error:
                _log.error("%s was not invoked: %s", spec.name, error)
                return False


def _retries(function: Any) -> int:
    for config in function.event_invoke_config:
        attempts = config.config.get("MaximumRetryAttempts")
        if attempts is not None:
            return int(attempts)
    return len(_RETRY_SECONDS)


def _send_to_dead_letters(function: Any, spec: FunctionSpec, event: bytes) -> None:
    """Send the event to the function's dead-letter queue or topic, if it has one."""
    target = function.kept.get("DeadLetterConfig", {}).get("TargetArn", "")
    if not target:
        return
    text = event.decode("utf-8", "replace")
    account, name = target.split(":")[4], target.split(":")[5]
    if ":sqs:" in target:
        from moto.sqs.models import sqs_backends

        sqs_backends[account][spec.region].send_message(name, text)
    elif ":sns:" in target:
        from moto.sns.models import sns_backends

        sns_backends[account][spec.region].publish(text, arn=target)
    else:
        _log.error("%s has a dead-letter target of no known kind: %s", spec.name, target)
