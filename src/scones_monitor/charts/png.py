"""A drawing as PNG, for documents that take no SVG: the same elements, drawn by Pillow."""

import io
import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from scones_monitor.charts.svg import Drawing

SCALE = 2
"""Pixels for each unit of the drawing."""

_INK, _SOFT, _GRID, _BLUE, _ORANGE, _RED, _PALE = (
    "#1b1d21", "#5a5f68", "#ecece8", "#1f6fb2", "#9a5800", "#c01859", "#c6dbef",
)  # fmt: skip
# (fill, stroke, width, dashed) by class, in the colours of the page on white.
_STYLES: dict[str, tuple[str | None, str | None, float, bool]] = {
    "grid": (None, _GRID, 1, False),
    "axis": (None, _SOFT, 1, False),
    "stub": (None, _SOFT, 1, False),
    "threshold": (None, _INK, 1.5, True),
    "marker": (None, _SOFT, 1, True),
    "marker-flag": (_SOFT, None, 0, False),
    "whisker": (None, _BLUE, 1.5, False),
    "band": (_PALE, None, 0, False),
    "line first": (None, _BLUE, 2, False),
    "line second": (None, _ORANGE, 2, True),
    "line third": (None, _RED, 2, True),
    "dot first": (_BLUE, None, 0, False),
    "dot second": (_ORANGE, None, 0, False),
    "dot third": (_RED, None, 0, False),
    "mark accepted": (_BLUE, None, 0, False),
    "mark accepted-right": (_BLUE, None, 0, False),
    "mark accepted-wrong": (None, _RED, 3, False),
    "mark review": ("#ffffff", _ORANGE, 1.8, False),
    "mark review-right": ("#ffffff", _ORANGE, 1.8, False),
    "mark review-wrong": (_ORANGE, _ORANGE, 1.8, False),
    "bar accepted": (_BLUE, None, 0, False),
    "bar right": (_BLUE, None, 0, False),
    "bar wrong": ("#ffffff", _RED, 2, False),
    "bar review": ("#ffffff", _ORANGE, 2, False),
    "cell right": (_PALE, None, 0, False),
    "cell wrong": ("#f3c4d6", None, 0, False),
}
_SIZES = {"cell-count": 26, "bar-label": 11}
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
_DASH = 6
# What Pillow's built-in font lacks.
_PLAIN = str.maketrans({"\u202f": " ", "\u2265": ">=", "\u2026": "...", "\u2013": "-"})
_COMMAND = re.compile(r"([MLlmz])([^MLlmz]*)")


def to_png(drawing: Drawing) -> bytes:
    """Return a drawing on white as PNG, twice its size, with its title above."""
    frame, head = drawing.frame, 30
    size = (frame.width * SCALE, (frame.height + head) * SCALE)
    image = Image.new("RGB", size, "#ffffff")
    canvas = ImageDraw.Draw(image)
    title = drawing.root.findtext("title") or ""
    canvas.text((16 * SCALE, 20 * SCALE), title, _INK, _font(16), anchor="ls")
    for element in drawing.root:
        if element.tag in _SHAPES:
            _SHAPES[element.tag](canvas, element, head)
        elif element.tag == "text":
            _text(image, canvas, element, head)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _font(size: float) -> Any:
    return ImageFont.load_default(size * SCALE)


def _text(image: Image.Image, canvas: ImageDraw.ImageDraw, element: ET.Element, head: int) -> None:
    css, text = element.get("class", ""), element.text or ""
    text = text.translate(_PLAIN)
    size = next((size for name, size in _SIZES.items() if name in css), 13)
    x, y = float(element.get("x", 0)) * SCALE, (float(element.get("y", 0)) + head) * SCALE
    colour = _INK if "strong" in css or "label" in css or "cell" in css else _SOFT
    if element.get("transform") is None:
        anchor = _ANCHORS[element.get("text-anchor", "start")]
        canvas.text((x, y), text, colour, _font(size), anchor=anchor)
        return
    _, _, right, bottom = canvas.textbbox((0, 0), text, _font(size))
    tile = Image.new("RGBA", (int(right) + 2, int(bottom) + 2))
    ImageDraw.Draw(tile).text((0, 0), text, colour, _font(size))
    turned = tile.rotate(90, expand=True)
    middle = element.get("text-anchor") == "middle"
    height = turned.height // 2 if middle else turned.height
    image.paste(turned, (int(x - turned.width * 0.75), int(y - height)), turned)


def _style(element: ET.Element) -> tuple[str | None, str | None, float, bool]:
    return _STYLES.get(element.get("class", ""), (None, _SOFT, 1, False))


def _numbers(element: ET.Element, head: int, *names: str) -> list[float]:
    return [
        (float(element.get(name, 0)) + (head if name in ("y", "y1", "y2", "cy") else 0)) * SCALE
        for name in names
    ]


def _draw_line(canvas: ImageDraw.ImageDraw, element: ET.Element, head: int) -> None:
    x1, y1, x2, y2 = _numbers(element, head, "x1", "y1", "x2", "y2")
    _stroke(canvas, [(x1, y1), (x2, y2)], element)


def _stroke(
    canvas: ImageDraw.ImageDraw, places: list[tuple[float, float]], element: ET.Element
) -> None:
    _, colour, width, dashed = _style(element)
    pixels = max(1, round(width * SCALE))
    if not dashed:
        canvas.line(places, colour, pixels, joint="curve")
        return
    left, pen = float(_DASH * SCALE), True
    for (x1, y1), (x2, y2) in itertools.pairwise(places):
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        done = 0.0
        while done < length:
            step = min(left, length - done)
            a, b = done / length, (done + step) / length
            if pen:
                ends = [(x1 + (x2 - x1) * t, y1 + (y2 - y1) * t) for t in (a, b)]
                canvas.line(ends, colour, pixels)
            done, left = done + step, left - step
            if left <= 0:
                left, pen = float(_DASH * SCALE), not pen


def _draw_rect(canvas: ImageDraw.ImageDraw, element: ET.Element, head: int) -> None:
    x, y, width, height = _numbers(element, head, "x", "y", "width", "height")
    fill, stroke, line, _ = _style(element)
    box = (x, y, x + max(0.0, width), y + max(0.0, height))
    canvas.rectangle(box, fill, stroke, max(1, round(line * SCALE)))


def _draw_circle(canvas: ImageDraw.ImageDraw, element: ET.Element, head: int) -> None:
    x, y, r = _numbers(element, head, "cx", "cy", "r")
    fill, stroke, width, _ = _style(element)
    canvas.ellipse((x - r, y - r, x + r, y + r), fill, stroke, round(width * SCALE))


def _draw_points(canvas: ImageDraw.ImageDraw, element: ET.Element, head: int) -> None:
    pairs = [pair.split(",") for pair in element.get("points", "").split()]
    places = [(float(x) * SCALE, (float(y) + head) * SCALE) for x, y in pairs]
    fill, _, _, _ = _style(element)
    if element.tag == "polygon":
        canvas.polygon(places, fill)
    elif len(places) > 1:
        _stroke(canvas, places, element)


def _draw_path(canvas: ImageDraw.ImageDraw, element: ET.Element, head: int) -> None:
    """Draw a path of M, m, l and z, all that the charts use."""
    runs: list[list[tuple[float, float]]] = []
    x = y = 0.0
    for command, rest in _COMMAND.findall(element.get("d", "")):
        values = [float(v) for v in re.findall(r"-?[\d.]+", rest)]
        for dx, dy in zip(values[::2], values[1::2], strict=True):
            x, y = (dx, dy) if command == "M" else (x + dx, y + dy)
            if command in "Mm":
                runs.append([])
            runs[-1].append((x * SCALE, (y + head) * SCALE))
        if command == "z":
            runs[-1].append(runs[-1][0])
    fill, stroke, _, _ = _style(element)
    for run in runs:
        if fill and len(run) > 2:
            canvas.polygon(run, fill)
        if stroke:
            _stroke(canvas, run, element)


_SHAPES = {
    "line": _draw_line,
    "rect": _draw_rect,
    "circle": _draw_circle,
    "polyline": _draw_points,
    "polygon": _draw_points,
    "path": _draw_path,
}
