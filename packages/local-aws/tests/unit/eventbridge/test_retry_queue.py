import datetime
from collections.abc import Mapping
from typing import Any

import pytest

from local_aws.core.clock import Clock
from local_aws.eventbridge.delivery import DeliveryFailed
from local_aws.eventbridge.retry_queue import Attempt, Attempts, limits

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Target:
    """A receiver that refuses so many times, and notes when it was asked."""

    def __init__(self, clock: Clock, refusals: int, *, lasting: bool = False) -> None:
        self.clock, self.refusals, self.lasting = clock, refusals, lasting
        self.asked: list[float] = []
        self.dead_letters: list[Mapping[str, Any]] = []

    def deliver(self) -> None:
        self.asked.append((self.clock.now() - START).total_seconds())
        if len(self.asked) <= self.refusals:
            raise DeliveryFailed("THROTTLING", "not now", lasting=self.lasting)

    def attempt(self, **policy: int) -> Attempt:
        dead_letter = lambda _, about: self.dead_letters.append(about)  # noqa: E731
        return Attempt("a test", self.deliver, dead_letter, self.clock.now(), **limits(policy))


@pytest.fixture
def clock() -> Clock:
    return Clock(real=START.timestamp)


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    made = Attempts(clock)
    clock.follow(made)
    return made


def test_what_is_refused_is_tried_again_with_pauses_that_double(
    clock: Clock, attempts: Attempts
) -> None:
    target = Target(clock, refusals=3)
    attempts.make(target.attempt())
    clock.advance(60)
    assert target.asked == [0, 1, 3, 7]
    assert target.dead_letters == []
    assert attempts.next_due() is None


def test_a_permanent_refusal_is_dead_lettered_at_once(clock: Clock, attempts: Attempts) -> None:
    target = Target(clock, refusals=9, lasting=True)
    attempts.make(target.attempt())
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
    clock: Clock, attempts: Attempts, policy: dict[str, int], tries: int, condition: str
) -> None:
    target = Target(clock, refusals=999)
    attempts.make(target.attempt(**policy))
    clock.advance(86_400)
    assert len(target.asked) == tries
    (about,) = target.dead_letters
    assert about["EXHAUSTED_RETRY_CONDITION"] == condition
    assert about["RETRY_ATTEMPTS"] == str(tries - 1)


def test_by_default_a_day_is_enough(clock: Clock, attempts: Attempts) -> None:
    target = Target(clock, refusals=999)
    attempts.make(target.attempt())
    clock.advance(90_000)
    assert 140 < len(target.asked) < 186
    assert len(target.dead_letters) == 1


@pytest.mark.parametrize("dead_letters_fail", [False, True])
def test_a_target_that_nothing_can_be_made_of_is_dead_lettered_and_raises_nothing(
    clock: Clock, attempts: Attempts, dead_letters_fail: bool
) -> None:
    found: list[dict[str, str]] = []

    def deliver() -> None:
        raise AttributeError("'int' object has no attribute 'split'")

    def dead_letter(_: DeliveryFailed, about: dict[str, str]) -> None:
        found.append(about)
        if dead_letters_fail:
            raise ValueError("nor is this an ARN")

    attempts.make(Attempt("a test", deliver, dead_letter, clock.now()))
    assert [about["ERROR_CODE"] for about in found] == ["INTERNAL_ERROR"]
    assert attempts.next_due() is None
