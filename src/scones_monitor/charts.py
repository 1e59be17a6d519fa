"""The report's charts: confidence over time, its histogram, and the confusion matrix."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup

from scones_monitor.formats import confidence, count, percent, plural, timestamp
from scones_monitor.formats import threshold as format_threshold
from scones_monitor.join import Joined
from scones_monitor.statistics import confidence_histogram, confusion
from scones_monitor.svg import Drawing, Frame

WIDE = Frame(width=1040, height=400, left=76, right=86, top=10, bottom=56)
NARROW = Frame(width=350, height=350, left=70, right=66, top=10, bottom=56)

# The order of drawing: what matters most lies on top.
KINDS = {
    "accepted": "Accepted",
    "accepted-right": "Accepted, right",
    "review": "Review",
    "review-right": "Review, model right",
    "review-wrong": "Review, model wrong",
    "accepted-wrong": "Accepted, wrong",
}


def kind(row: Joined) -> str:
    """Return a point's kind, one of KINDS: the decision, and right or wrong where known."""
    if row.correct is None:
        return row.decision
    return f"{row.decision}-{'right' if row.correct else 'wrong'}"


def glyph(name: str) -> Markup:
    """Return the mark of a kind for a legend."""
    drawing = Drawing(Frame(16, 16, 0, 0, 0, 0), f"legend-{name}", KINDS[name], "", "glyph")
    _mark(drawing, name, 8, 8, "")
    return drawing.markup()


def scatter(rows: Sequence[Joined], threshold: float, classes: int, frame: Frame) -> Markup:
    """Return confidence over time of the classified rows with a record, the threshold a line."""
    points = sorted(
        ((r.record.time, r.confidence, r) for r in rows if r.record and r.confidence is not None),
        key=lambda point: point[0],
    )
    wide = frame.width > 500
    xs = time_axis([time for time, _, _ in points], 9 if wide else 4)
    ys = confidence_axis([*(c for _, c, _ in points), threshold], classes)
    drawing = Drawing(
        frame,
        f"scatter-{'wide' if wide else 'narrow'}",
        "Confidence of each inference over time",
        f"{plural(len(points), 'inference')}, {count(sum(c >= threshold for _, c, _ in points))} "
        f"of them at or above the threshold of {format_threshold(threshold)}.",
        "chart wide" if wide else "chart narrow",
    )
    for share, text in ys.ticks:
        drawing.line("grid", frame.x0, frame.y(share), frame.x1, frame.y(share))
        drawing.text("tick", text, frame.x0 - 8, frame.y(share) + 4, "end")
    for share, text in xs.ticks:
        drawing.line("stub", frame.x(share), frame.y0, frame.x(share), frame.y0 + 5)
        drawing.text("tick", text, frame.x(share), frame.y0 + 20, "middle")
    drawing.line("axis", frame.x0, frame.y0, frame.x1, frame.y0)
    drawing.text("axis-title", xs.title, frame.x(0.5), frame.height - 8, "middle")
    marks = zip(points, xs.shares, ys.shares[:-1], strict=True)
    order = list(KINDS)
    for (_, _, row), x, y in sorted(marks, key=lambda mark: order.index(kind(mark[0][2]))):
        _mark(drawing, kind(row), frame.x(x), frame.y(y), _tip(row))
    _threshold_line(drawing, threshold, ys.shares[-1])
    return drawing.markup()


def _threshold_line(drawing: Drawing, threshold: float, share: float) -> None:
    frame = drawing.frame
    y = frame.y(share)
    drawing.line("threshold", frame.x0, y, frame.x1, y)
    drawing.text("threshold-label", "threshold", frame.x1 + 8, y - 3, "start")
    drawing.text(
        "threshold-label strong", format_threshold(threshold), frame.x1 + 8, y + 13, "start"
    )


def _tip(row: Joined) -> str:
    parts = [f"{row.label} {confidence(row.confidence)}", KINDS[kind(row)]]
    if row.correct is False:
        parts.append(f"truth: {row.truth}")
    if row.record:
        parts.append(tip_time(row.record.time))
    return "\n".join([*parts, row.key] if row.key else parts)


def _mark(drawing: Drawing, name: str, x: float, y: float, tip: str) -> None:
    if name in ("accepted", "accepted-right"):
        drawing.add("circle", f"mark {name}", tip, cx=x, cy=y, r=3.6)
    elif name == "accepted-wrong":
        d = f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"
        drawing.add("path", f"mark {name}", tip, d=d)
    else:
        d = f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"
        drawing.add("path", f"mark {name}", tip, d=d)


_STEPS = (
    *(timedelta(milliseconds=ms) for ms in (100, 200, 500)),
    *(timedelta(seconds=s) for s in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=h) for h in (1, 2, 3, 6, 12)),
    *(timedelta(days=d) for d in (1, 2, 7, 14, 28, 91, 182, 365)),
)
# Above this a confidence is drawn at the upper edge.
_TOP_CONFIDENCE = 0.9999
_CONFIDENCE_TICKS = (0.0, 0.5, 0.8, 0.9, 0.99, 0.999, 0.9999)


@dataclass(frozen=True, slots=True)
class Axis:
    """A share from 0 to 1 for each point, ticks as (share, text), and the axis title."""

    shares: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]
    title: str


def time_axis(times: Sequence[datetime], ticks: int) -> Axis:
    """Return the axis of these ascending times: by the clock, or by order where it is too coarse.

    AWS captures whole seconds. A burst of requests would stand in a few columns, so that it is
    drawn in the order of arrival, and the title says so.
    """
    whole = all(time.microsecond == 0 for time in times)
    if whole and 4 * len(set(times)) < len(times):
        return _order_axis(times, ticks)
    first, last = times[0], times[-1]
    span = max(last - first, timedelta(seconds=1))
    start = first - 0.02 * span
    width = 1.04 * span
    return Axis(
        shares=tuple((time - start) / width for time in times),
        ticks=tuple(_time_ticks(start, width, ticks)),
        title="Time of inference (UTC)",
    )


def _time_ticks(start: datetime, width: timedelta, wanted: int) -> list[tuple[float, str]]:
    step = next((s for s in _STEPS if width / s <= wanted), _STEPS[-1])
    origin = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tick = origin + math.ceil((start - origin) / step) * step
    found = []
    while tick <= start + width:
        found.append(((tick - start) / width, _clock(tick, step)))
        tick += step
    return found


def _clock(time: datetime, step: timedelta) -> str:
    if step >= timedelta(days=1) or (step >= timedelta(hours=1) and time.hour == 0):
        return f"{time.day} {time:%b}"
    if step >= timedelta(minutes=1):
        return f"{time:%H:%M}"
    return f"{time:%H:%M:%S}" + (f".{time.microsecond // 100_000}" if step.microseconds else "")


def _order_axis(times: Sequence[datetime], ticks: int) -> Axis:
    n = len(times)
    step = next(s * 10**e for e in range(9) for s in (1, 2, 5) if n / (s * 10**e) <= ticks)
    marks = [1, *range(step, n + 1, step)] if step > 1 else range(1, n + 1)
    return Axis(
        shares=tuple((i + 0.5) / n for i in range(n)),
        ticks=tuple(((mark - 0.5) / n, count(mark)) for mark in marks),
        title="Inferences, in the order of time",
    )


def confidence_axis(values: Sequence[float], classes: int) -> Axis:
    """Return the axis of confidences on the scale of `certainty`, from chance to the highest."""
    low = certainty(1 / classes)
    high = min(certainty(1), max(2.0, certainty(max(values)) + 0.1))
    return Axis(
        shares=tuple(max(0.0, (certainty(v) - low) / (high - low)) for v in values),
        ticks=confidence_ticks(low, high, 0.05),
        title="Confidence",
    )


def confidence_ticks(low: float, high: float, gap: float) -> tuple[tuple[float, str], ...]:
    """Return the ticks between two certainties as (share, text), at least `gap` apart.

    Where they are too close the higher one stays. The highest of all also stands for what is
    drawn at its place because it lies above.
    """
    found: list[tuple[float, str]] = []
    for tick in reversed(_CONFIDENCE_TICKS):
        share = (certainty(tick) - low) / (high - low)
        if -1e-9 <= share <= 1 + 1e-9 and (not found or found[-1][0] - share >= gap):
            sign = "\u2265\u202f" if tick == _TOP_CONFIDENCE else ""
            found.append((share, sign + percent(tick, _digits(tick))))
    return tuple(found)


def certainty(value: float) -> float:
    """Return a confidence as its number of nines: 90 % is 1, 99 % is 2; 4 at most.

    A straight scale would press most inferences into its last percents, where the threshold
    lies; on this one each step up is ten times less doubt.
    """
    return -math.log10(1 - min(value, _TOP_CONFIDENCE))


def _digits(value: float) -> int:
    return max(0, len(f"{value:g}") - 4)


def tip_time(time: datetime) -> str:
    """Return a point's time for its tooltip, with milliseconds where it has any."""
    text = timestamp(time)
    return (
        text.replace(" UTC", f".{time.microsecond // 1000:03d} UTC") if time.microsecond else text
    )


HISTOGRAM_FRAME = Frame(width=460, height=330, left=42, right=22, top=46, bottom=52)
_BIN_STEP = 0.2


class Stack(NamedTuple):
    """The bars of one colour: `counts` by bin."""

    name: str
    counts: list[int]


def histogram(rows: Sequence[Joined], threshold: float, classes: int) -> Markup:
    """Return the histogram of confidence, on the scale of the chart over time.

    Wrong answers stand below right ones where the truth is known, else review below accepted.
    """
    edges = bin_edges(threshold, classes)
    stacks = stacked(rows, edges)
    top = max(map(sum, zip(*(stack.counts for stack in stacks), strict=True)))
    drawing = Drawing(
        HISTOGRAM_FRAME,
        "histogram",
        "Histogram of confidence",
        "; ".join(f"{count(sum(stack.counts))} {stack.name}" for stack in stacks)
        + f". The threshold is {format_threshold(threshold)}.",
        "chart",
    )
    _grid(drawing, top, edges)
    _bars(drawing, stacks, top)
    _vertical_threshold_line(drawing, threshold, edges)
    return drawing.markup()


def bin_edges(threshold: float, classes: int) -> list[float]:
    """Return the bins' edges as certainties, from chance up; the threshold is one of them."""
    low, cut, high = certainty(1 / classes), certainty(threshold), certainty(1)
    below = max(1, round((cut - low) / _BIN_STEP)) if cut > low else 0
    step = (cut - low) / below if below else _BIN_STEP
    edges = [low + i * step for i in range(below)]
    while not edges or edges[-1] < high:
        edges.append((cut if below else low) + (len(edges) - below) * step)
    return edges


def stacked(rows: Sequence[Joined], edges: Sequence[float]) -> list[Stack]:
    """Return the counts by bin, the lower stack first."""
    known = any(row.correct is not None for row in rows)
    kinds = [("wrong", False), ("right", True)] if known else [("review", None), ("accepted", None)]
    # Rounding must not push the lowest possible confidence out of the first bin.
    return [
        Stack(
            name,
            confidence_histogram(
                [
                    max(certainty(row.confidence), edges[0])
                    for row in rows
                    if row.confidence is not None
                    and (row.correct is right if known else row.decision == name)
                ],
                edges,
            ),
        )
        for name, right in kinds
    ]


def _bars(drawing: Drawing, stacks: Sequence[Stack], top: int) -> None:
    frame, bins = drawing.frame, len(stacks[0].counts)
    wide, scale = (frame.x1 - frame.x0) / bins, (frame.y0 - frame.y1) / (top or 1)
    for i in range(bins):
        x, y, total = frame.x0 + i * wide, float(frame.y0), 0
        for name, counts in stacks:
            high = counts[i] * scale
            y, total = y - high, total + counts[i]
            if high:
                tip = f"{counts[i]} {name}"
                size = {"x": x + 1, "y": y, "width": wide - 2, "height": high}
                drawing.add("rect", f"bar {name}", tip, **size)
        if total:
            drawing.text("bar-label", count(total), x + wide / 2, y - 5, "middle")


def _grid(drawing: Drawing, top: int, edges: Sequence[float]) -> None:
    frame = drawing.frame
    step = next(s * 10**e for e in range(9) for s in (1, 2, 5) if top / (s * 10**e) <= 5)
    for value in range(0, top + 1, step):
        y = frame.y(value / (top or 1))
        drawing.line("grid", frame.x0, y, frame.x1, y)
        drawing.text("tick", count(value), frame.x0 - 8, y + 4, "end")
    for share, text in confidence_ticks(edges[0], edges[-1], 0.12):
        drawing.line("stub", frame.x(share), frame.y0, frame.x(share), frame.y0 + 5)
        drawing.text("tick", text, frame.x(share), frame.y0 + 19, "middle")
    drawing.line("axis", frame.x0, frame.y0, frame.x1, frame.y0)
    drawing.text("axis-title", "Confidence", frame.x(0.5), frame.height - 8, "middle")


def _vertical_threshold_line(drawing: Drawing, threshold: float, edges: Sequence[float]) -> None:
    frame = drawing.frame
    x = frame.x(max(0.0, (certainty(threshold) - edges[0]) / (edges[-1] - edges[0])))
    drawing.line("threshold", x, 22, x, frame.y0)
    # Half of the label's own width keeps it on the drawing.
    middle = min(max(x, frame.x0 + 60), frame.x1 - 60)
    text = f"threshold {format_threshold(threshold)}"
    drawing.text("threshold-label strong", text, middle, 15, "middle")


MATRIX_FRAME = Frame(width=460, height=340, left=122, right=14, top=88, bottom=10)
# The height of a line and the width of a letter of the names, in units of the drawing.
_LINE = 15
_LETTER = 8.0


class Cell(NamedTuple):
    """One field of the matrix: its corner and size, and what it counts."""

    x: float
    y: float
    wide: float
    high: float
    hits: int
    total: int

    @property
    def share(self) -> float:
        """Return the share of the true class, 0 to 1."""
        return self.hits / self.total if self.total else 0.0

    @property
    def legible(self) -> bool:
        """Whether a figure fits into it."""
        return self.wide >= 26 and self.high >= 16

    @property
    def roomy(self) -> bool:
        """Whether a large figure and a share fit into it."""
        return self.wide >= 60 and self.high >= 60


def confusion_matrix(rows: Sequence[Joined], labels: Sequence[str]) -> Markup:
    """Return the counts by true and answered label, with the share of each true label."""
    counts, n = confusion(rows, labels), len(labels)
    text_alternative = _confusion_text(counts, labels)
    drawing = Drawing(MATRIX_FRAME, "confusion", "Confusion matrix", text_alternative, "chart")
    wide, high = (MATRIX_FRAME.x1 - MATRIX_FRAME.x0) / n, (MATRIX_FRAME.y0 - MATRIX_FRAME.y1) / n
    vertical = any(len(label) * _LETTER > wide for label in labels)
    drawing.text("axis-title", "Answered", MATRIX_FRAME.x(0.5), 16 if vertical else 48, "middle")
    drawing.text("axis-title", "Truth", 16, MATRIX_FRAME.y(0.5), "middle", vertical=True)
    _names(drawing, labels, (wide, high), vertical)
    for i, label in enumerate(labels):
        for j, answer in enumerate(labels):
            x, y = MATRIX_FRAME.x0 + j * wide, MATRIX_FRAME.y1 + i * high
            cell = Cell(x, y, wide, high, counts[i][j], sum(counts[i]))
            tip = f"{label} answered as {answer}: {cell.hits} of {cell.total}"
            _draw(drawing, cell, tip, "right" if i == j else "wrong")
    return drawing.markup()


def _names(
    drawing: Drawing, labels: Sequence[str], cell: tuple[float, float], vertical: bool
) -> None:
    wide, high = cell
    # Of too many names every second, third, ... is written.
    row_step, column_step = math.ceil(_LINE / high), math.ceil(_LINE / wide)
    for i, label in enumerate(labels):
        x, y = MATRIX_FRAME.x0 + (i + 0.5) * wide, MATRIX_FRAME.y1 + (i + 0.5) * high
        if i % row_step == 0:
            drawing.text("tick strong", _short(label, 12), MATRIX_FRAME.x0 - 10, y + 4, "end")
        if i % column_step == 0 and vertical:
            drawing.text("tick strong", _short(label, 7), x + 4, 80, "start", vertical=True)
        elif i % column_step == 0:
            drawing.text("tick strong", label, x, 76, "middle")


def _draw(drawing: Drawing, cell: Cell, tip: str, css: str) -> None:
    gap = min(2.0, cell.wide / 10)
    # Pale enough for a figure to stay readable on the fullest cell; without figures, strong.
    depth = 0.3 if cell.legible else 0.85
    box = {"width": cell.wide - 2 * gap, "height": cell.high - 2 * gap, "rx": gap * 3}
    box["fill-opacity"] = 0.05 + depth * cell.share
    drawing.add("rect", f"cell {css}", tip, x=cell.x + gap, y=cell.y + gap, **box)
    x, y = cell.x + cell.wide / 2, cell.y + cell.high / 2
    if cell.roomy:
        drawing.text("cell-count", count(cell.hits), x, y, "middle")
        drawing.text(
            "cell-figure", percent(cell.share if cell.total else None), x, y + 22, "middle"
        )
    elif cell.legible:
        drawing.text("cell-figure", count(cell.hits), x, y + 4, "middle")


def _confusion_text(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    return "; ".join(
        f"{label}: {counts[i][i]} of {sum(counts[i])} right" for i, label in enumerate(labels)
    )


def _short(label: str, room: int) -> str:
    return label if len(label) <= room else label[: max(1, room - 1)] + "\u2026"
