"""Asynchronous invocations: a queue, two more tries, and where an event's outcome goes.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import datetime
import heapq
import itertools
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from local_aws.core.clock import Clock
from local_aws.errors import LocalAwsError
from local_aws.lambda_.destinations import Ending, settle
from local_aws.lambda_.event_settings import settings_of
from local_aws.lambda_.function_spec import FunctionSpec
from local_aws.lambda_.pools import LambdaPools, Outcome, Throttled

_RETRY_SECONDS = (60.0, 120.0)
_MAX_AGE_SECONDS = 21_600
_MAX_THROTTLE_SECONDS = 300.0
_THREADS = 32

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Event:
    """One event on its way: moto's function, what runs it, and how often it was tried."""

    function: Any
    spec: FunctionSpec
    body: bytes
    arn: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tries: int = 0
    throttles: int = 0
    queued: datetime.datetime | None = None

    def setting(self, name: str, default: int) -> int:
        """Return a number of its EventInvokeConfig."""
        value = settings_of(self.arn).get(name)
        return default if value is None else int(value)


class AsyncInvoker:
    """Runs `Event` invocations in the background. The clock's agenda of those to try again."""

    def __init__(self, pools: LambdaPools, clock: Clock) -> None:
        self._pools = pools
        self._clock = clock
        self._lock = threading.Lock()
        self._later: list[tuple[datetime.datetime, int, Event]] = []
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="lambda-event")
        clock.follow(self)

    def submit(self, event: Event) -> None:
        """Queue one event; returns at once."""
        event.queued = self._clock.now()
        self._start(self._deliver, event)

    def next_due(self) -> datetime.datetime | None:
        """Return when the next event is to be tried again."""
        with self._lock:
            return self._later[0][0] if self._later else None

    def run(self, now: datetime.datetime) -> None:
        """Start the tries that are due; none is waited for."""
        while True:
            with self._lock:
                if not self._later or self._later[0][0] > now:
                    return
                event = heapq.heappop(self._later)[2]
            self._start(self._deliver, event)

    def stop(self) -> None:
        """Drop what is queued."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _start(self, action: Callable[[Event], None], event: Event) -> None:
        if not self._stopping.is_set():
            self._executor.submit(action, event)

    def _deliver(self, event: Event) -> None:
        try:
            self._try(event)
        except Exception:  # nobody waits for this thread, so its faults are only seen in the log
            if not self._stopping.is_set():
                _log.exception("The event of %s was lost", event.spec.name)

    def _try(self, event: Event) -> None:
        if event.spec.reserved_concurrency == 0:
            self._settle(event, "RetriesExhausted", None)
        elif self._age(event) > event.setting("MaximumEventAgeInSeconds", _MAX_AGE_SECONDS):
            self._settle(event, "EventAgeExceeded", None)
        else:
            self._invoke(event)

    def _invoke(self, event: Event) -> None:
        try:
            outcome = self._pools.invoke(
                event.spec, event.body, arn=event.arn, request_id=event.request_id
            )
        except Throttled:  # does not count as a try
            self._again(event, min(2.0**event.throttles, _MAX_THROTTLE_SECONDS))
            event.throttles += 1
            return
        except LocalAwsError as error:
            _log.error("%s was not invoked: %s", event.spec.name, error)
            outcome = Outcome(b"null", True, "", event.request_id)
        event.tries += 1
        retries = event.setting("MaximumRetryAttempts", len(_RETRY_SECONDS))
        if not outcome.failed:
            self._settle(event, "Success", outcome)
        elif event.tries > retries:
            self._settle(event, "RetriesExhausted", outcome)
        else:
            self._again(event, _RETRY_SECONDS[event.tries - 1])

    def _again(self, event: Event, seconds: float) -> None:
        when = self._clock.now() + datetime.timedelta(seconds=seconds)
        with self._lock:
            heapq.heappush(self._later, (when, next(self._numbers), event))

    def _age(self, event: Event) -> float:
        return (self._clock.now() - (event.queued or self._clock.now())).total_seconds()

    def _settle(self, event: Event, condition: str, outcome: Outcome | None) -> None:
        config: dict[str, Any] = settings_of(event.arn).get("DestinationConfig") or {}
        ending = Ending(
            condition=condition,
            at=self._clock.now(),
            function_arn=event.arn,
            request_id=event.request_id,
            tries=event.tries,
            version=event.spec.version,
            event=event.body,
            result=outcome.payload if outcome else None,
        )
        dead_letters = event.function.kept.get("DeadLetterConfig", {}).get("TargetArn", "")
        settle(ending, event.spec, config, dead_letters)
