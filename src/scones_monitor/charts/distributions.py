"""Charts of distributions: confidence, input statistics, reliability."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scones_monitor.charts.axes import ConfidenceAxis, certainty, count_ticks, draw_grid, number
from scones_monitor.charts.svg import Drawing, Frame
from scones_monitor.formats import count, interval, percent, plural
from scones_monitor.formats import threshold as format_threshold
from scones_monitor.statistics import Bin, histogram

HISTOGRAM_FRAME = Frame(width=460, height=330, left=52, right=22, top=46, bottom=52)
RELIABILITY_FRAME = Frame(width=460, height=380, left=64, right=22, top=16, bottom=56)
INPUT_FRAME = Frame(width=300, height=170, left=14, right=14, top=16, bottom=34)
_BIN_STEP = 0.2
_INPUT_BINS = 24


class Stack(NamedTuple):
    """The values of one kind, `name` its CSS class and legend."""

    name: str
    values: ArrayLike


def confidence_histogram(
    stacks: Sequence[Stack], threshold: float, classes: int, decided_by: Sequence[float] = ()
) -> Drawing:
    """Return the histogram of confidences, the first stack the lower one.

    The threshold is a line with its value, and each other one that decided a line.
    """
    edges = bin_edges(threshold, classes)
    # Rounding must not push the lowest possible confidence out of the first bin.
    bars = [
        (
            stack.name,
            histogram([max(certainty(v), edges[0]) for v in np.asarray(stack.values)], edges),
        )
        for stack in stacks
    ]
    top = max(map(sum, zip(*(counts for _, counts in bars), strict=True)))
    drawing = Drawing(
        HISTOGRAM_FRAME,
        "histogram",
        "Histogram of confidence",
        "; ".join(f"{count(sum(counts))} {name}" for name, counts in bars)
        + f". The threshold is {format_threshold(threshold)}.",
        "chart",
    )
    frame, axis = drawing.frame, ConfidenceAxis(edges[0], edges[-1])
    draw_grid(
        drawing, [(tick / (top or 1), number(tick)) for tick in count_ticks(top) if tick % 1 == 0]
    )
    for share, text in axis.ticks(0.12):
        drawing.line("stub", frame.x(share), frame.y0, frame.x(share), frame.y0 + 5)
        drawing.text("tick", text, frame.x(share), frame.y0 + 19, "middle")
    drawing.line("axis", frame.x0, frame.y0, frame.x1, frame.y0)
    drawing.text("axis-title", "Confidence", frame.x(0.5), frame.height - 8, "middle")
    _bars(drawing, bars, top)
    for other in (each for each in decided_by if abs(each - threshold) > 1e-6):
        x = frame.x(axis.share(other))
        drawing.line("threshold", x, 30, x, frame.y0)
    x = frame.x(axis.share(threshold))
    drawing.line("threshold", x, 22, x, frame.y0)
    # Half of the label's own width keeps it on the drawing.
    middle = min(max(x, frame.x0 + 60), frame.x1 - 60)
    text = f"threshold {format_threshold(threshold)}"
    drawing.text("threshold-label strong", text, middle, 15, "middle")
    return drawing


def sparkline(values: ArrayLike, threshold: float, classes: int, ident: str) -> Drawing:
    """Return the histogram of confidences in the height of a table's row, the threshold a line."""
    edges = bin_edges(threshold, classes)
    counts = histogram([max(certainty(v), edges[0]) for v in np.asarray(values)], edges)
    drawing = Drawing(
        Frame(120, 26, 1, 1, 2, 1),
        ident,
        "Histogram of confidence",
        f"{plural(sum(counts), 'answer')}, the threshold is {format_threshold(threshold)}.",
        "spark",
    )
    frame, top = drawing.frame, max(counts) or 1
    wide = (frame.x1 - frame.x0) / len(counts)
    for i, n in enumerate(counts):
        if n:
            high = max(1.0, frame.y(0) - frame.y(n / top))
            x = frame.x0 + i * wide
            drawing.add(
                "rect", "bar accepted", x=x, y=frame.y0 - high, width=wide - 0.8, height=high
            )
    x = frame.x(ConfidenceAxis(edges[0], edges[-1]).share(threshold))
    drawing.line("threshold", x, 0, x, frame.y0)
    return drawing


def bin_edges(threshold: float, classes: int) -> list[float]:
    """Return the bins' edges as certainties, from chance up; the threshold is one of them."""
    low, cut, high = certainty(1 / classes), certainty(threshold), certainty(1)
    below = max(1, round((cut - low) / _BIN_STEP)) if cut > low else 0
    step = (cut - low) / below if below else _BIN_STEP
    edges = [low + i * step for i in range(below)]
    while not edges or edges[-1] < high:
        edges.append((cut if below else low) + (len(edges) - below) * step)
    return edges


def _bars(drawing: Drawing, bars: Sequence[tuple[str, list[int]]], top: int) -> None:
    frame, bins = drawing.frame, len(bars[0][1])
    wide, scale = (frame.x1 - frame.x0) / bins, (frame.y0 - frame.y1) / (top or 1)
    for i in range(bins):
        x, y, total = frame.x0 + i * wide, float(frame.y0), 0
        for name, counts in bars:
            high = counts[i] * scale
            y, total = y - high, total + counts[i]
            if high:
                tip = f"{count(counts[i])} {name}"
                size = {"x": x + 1, "y": y, "width": wide - 2, "height": high}
                drawing.add("rect", f"bar {name}", tip, **size)
        if total and top < 10_000:
            drawing.text("bar-label", count(total), x + wide / 2, y - 5, "middle")


def reliability_diagram(bins: Sequence[Bin]) -> Drawing:
    """Return the share of right answers by confidence, each with its 95 % interval."""
    n = sum(each.right.total for each in bins)
    drawing = Drawing(
        RELIABILITY_FRAME,
        "reliability",
        "Reliability diagram",
        f"{plural(n, 'labelled image')}: "
        + "; ".join(f"{percent(b.confidence)} sure, {percent(b.right.value)} right" for b in bins),
        "chart",
    )
    frame = drawing.frame
    low = min(0.5, *(b.confidence for b in bins), *(b.right.value or 0.0 for b in bins))
    low = int(low * 10) / 10

    def place(value: float) -> float:
        return (value - low) / (1 - low)

    ticks = [(place(v / 10), percent(v / 10, 0)) for v in range(round(low * 10), 11)]
    draw_grid(drawing, ticks[:: 1 if len(ticks) <= 6 else 2])
    for share, text in ticks[:: 1 if len(ticks) <= 6 else 2]:
        drawing.text("tick", text, frame.x(share), frame.y0 + 19, "middle")
    drawing.line("axis", frame.x0, frame.y0, frame.x1, frame.y0)
    drawing.line("threshold", frame.x(0), frame.y(0), frame.x(1), frame.y(1))
    drawing.text("axis-title", "Confidence", frame.x(0.5), frame.height - 10, "middle")
    drawing.text("axis-title", "Share that is right", 14, frame.y(0.5), "middle", vertical=True)
    for each in bins:
        bounds, right = each.right.interval, each.right.value
        if bounds is None or right is None:
            continue
        x = frame.x(place(each.confidence))
        lower, upper = (frame.y(max(0.0, place(v))) for v in bounds)
        drawing.line("whisker", x, lower, x, upper)
        size = 4 + 8 * (each.right.total / n) ** 0.5
        tip = (
            f"mean confidence {percent(each.confidence)}\nright {percent(right)} "
            f"({interval(bounds)})\nn = {count(each.right.total)}"
        )
        drawing.add("circle", "mark accepted", tip, cx=x, cy=frame.y(place(right)), r=size)
    return drawing


def input_histogram(name: str, values: ArrayLike, reference: ArrayLike, digits: int) -> Drawing:
    """Return the distribution of an input statistic, that of the reference as an outline."""
    now, before = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    both = np.concatenate([now, before])
    low, high = (float(v) for v in np.percentile(both, (0.5, 99.5)))
    high = high if high > low else low + 1
    edges = np.linspace(low, high, _INPUT_BINS + 1).tolist()
    drawing = Drawing(
        INPUT_FRAME,
        f"input-{name}",
        f"Distribution of {name}",
        f"{plural(len(now), 'image')}, {count(len(before))} of the reference.",
        "chart small",
    )
    frame, wide = drawing.frame, 1 / _INPUT_BINS
    shares = [
        np.array(histogram(np.clip(each, low, high), edges)) / max(1, len(each))
        for each in (now, before)
    ]
    top = max(float(share.max()) for share in shares) or 1.0
    for i, share in enumerate(shares[0].tolist()):
        if share:
            height = frame.y(0) - frame.y(share / top)
            drawing.add(
                "rect", "bar accepted", x=frame.x(i * wide) + 0.5, y=frame.y(share / top),
                width=(frame.x1 - frame.x0) * wide - 1, height=height,
            )  # fmt: skip
    if len(before):
        steps = [
            f"{frame.x(j * wide):.1f},{frame.y(share / top):.1f}"
            for i, share in enumerate(shares[1].tolist())
            for j in (i, i + 1)
        ]
        drawing.add("polyline", "line second", points=" ".join(steps))
    drawing.line("axis", frame.x0, frame.y0, frame.x1, frame.y0)
    for share, anchor, value in ((0.0, "start", low), (1.0, "end", high)):
        drawing.text("tick", f"{value:.{digits}f}", frame.x(share), frame.y0 + 18, anchor)
    return drawing
