import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from scones_monitor.charts.axes import TimeAxis
from scones_monitor.charts.over_time import Marker, OverTime, Point
from scones_monitor.timeline import timeline

START = datetime(2026, 11, 20, tzinfo=UTC)
END = START + timedelta(days=1)


def test_every_point_has_the_mark_of_its_kind_and_its_tip() -> None:
    points = [
        Point(START, 0.99, "accepted-right", "van 99 %"),
        Point(END, 0.6, "review", "bus 60 %"),
        Point(END, 0.98, "accepted-wrong", "<script>"),
    ]

    for drawing in OverTime(TimeAxis(START, END)).points(points, [(START, 0.97)], 2):
        html = drawing.markup()
        assert [html.count(f'class="mark {p.kind}"') for p in points] == [1, 1, 1]
        assert "&lt;script&gt;" in html
        assert "3 inferences, 2 of them at or above the threshold" in html


def test_the_threshold_has_a_step_where_another_one_began_to_decide() -> None:
    steps = [
        (START - timedelta(hours=2), 0.5),
        (START - timedelta(hours=1), 0.9),
        (START + timedelta(hours=12), 0.97),
    ]

    wide, _ = OverTime(TimeAxis(START, END)).points([Point(START, 0.99, "accepted", "")], steps, 2)

    html = wide.markup()
    assert html.count('class="threshold"') == 3, "two thresholds, and the step between them"
    assert "the threshold of 90\u202f%, then 97\u202f%" in html


def test_a_band_does_not_cross_hours_without_records() -> None:
    hours = [0, 1, 2, 20, 21]
    times = np.array([START.timestamp() + h * 3600 for h in hours], np.uint32)
    line = timeline(times, np.full(5, 0.9, np.float32), np.zeros(5, np.bool_), START, END)

    wide, _ = OverTime(TimeAxis(line.start, line.end)).bands(line, [(START, 0.97)], 2)

    # Each of these hours is a bin of its own among empty ones.
    assert wide.markup().count('class="dot first"') == 5
    assert wide.markup().count('class="band"') == 0
    assert wide.markup().count('class="whisker"') == 5


def test_a_line_is_broken_where_values_are_missing() -> None:
    values = [(START + timedelta(hours=h), 1.0) for h in (0, 1, 2, 20, 21)]

    wide, _ = OverTime(TimeAxis(START, END)).lines("x", "X", {"p50": values}, "ms")

    assert wide.markup().count('class="line first"') == 2


def test_releases_within_the_time_are_marked_and_others_are_not() -> None:
    markers = [Marker(START + timedelta(hours=9), "second"), Marker(START - timedelta(1), "first")]

    wide, narrow = OverTime(TimeAxis(START, END), markers).lines("x", "X", {}, "ms")

    assert wide.markup().count('class="marker"') == narrow.markup().count('class="marker"') == 1
    assert "second" in wide.markup()
    assert "first" not in wide.markup()


def test_lines_are_told_apart_by_their_names_which_do_not_overlap() -> None:
    series = {name: [(START, 1.0), (END, 1.0)] for name in ("p50", "p90", "p99")}

    wide, _ = OverTime(TimeAxis(START, END)).lines("x", "X", series, "ms")

    labels = [e for e in wide.root if e.get("class") == "line-label"]
    heights = sorted(float(label.get("y", 0)) for label in labels)
    assert [label.text for label in labels] == ["p50", "p90", "p99"]
    assert min(np.diff(heights)) >= 14


def test_invocations_that_were_not_captured_rise_above_the_bars() -> None:
    line = timeline(
        np.array([START.timestamp()] * 5, np.uint32),
        np.ones(5, np.float32),
        np.ones(5, np.bool_),
        START,
        END,
    )
    invocations = np.zeros(len(line))
    invocations[0] = 10

    wide, _ = OverTime(TimeAxis(line.start, line.end)).traffic(line, invocations)

    assert "5 captured records; 10 invocations" in wide.markup()
    assert wide.markup().count('class="bar accepted"') == 1
    assert 'class="line second"' in wide.markup()


@pytest.mark.parametrize("seconds", [2, 5, 8, 9, 13, 40, 59])
def test_times_with_seconds_do_not_touch(seconds: int) -> None:
    axis = TimeAxis(START, START + timedelta(seconds=seconds))
    for drawing in OverTime(axis).lines("x", "X", {}, "ms"):
        found = re.findall(r'x="([\d.]+)"[^>]*>\d\d:\d\d:\d\d<', drawing.markup())
        places = sorted(map(float, found))
        assert len(places) > 1
        assert min(b - a for a, b in pairwise(places)) >= 8 * 7.5, "eight characters of 13 px"
