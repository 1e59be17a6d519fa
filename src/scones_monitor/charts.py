"""Confidence over time: one mark an inference, its shape and colour by how it ended."""

from collections.abc import Sequence

from markupsafe import Markup

from scones_monitor.axes import confidence_axis, time_axis, tip_time
from scones_monitor.formats import confidence, count, plural
from scones_monitor.formats import threshold as format_threshold
from scones_monitor.join import Joined
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
