"""Drawings of vehicles in a frame of their own: x to the right, y down, wheels at y = 0.35."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]
WHEELS_Y = 0.35


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws in a frame that is turned, mirrored, scaled and shifted onto the canvas.

    `scale` is the canvas pixels of one unit of the frame; `angle` is in radians.
    """

    draw: ImageDraw.ImageDraw
    origin: Point
    scale: float
    angle: float
    mirrored: bool

    def at(self, point: Point) -> Point:
        """Return where a point of the frame lies on the canvas."""
        x, y = (-point[0] if self.mirrored else point[0]), point[1]
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return (
            self.origin[0] + self.scale * (x * cos - y * sin),
            self.origin[1] + self.scale * (x * sin + y * cos),
        )

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line through points, with round joints."""
        pixels = max(1, round(width * self.scale))
        self.draw.line([self.at(p) for p in points], fill=colour, width=pixels, joint="curve")

    def shape(self, points: Sequence[Point], colour: Colour) -> None:
        """Draw a filled polygon."""
        self.draw.polygon([self.at(p) for p in points], fill=colour)

    def ring(self, centre: Point, radius: float, width: float, colour: Colour) -> None:
        """Draw a circle's outline, `width` inwards from `radius`."""
        x, y = self.at(centre)
        r = radius * self.scale
        pixels = max(1, round(width * self.scale))
        self.draw.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=pixels)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Draw a filled circle."""
        x, y = self.at(centre)
        r = radius * self.scale
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)


Drawing = Callable[[Pen, Random], None]


def colour_of(rng: Random, low: int = 0, high: int = 255) -> Colour:
    """Return a colour, each channel between `low` and `high`."""
    return (rng.randint(low, high), rng.randint(low, high), rng.randint(low, high))


def bicycle(pen: Pen, rng: Random) -> None:
    """Draw a bicycle: large thin wheels, an open frame; some with a bag or a rider's legs."""
    wheel, rim = rng.uniform(0.30, 0.38), rng.uniform(0.025, 0.06)
    tyre, paint = colour_of(rng, 0, 110), colour_of(rng)
    rear, front = (-rng.uniform(0.42, 0.5), WHEELS_Y), (rng.uniform(0.42, 0.5), WHEELS_Y)
    for hub in (rear, front):
        pen.ring(hub, wheel, rim, tyre)
        if rng.random() < 0.5:
            _spokes(pen, hub, wheel - rim, colour_of(rng, 90, 220))
    crank, seat, head = (-0.08, WHEELS_Y), (-0.22, -0.14), (0.3, -0.16)
    tube = rng.uniform(0.025, 0.055)
    pen.line([rear, crank, seat, rear], tube, paint)
    pen.line([seat, head, crank], tube, paint)
    pen.line([(head[0] - 0.03, head[1] - 0.14), head, front], tube, paint)
    pen.line([(head[0] + 0.1, head[1] - 0.18), (head[0] - 0.1, head[1] - 0.12)], tube, tyre)
    pen.line([(seat[0] - 0.1, seat[1] - 0.05), (seat[0] + 0.08, seat[1] - 0.05)], 0.06, tyre)
    if rng.random() < 0.3:
        bag = colour_of(rng)
        pen.shape([(-0.6, 0.0), (-0.3, 0.0), (-0.34, 0.26), (-0.58, 0.26)], bag)
    if rng.random() < 0.25:
        _rider(pen, rng, seat, head)


def motorcycle(pen: Pen, rng: Random) -> None:
    """Draw a motorcycle: small thick wheels, a body that fills the middle; some as light mopeds."""
    light = rng.random() < 0.25
    wheel = rng.uniform(0.24, 0.33)
    rim = rng.uniform(0.05, 0.08) if light else rng.uniform(0.08, 0.14)
    tyre, paint, metal = colour_of(rng, 0, 80), colour_of(rng), colour_of(rng, 70, 190)
    rear, front = (-rng.uniform(0.42, 0.52), WHEELS_Y), (rng.uniform(0.44, 0.54), WHEELS_Y)
    for hub in (rear, front):
        pen.ring(hub, wheel, rim, tyre)
        pen.disc(hub, rng.uniform(0.04, 0.12), metal)
    engine = 0.1 if light else rng.uniform(0.15, 0.22)
    pen.shape([(-0.2, 0.05), (0.16, 0.05), (0.12, 0.05 + 2 * engine), (-0.16, 0.4)], metal)
    tank = rng.uniform(-0.2, -0.08)
    pen.shape([(-0.1, tank), (0.26, tank - 0.04), (0.3, 0.08), (-0.12, 0.1)], paint)
    pen.shape([(-0.58, -0.1), (-0.08, -0.02), (-0.1, 0.1), (-0.5, 0.06)], tyre)
    pen.line([(0.2, -0.3), (0.3, -0.1), front], rng.uniform(0.04, 0.08), metal)
    pen.line([(0.08, -0.3), (0.26, -0.26)], 0.05, tyre)
    pen.disc((0.36, -0.14), rng.uniform(0.04, 0.08), colour_of(rng, 150, 255))
    if rng.random() < 0.6:
        pen.line([(0.0, 0.36), (-0.6, 0.3)], rng.uniform(0.04, 0.08), metal)
    if rng.random() < 0.25:
        _rider(pen, rng, (-0.25, -0.12), (0.2, -0.28))


def emblem(name: str) -> Drawing:
    """Return a drawing for a class without one: a star whose form and colour its name decides."""
    form = Random(hashlib.sha256(name.encode()).hexdigest())  # noqa: S311 - a drawing, no secret
    points, inner = form.randint(3, 9), form.uniform(0.3, 0.9)
    base, second = colour_of(form), colour_of(form)

    def draw(pen: Pen, rng: Random) -> None:
        turn = rng.uniform(-0.3, 0.3)
        for size, colour in ((0.7, base), (rng.uniform(0.3, 0.45), second)):
            pen.shape(_star(points, inner, size, turn), _tinted(colour, rng))

    return draw


def drawing_of(name: str) -> Drawing:
    """Return what draws one image of a class."""
    return _DRAWN.get(name) or emblem(name)


def _spokes(pen: Pen, hub: Point, radius: float, colour: Colour) -> None:
    for step in range(4):
        x, y = radius * math.cos(step * math.pi / 4), radius * math.sin(step * math.pi / 4)
        pen.line([(hub[0] - x, hub[1] - y), (hub[0] + x, hub[1] + y)], 0.012, colour)


def _rider(pen: Pen, rng: Random, seat: Point, hands: Point) -> None:
    cloth, skin = colour_of(rng), colour_of(rng, 90, 230)
    shoulder = (seat[0] + 0.18, seat[1] - 0.42)
    pen.line([(0.0, 0.35), (0.12, 0.02), seat], 0.09, colour_of(rng, 0, 140))
    pen.line([seat, shoulder], 0.16, cloth)
    pen.line([shoulder, hands], 0.07, cloth)
    pen.disc((shoulder[0] + 0.04, shoulder[1] - 0.13), 0.1, skin)


def _star(points: int, inner: float, size: float, turn: float) -> list[Point]:
    corners = []
    for step in range(2 * points):
        radius = size if step % 2 == 0 else size * inner
        angle = turn + step * math.pi / points
        corners.append((radius * math.sin(angle), -radius * math.cos(angle)))
    return corners


def _tinted(colour: Colour, rng: Random) -> Colour:
    red, green, blue = (max(0, min(255, value + rng.randint(-50, 50))) for value in colour)
    return (red, green, blue)


_DRAWN: Final[dict[str, Drawing]] = {"bicycle": bicycle, "motorcycle": motorcycle}
VEHICLES: Final[tuple[str, ...]] = tuple(_DRAWN)
