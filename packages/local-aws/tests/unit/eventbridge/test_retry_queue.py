import datetime
from collections.abc import Mapping
from typing import Any

import pytest

from local_aws.core.clock import Clock
from local_aws.core.stores import Stores
from local_aws.core.work_queue import WorkQueue
from local_aws.eventbridge.delivery import DeliveryFailed
from local_aws.eventbridge.retry_queue import Attempt, Attempts, limits

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Target:
    """A receiver that refuses so many times, and notes when it was asked."""

    def __init__(self, refusals: int, *, lasting: bool = False) -> None:
        self.refusals, self.lasting = refusals, lasting
        self.asked: list[float] = []
        self.parcels: list[str] = []
        self.dead_letters: list[Mapping[str, Any]] = []
        self.clock = Clock(real=START.timestamp)
        self.stores = Stores()
        self.attempts: Attempts[str] = Attempts("test", self.clock, self, self.stores)

    def deliver(self, parcel: str, retries: int) -> None:
        self.parcels.append(parcel)
        self.asked.append((self.clock.now() - START).total_seconds())
        if retries < self.refusals:
            raise DeliveryFailed("THROTTLING", "not now", lasting=self.lasting)

    def dead_letter(self, parcel: str, retries: int, about: dict[str, str]) -> None:
        del parcel, retries
        self.dead_letters.append(about)

    def make(self, **policy: int) -> None:
        self.attempts.make(Attempt("a test", "it", self.clock.now(), **limits(policy)))

    @property
    def pending(self) -> dict[str, Any]:
        queue: WorkQueue[Any] = self.stores.saved()["test"]
        return queue.entries()


def test_what_is_refused_is_tried_again_with_pauses_that_double() -> None:
    target = Target(refusals=3)
    target.make()
    target.clock.advance(60)
    assert target.asked == [0, 1, 3, 7]
    assert target.dead_letters == []
    assert not target.pending


def test_the_next_process_goes_on_with_the_tries_counted_so_far() -> None:
    killed, target = Target(refusals=99), Target(refusals=3)
    killed.make()
    killed.clock.advance(3)
    assert killed.asked == [0, 1, 3]
    target.stores.load({"test": killed.pending})
    target.clock.advance(60)
    assert target.asked == []  # not all records are back
    target.stores.restored()
    target.clock.run_due()
    assert target.parcels == ["it"]
    assert not target.pending


def test_a_permanent_refusal_is_dead_lettered_at_once() -> None:
    target = Target(refusals=9, lasting=True)
    target.make()
    assert target.dead_letters == [
        {"ERROR_CODE": "THROTTLING", "ERROR_MESSAGE": "not now", "RETRY_ATTEMPTS": "0"}
    ]


@pytest.mark.parametrize(
    ("policy", "tries", "condition"),
    [
        ({"MaximumRetryAttempts": 2}, 3, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 0}, 1, "MaximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 60}, 6, "MaximumEventAgeInSeconds"),
    ],
)
def test_the_retry_policy_says_when_it_is_enough(
    policy: dict[str, int], tries: int, condition: str
) -> None:
    target = Target(refusals=999)
    target.make(**policy)
    target.clock.advance(86_400)
    assert len(target.asked) == tries
    (about,) = target.dead_letters
    assert about["EXHAUSTED_RETRY_CONDITION"] == condition
    assert about["RETRY_ATTEMPTS"] == str(tries - 1)


def test_by_default_a_day_is_enough() -> None:
    target = Target(refusals=999)
    target.make()
    target.clock.advance(90_000)
    assert 140 < len(target.asked) < 186
    assert len(target.dead_letters) == 1


class Broken(Target):
    """A receiver that nothing can be made of, with perhaps such a dead-letter queue."""

    def __init__(self, *, dead_letters_fail: bool) -> None:
        super().__init__(0)
        self.dead_letters_fail = dead_letters_fail

    def deliver(self, parcel: str, retries: int) -> None:
        raise AttributeError("'int' object has no attribute 'split'")

    def dead_letter(self, parcel: str, retries: int, about: dict[str, str]) -> None:
        super().dead_letter(parcel, retries, about)
        if self.dead_letters_fail:
            raise ValueError("nor is this an ARN")


@pytest.mark.parametrize("dead_letters_fail", [False, True])
def test_a_target_that_nothing_can_be_made_of_is_dead_lettered_and_raises_nothing(
    dead_letters_fail: bool,
) -> None:
    target = Broken(dead_letters_fail=dead_letters_fail)
    target.make()
    assert [about["ERROR_CODE"] for about in target.dead_letters] == ["INTERNAL_ERROR"]
    assert not target.pending
