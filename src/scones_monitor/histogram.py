"""The histogram of confidence."""

from collections.abc import Sequence

from markupsafe import Markup

from scones_monitor.formats import confidence, count, percent
from scones_monitor.join import Joined
from scones_monitor.statistics import confidence_histogram
from scones_monitor.svg import Drawing, Frame

_FRAME = Frame(width=460, height=330, left=48, right=14, top=30, bottom=52)
_BINS = 20


def histogram(rows: Sequence[Joined], threshold: float, classes: int) -> Markup:
    """Return the histogram of confidence, wrong below right where the truth is known."""
    low = 0.5 if classes == 2 else 0.0
    edges = [low + (1 - low) * i / _BINS for i in range(_BINS + 1)]
    known = any(row.correct is not None for row in rows)
    names = ("wrong", "right") if known else ("review", "accepted")
    stacks = [
        confidence_histogram(
            [r.confidence for r in rows if r.confidence is not None and _stack(r, known) == name],
            edges,
        )
        for name in names
    ]
    totals = [sum(column) for column in zip(*stacks, strict=True)]
    drawing = Drawing(
        _FRAME,
        "histogram",
        "Histogram of confidence",
        f"Inferences by confidence in steps of {percent((1 - low) / _BINS)}, "
        f"{names[0]} ones below {names[1]} ones.",
        "",
    )
    _count_grid(drawing, max(totals))
    _bars(drawing, names, stacks, edges, max(totals))
    _confidence_ticks(drawing, low, threshold)
    return drawing.markup()


def _stack(row: Joined, known: bool) -> str:
    if known:
        return {True: "right", False: "wrong", None: ""}[row.correct]
    return row.decision


def _bars(
    drawing: Drawing,
    names: Sequence[str],
    stacks: Sequence[Sequence[int]],
    edges: Sequence[float],
    top: int,
) -> None:
    frame = drawing.frame
    wide = (frame.x1 - frame.x0) / _BINS
    scale = (frame.y0 - frame.y1) / (top or 1)
    for i in range(_BINS):
        y = float(frame.y0)
        for name, counts in zip(names, stacks, strict=True):
            if counts[i]:
                y -= counts[i] * scale
                tip = f"{percent(edges[i])} to {percent(edges[i + 1])}: {counts[i]} {name}"
                drawing.add(
                    "rect",
                    f"bar {name}",
                    tip,
                    x=frame.x0 + i * wide + 1,
                    y=y,
                    width=wide - 2,
                    height=counts[i] * scale,
                )
        total = sum(counts[i] for counts in stacks)
        if total:
            drawing.text("bar-label", count(total), frame.x0 + (i + 0.5) * wide, y - 5, "middle")


def _count_grid(drawing: Drawing, top: int) -> None:
    frame = drawing.frame
    step = next(s * 10**e for e in range(9) for s in (1, 2, 5) if top / (s * 10**e) <= 5)
    for value in range(0, top + 1, step):
        y = frame.y(value / (top or 1))
        drawing.line("grid", frame.x0, y, frame.x1, y)
        drawing.text("tick", count(value), frame.x0 - 8, y + 4, "end")


def _confidence_ticks(drawing: Drawing, low: float, threshold: float) -> None:
    frame = drawing.frame
    for i in range(6):
        value = low + (1 - low) * i / 5
        drawing.text("tick", percent(value, 0), frame.x(i / 5), frame.y0 + 18, "middle")
    drawing.line("axis", frame.x0, frame.y0, frame.x1, frame.y0)
    drawing.text("axis-title", "Confidence of the answer", frame.x(0.5), frame.height - 8, "middle")
    x = frame.x(max(0.0, (threshold - low) / (1 - low)))
    drawing.line("threshold", x, frame.y1 - 18, x, frame.y0)
    text = f"threshold {confidence(threshold)}"
    drawing.text("threshold-label", text, x - 6, frame.y1 - 10, "end")
