"""The confusion matrix."""

from collections.abc import Sequence

from markupsafe import Markup

from scones_monitor.formats import count, percent
from scones_monitor.join import Joined
from scones_monitor.statistics import confusion
from scones_monitor.svg import Drawing, Frame


def confusion_matrix(rows: Sequence[Joined], labels: Sequence[str]) -> Markup:
    """Return the counts by true and answered label, with the share of each true label."""
    counts = confusion(rows, labels)
    frame = Frame(460, 330, 30, 14, 62, 14)
    drawing = Drawing(
        frame, "confusion", "Confusion matrix", _confusion_words(counts, labels), "chart"
    )
    n = len(labels)
    gutter = 92
    wide, high = (frame.x1 - frame.x0 - gutter) / n, (frame.y0 - frame.y1) / n
    drawing.text("axis-title", "Answered", frame.x0 + gutter + n * wide / 2, 22, "middle")
    drawing.text("axis-title", "Truth", 16, frame.y1 + n * high / 2, "middle", turned=True)
    for i, label in enumerate(labels):
        x, y = frame.x0 + gutter + (i + 0.5) * wide, frame.y1 + (i + 0.5) * high
        drawing.text("tick strong", _short(label, int(wide / 7.5)), x, frame.y1 - 12, "middle")
        drawing.text("tick strong", _short(label, 12), frame.x0 + gutter - 10, y + 4, "end")
        for j, answer in enumerate(labels):
            cell = (frame.x0 + gutter + j * wide, frame.y1 + i * high, wide, high)
            _cell(drawing, cell, counts[i][j], sum(counts[i]), (label, answer))
    return drawing.markup()


def _cell(
    drawing: Drawing,
    cell: tuple[float, float, float, float],
    hits: int,
    total: int,
    names: tuple[str, str],
) -> None:
    x, y, wide, high = cell
    share = hits / total if total else 0.0
    css = "right" if names[0] == names[1] else "wrong"
    # Pale enough for the figures to stay readable on the fullest cell.
    opacity = 0.05 + 0.3 * share if hits else 0.04
    tip = f"{names[0]} answered as {names[1]}: {hits} of {total}"
    gap = min(2.0, wide / 10)
    drawing.add(
        "rect",
        f"cell {css}",
        tip,
        x=x + gap,
        y=y + gap,
        width=wide - 2 * gap,
        height=high - 2 * gap,
        rx=min(6.0, gap * 3),
        fill_opacity=opacity,
    )
    if wide >= 26 and high >= 16:
        roomy = high >= 60 and wide >= 60
        drawing.text(
            "cell-count" if roomy else "tick",
            count(hits),
            x + wide / 2,
            y + high / 2 + (0 if roomy else 4),
            "middle",
        )
        if roomy and total:
            drawing.text("tick", percent(share), x + wide / 2, y + high / 2 + 22, "middle")


def _confusion_words(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    return "; ".join(
        f"{label}: {counts[i][i]} of {sum(counts[i])} right" for i, label in enumerate(labels)
    )


def _short(label: str, room: int) -> str:
    return label if len(label) <= room else label[: max(1, room - 1)] + "\u2026"
