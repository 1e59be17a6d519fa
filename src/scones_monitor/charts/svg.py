"""SVG drawings as element trees: every text and attribute is escaped when it is written."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawing of `width` x `height` units, and the plot's margins inside of it."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def x0(self) -> int:
        """Return the plot's left edge."""
        return self.left

    @property
    def x1(self) -> int:
        """Return the plot's right edge."""
        return self.width - self.right

    @property
    def y0(self) -> int:
        """Return the plot's lower edge."""
        return self.height - self.bottom

    @property
    def y1(self) -> int:
        """Return the plot's upper edge."""
        return self.top

    def x(self, share: float) -> float:
        """Return the position of a share, 0 left to 1 right."""
        return self.x0 + share * (self.x1 - self.x0)

    def y(self, share: float) -> float:
        """Return the position of a share, 0 below to 1 above."""
        return self.y0 - share * (self.y0 - self.y1)


class Drawing:
    """An inline SVG with a title and a description for screen readers.

    `ident` must be unique on the page; attribute names take `_` for `-`.
    """

    def __init__(self, frame: Frame, ident: str, title: str, description: str, css: str) -> None:
        self.frame = frame
        self.root = ET.Element(
            "svg",
            {
                "class": css,
                "viewBox": f"0 0 {frame.width} {frame.height}",
                "role": "img",
                "aria-labelledby": f"{ident}-title {ident}-desc",
            },
        )
        ET.SubElement(self.root, "title", {"id": f"{ident}-title"}).text = title
        ET.SubElement(self.root, "desc", {"id": f"{ident}-desc"}).text = description

    def add(self, tag: str, css: str, tip: str = "", **attributes: float | str) -> ET.Element:
        """Add an element; `tip` is shown when the pointer rests on it."""
        values = {name.replace("_", "-"): _text(value) for name, value in attributes.items()}
        element = ET.SubElement(self.root, tag, {"class": css, **values})
        if tip:
            ET.SubElement(element, "title").text = tip
        return element

    def line(self, css: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """Add a straight line."""
        self.add("line", css, x1=x1, y1=y1, x2=x2, y2=y2)

    def text(
        self, css: str, text: str, x: float, y: float, anchor: str, *, vertical: bool = False
    ) -> None:
        """Add a text; `vertical` text reads upwards."""
        turn = {"transform": f"rotate(-90 {_text(x)} {_text(y)})"} if vertical else {}
        self.add("text", css, x=x, y=y, text_anchor=anchor, **turn).text = text

    def markup(self) -> Markup:
        """Return the drawing for a page."""
        # Element trees escape what they write, so that this text is safe as it stands.
        return Markup(ET.tostring(self.root, encoding="unicode", short_empty_elements=False))  # noqa: S704


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
