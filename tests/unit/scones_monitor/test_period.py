from datetime import UTC, datetime, timedelta

import pytest

from scones_core.errors import MonitorError
from scones_monitor.period import parse_period, parse_time

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T14:00", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("2026-11-20T14:00Z", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("2026-11-20T14:00+01:00", datetime(2026, 11, 20, 13, tzinfo=UTC)),
        ("2026-11-20 14:00 Europe/Berlin", datetime(2026, 11, 20, 13, tzinfo=UTC)),
        ("2026-07-20 14:00 Europe/Berlin", datetime(2026, 7, 20, 12, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_span_or_a_moment_with_its_zone(text: str, expected: datetime) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["yesterday", "7", "7y", "2026-13-01", "2026-11-20 14:00 Europe/Nowhere", "", "1e9d",
     "2026-11-20T14:00+01:00 Europe/Berlin", "2026-11-20 ../../etc/passwd"],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(MonitorError, match="is not a time: write"):
        parse_time(text, NOW)


@pytest.mark.parametrize("text", ["0001-01-01", "1969-12-31", "9999-12-31", "52000w"])
def test_a_time_at_an_end_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(MonitorError, match="is not a time"):
        parse_time(text, NOW)


def test_without_a_beginning_a_period_is_the_day_before_its_end() -> None:
    assert parse_period(None, None, None, NOW) == (NOW - timedelta(days=1), NOW)
    first, last = parse_period(None, None, "2026-11-20", NOW)
    assert last - first == timedelta(days=1)


def test_a_period_that_does_not_begin_before_its_end_is_refused_with_both() -> None:
    with pytest.raises(
        MonitorError, match=r"begins at 2026-11-20 00:00 UTC and ends at 2026-11-19 "
    ):
        parse_period(None, "2026-11-20", "2026-11-19", NOW)
    for since in ("0d", "2999-01-01"):
        with pytest.raises(MonitorError, match="which is now"):
            parse_period(since, None, None, NOW)


def test_two_beginnings_are_refused() -> None:
    with pytest.raises(MonitorError, match="--since or --from"):
        parse_period("7d", "2026-11-20", None, NOW)
