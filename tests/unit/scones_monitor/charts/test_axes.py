from datetime import UTC, datetime, timedelta

import pytest

from scones_monitor.charts.axes import ConfidenceAxis, TimeAxis, certainty, count_ticks

START = datetime(2026, 11, 20, 14, 32, 5, tzinfo=UTC)


def test_times_are_placed_in_proportion() -> None:
    axis = TimeAxis(START, START + timedelta(minutes=40))

    assert axis.share(START + timedelta(minutes=10)) == pytest.approx(0.25)
    assert [text for _, text in axis.ticks(9)][:3] == ["14:35", "14:40", "14:45"]


def test_midnight_shows_the_day() -> None:
    axis = TimeAxis(START, START + timedelta(hours=20))

    assert [text for _, text in axis.ticks(9)] == [
        "15:00", "18:00", "21:00", "21 Nov", "03:00", "06:00", "09:00",
    ]  # fmt: skip


def test_certainty_counts_the_nines() -> None:
    assert [certainty(v) for v in (0.0, 0.9, 0.99)] == pytest.approx([0, 1, 2])
    assert certainty(1.0) == certainty(0.9999) == pytest.approx(4)


def test_confidences_rise_from_chance_to_the_top() -> None:
    axis = ConfidenceAxis.over(1.0, 2)

    assert [axis.share(v) for v in (0.5, 0.9, 1.0)] == pytest.approx(
        [0, (1 - 0.30103) / (4 - 0.30103), 1], abs=1e-5
    )
    ticks = [text.replace("\u202f", "") for _, text in axis.ticks(0.05)]
    assert ticks == ["≥99.99%", "99.9%", "99%", "90%", "80%", "50%"]


def test_ticks_that_would_touch_give_way_to_the_higher() -> None:
    texts = [text for _, text in ConfidenceAxis(certainty(0.5), certainty(1.0)).ticks(0.12)]

    assert "80\u202f%" not in texts
    assert "90\u202f%" in texts


@pytest.mark.parametrize(
    ("top", "ticks"),
    [(0, [0]), (1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (7, [0, 2, 4, 6]), (90, [0, 20, 40, 60, 80])],
)
def test_count_ticks_are_round(top: float, ticks: list[float]) -> None:
    assert count_ticks(top) == pytest.approx(ticks)
