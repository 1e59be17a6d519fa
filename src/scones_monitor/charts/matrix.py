"""The confusion matrix as a drawing."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from scones_monitor.charts.svg import Drawing, Frame
from scones_monitor.formats import count, percent

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
    def fits_figure(self) -> bool:
        """Whether a figure fits into it."""
        return self.wide >= 26 and self.high >= 16

    @property
    def fits_share(self) -> bool:
        """Whether a large figure and a share fit into it."""
        return self.wide >= 60 and self.high >= 60


def confusion_matrix(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Drawing:
    """Return the counts by true label (rows) and answered label, with the share of each row."""
    n = len(labels)
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
    return drawing


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
    depth = 0.3 if cell.fits_figure else 0.85
    box = {"width": cell.wide - 2 * gap, "height": cell.high - 2 * gap, "rx": gap * 3}
    box["fill-opacity"] = 0.05 + depth * cell.share
    drawing.add("rect", f"cell {css}", tip, x=cell.x + gap, y=cell.y + gap, **box)
    x, y = cell.x + cell.wide / 2, cell.y + cell.high / 2
    if cell.fits_share:
        drawing.text("cell-count", count(cell.hits), x, y, "middle")
        drawing.text(
            "cell-figure", percent(cell.share if cell.total else None), x, y + 22, "middle"
        )
    elif cell.fits_figure:
        drawing.text("cell-figure", count(cell.hits), x, y + 4, "middle")


def _confusion_text(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    return "; ".join(
        f"{label}: {counts[i][i]} of {sum(counts[i])} right" for i, label in enumerate(labels)
    )


def _short(label: str, room: int) -> str:
    return label if len(label) <= room else label[: max(1, room - 1)] + "\u2026"
