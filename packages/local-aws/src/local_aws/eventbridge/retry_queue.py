"""Deliveries that are tried again, and the dead-letter queue of those that never succeed.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

import datetime
import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.core.clock import Clock
from local_aws.eventbridge.delivery import DeliveryFailed

_log = logging.getLogger(__name__)
_DEFAULT_AGE_SECONDS = 86_400
_DEFAULT_ATTEMPTS = 185
_LONGEST_PAUSE_SECONDS = 600.0


@dataclass(slots=True)
class Attempt:
    """One delivery: how it is made, how long it is tried, what becomes of it in the end.

    `dead_letter` gets the failure and the dead-letter queue's attributes about the attempts.
    """

    name: str
    deliver: Callable[[], None]
    dead_letter: Callable[[DeliveryFailed, dict[str, str]], None]
    began: datetime.datetime
    max_age_seconds: float = _DEFAULT_AGE_SECONDS
    max_attempts: int = _DEFAULT_ATTEMPTS
    retries: int = 0


def limits(policy: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a RetryPolicy as the fields of an Attempt."""
    given = policy or {}
    return {
        "max_age_seconds": float(given.get("MaximumEventAgeInSeconds") or _DEFAULT_AGE_SECONDS),
        "max_attempts": int(given.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS)),
    }


class Attempts:
    """Makes deliveries at once, and again later by the clock. An agenda. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._count = itertools.count()
        self._waiting: list[tuple[datetime.datetime, int, Attempt]] = []

    def make(self, attempt: Attempt) -> None:
        """Deliver; a failure is tried again, or becomes a dead letter."""
        try:
            attempt.deliver()
        except DeliveryFailed as error:
            _log.warning("%s was not delivered: %s: %s", attempt.name, error.code, error.message)
            self._fail(attempt, error)
        except Exception as error:  # of a target that nothing can be made of: others are next
            _log.exception("%s cannot be delivered", attempt.name)
            self._fail(
                attempt, DeliveryFailed("INTERNAL_ERROR", f"{type(error).__name__}: {error}")
            )

    def next_due(self) -> datetime.datetime | None:
        """Return when the next delivery is to be tried again."""
        with self._lock:
            return self._waiting[0][0] if self._waiting else None

    def run(self, now: datetime.datetime) -> None:
        """Try again what is due."""
        while (attempt := self._pop(now)) is not None:
            attempt.retries += 1
            self.make(attempt)

    def _pop(self, now: datetime.datetime) -> Attempt | None:
        with self._lock:
            if not self._waiting or self._waiting[0][0] > now:
                return None
            return heapq.heappop(self._waiting)[2]

    def _fail(self, attempt: Attempt, error: DeliveryFailed) -> None:
        if error.lasting:
            self._dead_letter(attempt, error, {})
            return
        pause = min(2.0**attempt.retries, _LONGEST_PAUSE_SECONDS)
        due = self._clock.now() + datetime.timedelta(seconds=pause)
        if attempt.retries >= attempt.max_attempts:
            self._dead_letter(attempt, error, {"EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"})
        elif (due - attempt.began).total_seconds() > attempt.max_age_seconds:
            self._dead_letter(
                attempt, error, {"EXHAUSTED_RETRY_CONDITION": "MaximumEventAgeInSeconds"}
            )
        else:
            with self._lock:
                heapq.heappush(self._waiting, (due, next(self._count), attempt))

    def _dead_letter(self, attempt: Attempt, error: DeliveryFailed, more: dict[str, str]) -> None:
        about = {
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": error.message,
            "RETRY_ATTEMPTS": str(attempt.retries),
            **more,
        }
        try:
            attempt.dead_letter(error, about)
        except DeliveryFailed as second:
            _log.error("%s is lost: %s: %s", attempt.name, second.code, second.message)
        except Exception:
            _log.exception("%s is lost", attempt.name)
