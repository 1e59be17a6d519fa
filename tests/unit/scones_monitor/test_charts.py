import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from scones_monitor.charts import (
    bin_edges,
    certainty,
    confidence_axis,
    confidence_ticks,
    confusion_matrix,
    stacked,
    time_axis,
)
from scones_monitor.join import Joined

START = datetime(2026, 11, 20, 14, 32, 5, tzinfo=UTC)


def test_times_are_placed_in_proportion() -> None:
    axis = time_axis([START + timedelta(minutes=m) for m in (0, 10, 40)], 9)

    first, second, third = axis.shares
    assert (second - first) / (third - first) == pytest.approx(0.25)
    assert axis.title == "Time of inference (UTC)"
    assert [text for _, text in axis.ticks] == [f"14:{m}" for m in range(35, 60, 5)] + [
        "15:00",
        "15:05",
        "15:10",
    ]


def test_milliseconds_are_kept() -> None:
    axis = time_axis([START + timedelta(milliseconds=ms) for ms in (0, 250, 1000)], 9)

    assert (axis.shares[1] - axis.shares[0]) / (axis.shares[2] - axis.shares[0]) == pytest.approx(
        0.25
    )


def test_a_burst_within_whole_seconds_is_drawn_in_its_order() -> None:
    axis = time_axis([START] * 10 + [START + timedelta(seconds=1)] * 10, 5)

    assert axis.shares == pytest.approx([(i + 0.5) / 20 for i in range(20)])
    assert [text for _, text in axis.ticks] == ["1", "5", "10", "15", "20"]
    assert "order" in axis.title


def test_a_single_time_has_a_place() -> None:
    axis = time_axis([START], 9)

    assert 0 <= axis.shares[0] <= 1
    assert axis.ticks


def test_certainty_counts_the_nines() -> None:
    assert [certainty(v) for v in (0.0, 0.9, 0.99)] == pytest.approx([0, 1, 2])
    assert certainty(1.0) == certainty(0.9999) == pytest.approx(4)


def test_confidences_rise_from_chance_to_the_top() -> None:
    axis = confidence_axis([0.5, 0.9, 1.0], 2)

    assert axis.shares == pytest.approx([0, (1 - 0.30103) / (4 - 0.30103), 1], abs=1e-5)
    assert axis.ticks[0][0] == pytest.approx(1)
    assert [text.replace("\u202f", "") for _, text in axis.ticks] == [
        "≥99.99%",
        "99.9%",
        "99%",
        "90%",
        "80%",
        "50%",
    ]


def test_ticks_that_would_touch_give_way_to_the_higher() -> None:
    found = confidence_ticks(certainty(0.5), certainty(1.0), 0.12)

    assert "80\u202f%" not in [text for _, text in found]
    assert "90\u202f%" in [text for _, text in found]


def test_midnight_shows_the_day() -> None:
    axis = time_axis([START, START + timedelta(hours=20)], 9)

    assert [text for _, text in axis.ticks] == [
        "15:00",
        "18:00",
        "21:00",
        "21 Nov",
        "03:00",
        "06:00",
        "09:00",
    ]


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.93, 0.97, 0.9999])
def test_no_bin_holds_both_sides_of_the_threshold(threshold: float) -> None:
    edges = bin_edges(threshold, 2)

    assert any(edge == pytest.approx(certainty(threshold)) for edge in edges)
    assert edges == sorted(edges)
    assert edges[0] == pytest.approx(certainty(0.5))
    assert edges[-1] >= certainty(1.0)


def test_every_classified_image_of_known_truth_stands_in_one_bar(
    row: Callable[..., Joined],
) -> None:
    rows = [row("a", c, "a") for c in (0.5, 0.6, 0.97, 1.0)]
    rows += [row("a", 0.6, "b"), row(None, None, "b", "failed")]

    wrong, right = stacked(rows, bin_edges(0.97, 2))

    assert (wrong.name, sum(wrong.counts)) == ("wrong", 1)
    assert (right.name, sum(right.counts)) == ("right", 4)


def test_the_bars_show_decisions_where_no_truth_is_known(row: Callable[..., Joined]) -> None:
    edges = bin_edges(0.97, 2)
    rows = [row("a", 0.97), row("a", 0.9699, None, "review")]

    review, accepted = stacked(rows, edges)

    cut = edges.index(certainty(0.97))
    assert (review.name, review.counts.index(1)) == ("review", cut - 1)
    assert (accepted.name, accepted.counts.index(1)) == ("accepted", cut)


def test_the_cells_hold_the_counts_in_the_order_of_the_labels(row: Callable[..., Joined]) -> None:
    rows = [row("bicycle", 0.9, "bicycle")] * 3 + [row("motorcycle", 0.9, "bicycle")]

    drawing = confusion_matrix(rows, ("bicycle", "motorcycle"))

    assert re.findall(r'class="cell-count"[^>]*>([^<]*)<', drawing) == ["3", "1", "0", "0"]
    assert "bicycle answered as motorcycle: 1 of 4" in drawing
    assert "75.0\u202f%" in drawing


def test_many_classes_lose_their_figures_and_keep_their_tooltips(
    row: Callable[..., Joined],
) -> None:
    labels = tuple(f"class number {i}" for i in range(40))

    drawing = confusion_matrix([row(labels[3], 0.9, labels[7])], labels)

    assert "cell-count" not in drawing
    assert drawing.count("<rect") == 1600
    assert "class number 7 answered as class number 3: 1 of 1" in drawing
