from datetime import UTC, datetime

import pytest

from scones_monitor import formats


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


def test_the_shared_folder_of_keys_ends_at_a_slash() -> None:
    assert formats.common_folder(["a/b/x1.png", "a/b/x2.png"]) == "a/b/"
    assert formats.common_folder(["a/bicycle/1.png", "a/bike/1.png"]) == "a/"
    assert formats.common_folder(["a/1.png", "b.png"]) == ""
    assert formats.common_folder([]) == ""


def test_a_period_names_the_day_once() -> None:
    first = datetime(2026, 11, 20, 14, 32, 5, tzinfo=UTC)

    assert formats.period(first, first.replace(hour=15)) == (
        "20 November 2026, 14:32:05 to 15:32:05 UTC"
    )
    assert "21 November" in formats.period(first, first.replace(day=21))
