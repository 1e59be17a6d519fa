from datetime import UTC, datetime, timedelta

import pytest

from scones_monitor import formats
from scones_monitor.statistics import Interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.955, "95.5 %"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.99999, "> 99.9 %"),
        (0.00001, "< 0.1 %"),
        (None, "\u2013"),
    ],
)
def test_only_the_whole_reads_as_100_percent(value: float | None, text: str) -> None:
    assert formats.percent(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.96999, "96.99 %"), (0.97, "97.00 %"), (0.713, "71.3 %"), (0.999999, "99.99 %")],
)
def test_a_confidence_below_the_threshold_reads_below_it(value: float, text: str) -> None:
    assert formats.confidence(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=1), "1 second"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=9), "9 days"),
    ],
)
def test_a_duration_has_the_largest_fitting_unit(span: timedelta, text: str) -> None:
    assert formats.duration(span).replace("\u202f", " ") == text


def test_a_tiny_p_value_reads_as_below_a_thousandth() -> None:
    found = [formats.p_value(value) for value in (0.0312, 1e-9, None)]
    assert [text.replace("\u202f", " ") for text in found] == ["0.031", "< 0.001", "\u2013"]


def test_a_period_names_the_day_once() -> None:
    first = datetime(2026, 11, 20, 14, 32, 5, tzinfo=UTC)

    assert formats.period(first, first.replace(hour=15)) == (
        "20 November 2026, 14:32:05 to 15:32:05 UTC"
    )
    assert "21 November" in formats.period(first, first.replace(day=21))


def test_a_difference_shows_its_sign() -> None:
    assert formats.points(0.0123, Interval(-0.004, 0.0286)) == "+1.2 (-0.4 to +2.9) points"
