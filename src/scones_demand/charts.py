"""The report's charts: bars as an HTML table, and the demand of a week with its interval as SVG.

Lines differ in their stroke, so that no colour is needed to tell them apart.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

WIDTH = 1040


class Bar(NamedTuple):
    """One bar: its name, its value, and of how many hours it is; 0 for not said."""

    name: str
    value: float
    size: int = 0


def bars(title: str, values: Sequence[Bar], *, counted: str = "") -> str:
    """Return a table with a bar a row, in the order given; a value below 0 has no bar.

    `counted` names what a size counts. A table fits any width, and is read aloud.
    """
    table = ET.Element("table", {"class": "bars"})
    head = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for name in ("", "", title, *([counted] if counted else [])):
        ET.SubElement(head, "td" if not name else "th").text = name
    body = ET.SubElement(table, "tbody")
    top = max([*(bar.value for bar in values), 0.0]) or 1.0
    for bar in values:
        row = ET.SubElement(body, "tr")
        ET.SubElement(row, "th", {"scope": "row"}).text = bar.name
        track = ET.SubElement(row, "td", {"class": "track", "aria-hidden": "true"})
        share = 100 * max(bar.value, 0.0) / top
        ET.SubElement(track, "div", {"class": "bar", "style": f"width:{share:.1f}%"})
        ET.SubElement(row, "td").text = f"{bar.value:.3f}"
        if counted:
            ET.SubElement(row, "td").text = f"{bar.size:,}" if bar.size else "-"
    return _markup(table)


KEY = (
    ("band", "prediction interval"),
    ("forecast", "forecast"),
    ("actual", "actual"),
)


def key() -> str:
    """Return what the band and the lines of `week` are, each with a sample of it."""
    root = ET.Element("p", {"class": "key"})
    for css, name in KEY:
        part = ET.SubElement(root, "span")
        box = {"viewBox": "0 0 36 12", "width": "36", "height": "12", "aria-hidden": "true"}
        sample = ET.SubElement(part, "svg", box)
        if css == "band":
            _add(sample, "rect", css, x=0, y=0, width=36, height=12)
        else:
            _add(sample, "polyline", css, points="0,6 36,6")
        ET.SubElement(part, "span").text = name
    return _markup(root)


def week(
    title: str,
    times: Sequence[datetime],
    *,
    actual: NDArray[np.float64] | None,
    forecast: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> str:
    """Return actual against forecast riders over consecutive hours; all arrays of shape (n,).

    The interval is a band. `actual` is None where nobody knows it yet.
    """
    height, top_edge, bottom = 320, 12, 290
    subtitle = f"{len(times)} hours from {times[0]:%Y-%m-%d}; the band is the prediction interval."
    root = _root(title, subtitle, height)
    arrays = (high, forecast) if actual is None else (high, forecast, actual)
    top = _round_up(max(float(array.max()) for array in arrays))
    start, span = times[0], max((times[-1] - times[0]).total_seconds(), 3600.0)

    def x(time: datetime) -> float:
        return 60 + (WIDTH - 60 - 20) * (time - start).total_seconds() / span

    def y(value: float) -> float:
        return bottom - (bottom - top_edge) * value / top

    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _add(root, "line", "grid", x1=60, x2=WIDTH - 20, y1=y(top * share), y2=y(top * share))
        _text(root, "tick", f"{top * share:,.0f}", 52, y(top * share) + 5, anchor="end")
    for time in times:
        if time.hour == 0:
            _text(root, "tick", f"{time:%a %d}", x(time), height - 8, anchor="start")
    for piece in _pieces(times):
        across = [x(times[i]) for i in piece]
        edge = [(a, y(float(high[i]))) for a, i in zip(across, piece, strict=True)]
        edge += [(a, y(float(low[i]))) for a, i in zip(across[::-1], piece[::-1], strict=True)]
        _add(root, "polygon", "band", points=_points(edge))
        lines = [("forecast", forecast), *([] if actual is None else [("actual", actual)])]
        for css, values in lines:
            found = [(a, y(float(values[i]))) for a, i in zip(across, piece, strict=True)]
            _add(root, "polyline", css, points=_points(found))
    return _markup(root)


def _pieces(times: Sequence[datetime]) -> list[list[int]]:
    """Return the positions in runs of consecutive hours: a line must not cross a gap."""
    found: list[list[int]] = [[0]]
    for position in range(1, len(times)):
        if (times[position] - times[position - 1]).total_seconds() > 3600:
            found.append([])
        found[-1].append(position)
    return found


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _root(title: str, description: str, height: int) -> ET.Element:
    box = f"0 0 {WIDTH} {height}"
    root = ET.Element("svg", {"class": "chart", "viewBox": box, "role": "img"})
    ET.SubElement(root, "title").text = title
    ET.SubElement(root, "desc").text = description
    return root


def _add(root: ET.Element, tag: str, css: str, **attributes: float | str) -> ET.Element:
    texts = {k: v if isinstance(v, str) else f"{v:.1f}" for k, v in attributes.items()}
    return ET.SubElement(root, tag, {"class": css, **texts})


def _text(root: ET.Element, css: str, text: str, x: float, y: float, *, anchor: str) -> None:
    element = _add(root, "text", css, x=x, y=y)
    element.set("text-anchor", anchor)
    element.text = text


def _markup(root: ET.Element) -> str:
    # Element trees escape every text and attribute that they write.
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)
