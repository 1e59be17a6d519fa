"""Deliveries that are tried again, and the dead-letter queue of those that never succeed.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

import datetime
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from local_aws.core.clock import Clock
from local_aws.core.stores import STORES, Stores
from local_aws.core.work_queue import WorkQueue
from local_aws.eventbridge.delivery import DeliveryFailed

_log = logging.getLogger(__name__)
_DEFAULT_AGE_SECONDS = 86_400
_DEFAULT_ATTEMPTS = 185
_LONGEST_PAUSE_SECONDS = 600.0
Parcel = TypeVar("Parcel")
Parcel_contra = TypeVar("Parcel_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Attempt(Generic[Parcel]):
    """One delivery: what is delivered, how long that is tried, how often it was tried again."""

    name: str
    parcel: Parcel
    began: datetime.datetime
    max_age_seconds: float = _DEFAULT_AGE_SECONDS
    max_attempts: int = _DEFAULT_ATTEMPTS
    retries: int = 0


class Deliverer(Protocol[Parcel_contra]):
    """Who knows how its parcels are delivered, also those of an earlier process."""

    def deliver(self, parcel: Parcel_contra, retries: int) -> None:
        """Deliver a parcel. Raises DeliveryFailed."""

    def dead_letter(self, parcel: Parcel_contra, retries: int, about: dict[str, str]) -> None:
        """Keep what was never delivered; `about` are the attributes of the dead-letter queue.

        Raises DeliveryFailed.
        """


def limits(policy: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a RetryPolicy as the fields of an Attempt."""
    given = policy or {}
    return {
        "max_age_seconds": float(given.get("MaximumEventAgeInSeconds") or _DEFAULT_AGE_SECONDS),
        "max_attempts": int(given.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS)),
    }


class Attempts(Generic[Parcel]):
    """Makes deliveries at once, and again later by the clock, also after a restart. Thread-safe."""

    def __init__(
        self, name: str, clock: Clock, deliverer: Deliverer[Parcel], stores: Stores = STORES
    ) -> None:
        self._clock, self._deliverer = clock, deliverer
        self._queue: WorkQueue[Attempt[Parcel]] = WorkQueue(name, clock, self._again, stores)

    def make(self, attempt: Attempt[Parcel]) -> None:
        """Deliver; a failure is tried again, or becomes a dead letter."""
        self._try(str(uuid.uuid4()), attempt)

    def _again(self, identity: str, attempt: Attempt[Parcel]) -> None:
        self._try(identity, replace(attempt, retries=attempt.retries + 1))

    def _try(self, identity: str, attempt: Attempt[Parcel]) -> None:
        try:
            self._deliverer.deliver(attempt.parcel, attempt.retries)
        except DeliveryFailed as error:
            _log.warning("%s was not delivered: %s: %s", attempt.name, error.code, error.message)
            self._fail(identity, attempt, error)
        except Exception as error:  # of a target that nothing can be made of: others are next
            _log.exception("%s cannot be delivered", attempt.name)
            failure = DeliveryFailed("INTERNAL_ERROR", f"{type(error).__name__}: {error}")
            self._fail(identity, attempt, failure)
        else:
            self._queue.done(identity)

    def _fail(self, identity: str, attempt: Attempt[Parcel], error: DeliveryFailed) -> None:
        pause = min(2.0**attempt.retries, _LONGEST_PAUSE_SECONDS)
        due = self._clock.now() + datetime.timedelta(seconds=pause)
        exhausted = ""
        if not error.lasting and attempt.retries >= attempt.max_attempts:
            exhausted = "MaximumRetryAttempts"
        elif not error.lasting and (due - attempt.began).total_seconds() > attempt.max_age_seconds:
            exhausted = "MaximumEventAgeInSeconds"
        if error.lasting or exhausted:
            more = {"EXHAUSTED_RETRY_CONDITION": exhausted} if exhausted else {}
            self._dead_letter(attempt, error, more)
            self._queue.done(identity)
        else:
            self._queue.again(identity, attempt, pause)

    def _dead_letter(
        self, attempt: Attempt[Parcel], error: DeliveryFailed, more: dict[str, str]
    ) -> None:
        about = {
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": error.message,
            "RETRY_ATTEMPTS": str(attempt.retries),
            **more,
        }
        try:
            self._deliverer.dead_letter(attempt.parcel, attempt.retries, about)
        except DeliveryFailed as second:
            _log.error("%s is lost: %s: %s", attempt.name, second.code, second.message)
        except Exception:
            _log.exception("%s is lost", attempt.name)
