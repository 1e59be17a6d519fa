import datetime
from zoneinfo import ZoneInfo

import pytest

from local_aws.eventbridge.cron import ExpressionError
from local_aws.eventbridge.schedule_expressions import Schedule, check

UTC = datetime.UTC


def at(text: str, zone: str = "UTC") -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def following(expression: str, after: str, count: int = 1, zone: str = "UTC") -> list[str]:
    """Return the times after one, in the zone, as text."""
    schedule, now = Schedule(expression, zone, at("2026-01-01T00:00")), at(after, zone)
    found = []
    for _ in range(count):
        later = schedule.after(now)
        assert later is not None
        now = later
        found.append(f"{now.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}")
    return found


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("cron(15 10 * * ? *)", "2026-11-21T10:15", ["2026-11-22T10:15"]),
        ("cron(0/15 * * * ? *)", "2026-11-21T10:50", ["2026-11-21T11:00", "2026-11-21T11:15"]),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-20T18:00", ["2026-11-23T18:00"]),
        ("cron(0 8 1 * ? *)", "2026-11-21T00:00", ["2026-12-01T08:00", "2027-01-01T08:00"]),
        ("cron(0/5 8-9 ? * SAT *)", "2026-11-21T09:55", ["2026-11-28T08:00"]),
        ("cron(0 0 L * ? *)", "2026-02-01T00:00", ["2026-02-28T00:00", "2026-03-31T00:00"]),
        ("cron(0 9 15W * ? *)", "2026-11-01T00:00", ["2026-11-16T09:00", "2026-12-15T09:00"]),
        ("cron(0 9 1W * ? *)", "2026-08-01T00:00", ["2026-08-03T09:00"]),
        ("cron(0 9 LW * ? *)", "2026-10-01T00:00", ["2026-10-30T09:00"]),
        ("cron(0 9 ? * 2#1 *)", "2026-11-21T00:00", ["2026-12-07T09:00"]),
        ("cron(0 9 ? * 6L *)", "2026-11-01T00:00", ["2026-11-27T09:00"]),
        ("cron(0 9 ? * L *)", "2026-11-16T00:00", ["2026-11-21T09:00"]),
        ("cron(0 9 29 2 ? *)", "2026-01-01T00:00", ["2028-02-29T09:00"]),
        ("cron(0 0 1 JAN ? 2027-2028)", "2026-01-01T00:00", ["2027-01-01T00:00"]),
        ("rate(5 minutes)", "2026-01-01T00:07", ["2026-01-01T00:10", "2026-01-01T00:15"]),
        ("rate(1 day)", "2026-01-01T00:00", ["2026-01-02T00:00"]),
        ("at(2026-11-21T22:00:00)", "2026-11-21T21:00", ["2026-11-21T22:00"]),
    ],
)
def test_the_next_times_of_an_expression(expression: str, after: str, expected: list[str]) -> None:
    assert following(expression, after, len(expected)) == expected


def test_local_times_follow_the_zone_through_both_changes_of_the_clock() -> None:
    found = following("cron(30 2 * * ? *)", "2026-03-27T12:00", 3, "Europe/Berlin")
    assert found == ["2026-03-28T02:30", "2026-03-30T02:30", "2026-03-31T02:30"]
    found = following("cron(30 2 * * ? *)", "2026-10-24T12:00", 2, "Europe/Berlin")
    assert found == ["2026-10-25T02:30", "2026-10-26T02:30"]


def test_there_is_an_end() -> None:
    schedule = Schedule("at(2026-11-21T22:00:00)", "UTC", at("2026-01-01T00:00"))
    assert schedule.after(at("2026-11-21T22:00")) is None
    ages = Schedule("rate(999999999 days)", "UTC", at("2026-01-01T00:00"))
    assert ages.after(at("2026-11-21T22:00")) is None
    years = Schedule("cron(0 0 1 1 ? 2026)", "UTC", at("2026-01-01T00:00"))
    assert years.after(at("2026-06-01T00:00")) is None


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "rate(99999999999999999999 days)",
        "rate(\u0665 minutes)",
        "cron(\u0663 9 * * ? *)",
        f"cron({'9' * 5000} 9 * * ? *)",
        "at(2026-02-30T00:00:00)",
        "cron(0 9 * * *)",
        "cron(0 9 * * * *)",
        "cron(0 9 ? * ? *)",
        "cron(60 9 * * ? *)",
        "cron(0 9 ? * FOO *)",
        "cron(0 9 5-2 * ? *)",
        "at(2026-11-21)",
        "every(day)",
    ],
)
def test_an_expression_that_aws_does_not_take_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        check(expression)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ExpressionError, match="Mars/North"):
        check("rate(1 day)", "Mars/North")


def test_a_time_that_is_after_the_last_year_in_utc_is_refused() -> None:
    check("at(9999-12-31T23:59:59)")
    with pytest.raises(ExpressionError, match="9999"):
        check("at(9999-12-31T23:59:59)", "America/New_York")
