"""Charts over time: traffic, latency, confidence, the share sent to review."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scones_monitor.charts.axes import (
    ConfidenceAxis,
    TimeAxis,
    count_ticks,
    draw_grid,
    draw_time_axis,
    number,
)
from scones_monitor.charts.svg import Drawing, Frame
from scones_monitor.formats import confidence, count, percent, plural, timestamp
from scones_monitor.formats import threshold as format_threshold
from scones_monitor.timeline import Timeline

MAX_POINTS = 500
"""Up to so many inferences are drawn one by one, more as bands."""

MAX_DOTS = 40
"""Lines of more values have no dots."""

KINDS = {
    "accepted": "Accepted",
    "accepted-right": "Accepted, right",
    "review": "Review",
    "review-right": "Review, model right",
    "review-wrong": "Review, model wrong",
    "accepted-wrong": "Accepted, wrong",
}
"""Marks by name, in the order of drawing: what matters most lies on top."""

# Each line has a dash pattern of its own: colour is never the only difference.
_LINES = ("line first", "line second", "line third")


def frames(height: int) -> tuple[Frame, Frame]:
    """Return the frame for a desktop and the one for a phone."""
    return (
        Frame(width=1040, height=height, left=76, right=92, top=26, bottom=56),
        Frame(width=350, height=max(260, height - 60), left=64, right=70, top=26, bottom=56),
    )


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment to be marked on time axes, such as a release."""

    time: datetime
    text: str


Step = tuple[datetime, float]
"""A threshold, and when it began to decide."""


class Point(NamedTuple):
    """One inference: `kind` is one of KINDS, `tip` what is shown on hovering."""

    time: datetime
    confidence: float
    kind: str
    tip: str


@dataclass(frozen=True)
class OverTime:
    """The time axis and the markers that all charts of a page share."""

    axis: TimeAxis
    markers: Sequence[Marker] = ()

    def _drawing(self, frame: Frame, ident: str, title: str, description: str) -> Drawing:
        size = "wide" if frame.width > 500 else "narrow"
        return Drawing(frame, f"{ident}-{size}", title, description, f"chart {size}")

    def _finish(self, drawing: Drawing) -> Drawing:
        """Draw the axis and the markers."""
        frame, last = drawing.frame, -1e9
        draw_time_axis(drawing, self.axis)
        for marker in sorted(self.markers, key=lambda each: each.time):
            if not self.axis.start <= marker.time <= self.axis.end:
                continue
            x = frame.x(self.axis.share(marker.time))
            drawing.add(
                "line", "marker", f"{marker.text}\n{timestamp(marker.time)}",
                x1=x, y1=frame.y1 - 6, x2=x, y2=frame.y0,
            )  # fmt: skip
            drawing.add("path", "marker-flag", d=f"M{x:.1f} {frame.y1 - 14:.1f}l8 4l-8 4z")
            # A phone has no room for names: the text above the chart lists them.
            if frame.width > 500 and x - last > 170 and x < frame.x1 - 40:
                drawing.text("marker-label", marker.text, x + 11, frame.y1 - 6, "start")
                last = x
        return drawing

    def points(
        self, points: Sequence[Point], thresholds: Sequence[Step], classes: int
    ) -> tuple[Drawing, Drawing]:
        """Return each inference's confidence, the thresholds a dashed line with steps."""
        steps = self._within(thresholds)
        top = max(*(value for _, value in steps), *(point.confidence for point in points))
        axis = ConfidenceAxis.over(top, classes)
        reached = sum(point.kind.startswith("accepted") for point in points)
        order = list(KINDS)
        made = []
        for frame in frames(420):
            drawing = self._confidence(
                frame, axis, f"{plural(len(points), 'inference')}, {count(reached)} of them at or "
                f"above the threshold of {_then(steps)}.",
            )  # fmt: skip
            for point in sorted(points, key=lambda each: order.index(each.kind)):
                x, y = frame.x(self.axis.share(point.time)), frame.y(axis.share(point.confidence))
                mark(drawing, point.kind, x, y, point.tip)
            self._threshold_line(drawing, steps, axis)
            made.append(self._finish(drawing))
        return made[0], made[1]

    def bands(
        self, line: Timeline, thresholds: Sequence[Step], classes: int
    ) -> tuple[Drawing, Drawing]:
        """Return the median of confidence in each bin, within its 5th to 95th percentile."""
        steps = self._within(thresholds)
        top = float(np.nanmax([*(value for _, value in steps), *line.p95]))
        axis = ConfidenceAxis.over(top, classes)
        made = []
        for frame in frames(420):
            drawing = self._confidence(
                frame, axis, f"{plural(int(line.count.sum()), 'inference')} in "
                f"{plural(int((line.count > 0).sum()), 'interval')}: the median, and the range of "
                f"the middle 90 %. The threshold is {_then(steps)}.",
            )  # fmt: skip
            for run in _runs(line.p50):
                xs = [frame.x(self.axis.share(line.middles[i])) for i in run]
                high = [frame.y(axis.share(line.p95[i])) for i in run]
                low = [frame.y(axis.share(line.p5[i])) for i in run]
                if len(run) == 1:
                    drawing.add("line", "whisker", x1=xs[0], y1=low[0], x2=xs[0], y2=high[0])
                else:
                    edge = [*zip(xs, high, strict=True), *zip(xs[::-1], low[::-1], strict=True)]
                    drawing.add("polygon", "band", points=_points(edge))
                middle = [frame.y(axis.share(line.p50[i])) for i in run]
                drawing.add("polyline", "line first", points=_points(zip(xs, middle, strict=True)))
                for i, x, y in zip(run, xs, middle, strict=True):
                    tip = (
                        f"{timestamp(line.start + i * line.step)}\n"
                        f"median {confidence(line.p50[i])}, "
                        f"5 % {confidence(line.p5[i])}, 95 % {confidence(line.p95[i])}\n"
                        f"n = {count(int(line.count[i]))}"
                    )
                    drawing.add("circle", "dot first", tip, cx=x, cy=y, r=2.4)
            self._threshold_line(drawing, steps, axis)
            made.append(self._finish(drawing))
        return made[0], made[1]

    def _within(self, thresholds: Sequence[Step]) -> list[Step]:
        """Return the thresholds of the axis' time, the first from its start on."""
        earlier = [value for time, value in thresholds if time <= self.axis.start]
        later = [(time, value) for time, value in thresholds if time > self.axis.start]
        first = earlier[-1] if earlier else thresholds[0][1]
        return [(self.axis.start, first), *(each for each in later if each[0] < self.axis.end)]

    def _threshold_line(
        self, drawing: Drawing, steps: Sequence[Step], axis: ConfidenceAxis
    ) -> None:
        """Draw the thresholds as one line with steps, the last one's value at its end."""
        frame, (_, last) = drawing.frame, steps[-1]
        places = [
            (frame.x(self.axis.share(time)), frame.y(axis.share(value))) for time, value in steps
        ]
        ends = [x for x, _ in places[1:]] + [frame.x1]
        for i, ((x, y), end) in enumerate(zip(places, ends, strict=True)):
            if i:
                drawing.line("threshold", x, places[i - 1][1], x, y)
            drawing.line("threshold", x, y, end, y)
        y = places[-1][1]
        drawing.text("threshold-label", "threshold", frame.x1 + 6, y - 3, "start")
        drawing.text(
            "threshold-label strong", format_threshold(last), frame.x1 + 6, y + 13, "start"
        )

    def _confidence(self, frame: Frame, axis: ConfidenceAxis, description: str) -> Drawing:
        drawing = self._drawing(frame, "confidence", "Confidence over time", description)
        draw_grid(drawing, axis.ticks(0.06))
        return drawing

    def traffic(
        self, line: Timeline, invocations: NDArray[np.float64] | None
    ) -> tuple[Drawing, Drawing]:
        """Return the captured records of each bin as bars, the invocations as a stepped line."""
        top = float(max(line.count.max(initial=1), 1 if invocations is None else invocations.max()))
        made = []
        for frame in frames(270):
            known = "" if invocations is None else f"; {count(int(invocations.sum()))} invocations"
            text = f"{plural(int(line.count.sum()), 'captured record')}{known}."
            drawing = self._drawing(frame, "traffic", "Traffic over time", text)
            whole = [tick for tick in count_ticks(top, 4) if tick == round(tick)]
            draw_grid(drawing, [(tick / top, number(tick)) for tick in whole])
            wide = frame.x(self.axis.share(line.start + line.step)) - frame.x(
                self.axis.share(line.start)
            )
            for i, n in enumerate(line.count.tolist()):
                if n:
                    x = frame.x(self.axis.share(line.start + i * line.step))
                    size = {"width": max(1.0, wide - 1), "height": frame.y(0) - frame.y(n / top)}
                    tip = f"{timestamp(line.start + i * line.step)}\n{plural(n, 'record')}"
                    drawing.add("rect", "bar accepted", tip, x=x, y=frame.y(n / top), **size)
            if invocations is not None:
                steps = [
                    (frame.x(self.axis.share(line.start + j * line.step)), frame.y(n / top))
                    for i, n in enumerate(invocations.tolist())
                    for j in (i, i + 1)
                ]
                drawing.add("polyline", "line second", points=_points(steps))
            made.append(self._finish(drawing))
        return made[0], made[1]

    def lines(
        self,
        ident: str,
        title: str,
        series: Mapping[str, Sequence[tuple[datetime, float]]],
        unit: str,
        *,
        top: float | None = None,
    ) -> tuple[Drawing, Drawing]:
        """Return up to three series as lines with a dash pattern each, named at their ends."""
        highest = top or max((v for line in series.values() for _, v in line), default=1.0) or 1.0
        made = []
        for frame in frames(270):
            n = sum(len(line) for line in series.values())
            drawing = self._drawing(frame, ident, title, f"{plural(n, 'value')} in {unit}.")
            draw_grid(drawing, [(t / highest, _unit(t, unit)) for t in count_ticks(highest, 4)])
            ends: list[tuple[float, str]] = []
            for (name, values), css in zip(series.items(), _LINES, strict=False):
                places = [
                    (frame.x(self.axis.share(time)), frame.y(value / highest))
                    for time, value in values
                ]
                for run in _connected(values, self.axis):
                    drawing.add("polyline", css, points=_points([places[i] for i in run]))
                # Dots would hide a line's dashes where there are many.
                dotted = values if len(values) <= MAX_DOTS else ()
                for (time, value), (x, y) in zip(dotted, places, strict=False):
                    tip = f"{timestamp(time)}\n{name}: {_unit(value, unit)}"
                    drawing.add("circle", css.replace("line", "dot"), tip, cx=x, cy=y, r=2.4)
                if places:
                    ends.append((places[-1][1], name))
            for y, name in _apart(ends, 14):
                drawing.text("line-label", name, frame.x1 + 8, y + 4, "start")
            made.append(self._finish(drawing))
        return made[0], made[1]


def mark(drawing: Drawing, name: str, x: float, y: float, tip: str) -> None:
    """Draw the mark of a kind: each has a shape of its own."""
    if name in ("accepted", "accepted-right"):
        drawing.add("circle", f"mark {name}", tip, cx=x, cy=y, r=3.6)
    elif name == "accepted-wrong":
        drawing.add("path", f"mark {name}", tip, d=f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10")
    else:
        drawing.add("path", f"mark {name}", tip, d=f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z")


def glyph(name: str) -> Drawing:
    """Return the mark of a kind for a legend."""
    drawing = Drawing(Frame(16, 16, 0, 0, 0, 0), f"legend-{name}", KINDS[name], "", "glyph")
    mark(drawing, name, 8, 8, "")
    return drawing


def _then(steps: Sequence[Step]) -> str:
    return ", then ".join(format_threshold(value) for _, value in steps)


def _runs(values: NDArray[np.float64]) -> list[list[int]]:
    """Return the indices of neighbouring known values: a line does not cross a gap."""
    known = np.flatnonzero(~np.isnan(values))
    return [run.tolist() for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)]


def _connected(values: Sequence[tuple[datetime, float]], axis: TimeAxis) -> list[list[int]]:
    """Return the indices of values between which a line is drawn: none crosses a long gap."""
    gap = (axis.end - axis.start) / 12
    runs: list[list[int]] = []
    for i, (time, _) in enumerate(values):
        if runs and time - values[i - 1][0] <= gap:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _points(places: "Sequence[tuple[float, float]] | zip[tuple[float, float]]") -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _apart(ends: list[tuple[float, str]], gap: float) -> list[tuple[float, str]]:
    """Return labels moved down until none covers another."""
    placed: list[tuple[float, str]] = []
    for y, name in sorted(ends):
        placed.append((max(y, placed[-1][0] + gap) if placed else y, name))
    return placed


def _unit(value: float, unit: str) -> str:
    return percent(value, 0) if unit == "%" else f"{number(round(value, 2))}\u202f{unit}"
