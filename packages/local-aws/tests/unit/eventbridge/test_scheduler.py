"""When schedules fire, by a clock that a test drives."""

import datetime
from collections.abc import Mapping
from typing import Any, cast

import pytest

from local_aws.core.clock import Clock
from local_aws.core.context import ACCOUNT_ID
from local_aws.eventbridge import scheduler
from local_aws.eventbridge.bus import Buses
from local_aws.eventbridge.scheduler import ScheduleAgenda
from local_aws.eventbridge.targets import RoleClients

BEGIN = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)


class Host:
    """The host's clock, which a suspension sets forward."""

    def __init__(self) -> None:
        self.time = BEGIN.timestamp()

    def __call__(self) -> float:
        return self.time


class Sent(Buses):
    """Buses that keep what they are sent."""

    def __init__(self) -> None:
        self.times: list[str] = []

    def send(self, rule: Any, event: Mapping[str, Any]) -> None:
        self.times.append(event["time"][11:19])


class Rule:
    """A rule of EventBridge that fires each minute."""

    arn = f"arn:aws:events:us-east-1:{ACCOUNT_ID}:rule/r"
    region_name = "us-east-1"
    scheduled_expression = "rate(1 minute)"

    def __init__(self) -> None:
        self.local_aws_since = self.local_aws_last = BEGIN


@pytest.fixture
def every_minute(monkeypatch: pytest.MonkeyPatch) -> Rule:
    rule = Rule()
    monkeypatch.setattr(scheduler, "_rules", lambda: iter([rule]))
    monkeypatch.setattr(scheduler, "_schedules", lambda: iter([]))
    return rule


def agenda_of(host: Host) -> tuple[Clock, Sent]:
    clock, sent = Clock(host), Sent()
    # No schedule runs here, which alone has roles.
    clock.follow(ScheduleAgenda(clock, sent, cast(RoleClients, None)))
    return clock, sent


def test_what_a_suspension_missed_is_not_fired_at_once(every_minute: Rule) -> None:
    host = Host()
    clock, sent = agenda_of(host)
    host.time += 60
    clock.run_due()
    assert sent.times == ["12:01:00"]
    host.time += 245
    clock.run_due()
    assert sent.times == ["12:01:00", "12:05:00"]
    host.time += 2 * 86_400 + 55
    clock.run_due()
    assert sent.times[2:] == ["12:06:00"]


def test_what_is_passed_on_the_way_of_the_driven_clock_is_fired(every_minute: Rule) -> None:
    clock, sent = agenda_of(Host())
    clock.advance(180)
    assert sent.times == ["12:01:00", "12:02:00", "12:03:00"]


def test_a_rule_that_cannot_be_fired_keeps_no_other_from_firing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = Rule(), Rule()
    monkeypatch.setattr(scheduler, "_rules", lambda: iter([bad, good]))
    monkeypatch.setattr(scheduler, "_schedules", lambda: iter([]))
    clock, sent = agenda_of(Host())
    send = sent.send

    def failing(rule: Rule, event: dict[str, str]) -> None:
        if rule is bad:
            raise ValueError("its targets cannot be read")
        send(rule, event)

    monkeypatch.setattr(sent, "send", failing)
    clock.advance(120)
    assert sent.times == ["12:01:00", "12:02:00"]
