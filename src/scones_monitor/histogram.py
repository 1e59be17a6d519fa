"""The histogram of confidence, its bins cut at the threshold."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from scones_monitor.axes import certainty, confidence_ticks
from scones_monitor.formats import count
from scones_monitor.formats import threshold as format_threshold
from scones_monitor.join import Joined
from scones_monitor.statistics import confidence_histogram
from scones_monitor.svg import Drawing, Frame

_FRAME = Frame(width=460, height=330, left=42, right=22, top=46, bottom=52)
_STEP = 0.2


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
        _FRAME,
        "histogram",
        "Histogram of confidence",
        "; ".join(f"{count(sum(stack.counts))} {stack.name}" for stack in stacks)
        + f". The threshold is {format_threshold(threshold)}.",
        "chart",
    )
    _grid(drawing, top, edges)
    _bars(drawing, stacks, top)
    _threshold_line(drawing, threshold, edges)
    return drawing.markup()


def bin_edges(threshold: float, classes: int) -> list[float]:
    """Return the bins' edges as certainties, from chance up; the threshold is one of them."""
    low, cut, high = certainty(1 / classes), certainty(threshold), certainty(1)
    below = max(1, round((cut - low) / _STEP)) if cut > low else 0
    step = (cut - low) / below if below else _STEP
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


def _threshold_line(drawing: Drawing, threshold: float, edges: Sequence[float]) -> None:
    frame = drawing.frame
    x = frame.x(max(0.0, (certainty(threshold) - edges[0]) / (edges[-1] - edges[0])))
    drawing.line("threshold", x, 22, x, frame.y0)
    # Half of the label's own width keeps it on the drawing.
    middle = min(max(x, frame.x0 + 60), frame.x1 - 60)
    text = f"threshold {format_threshold(threshold)}"
    drawing.text("threshold-label strong", text, middle, 15, "middle")
