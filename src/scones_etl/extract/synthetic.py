"""Drawn images, for when no archive is at hand: the whole chain runs, its figures prove nothing."""

import hashlib
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from scones_core.labels import LabelSet
from scones_etl.extract.source import RawDataset
from scones_etl.extract.synthetic_shapes import VEHICLES, Drawing, Pen, colour_of, drawing_of
from scones_etl.image_format import AS_GIVEN, ImageFormat

SIDE = 32
_OVERSAMPLING = 4
_CANVAS = SIDE * _OVERSAMPLING
# To be raised with every change of what is drawn: it goes into the source's hash.
_REVISION = 1


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A generator: the same seed and sizes give the same images, class by class.

    `train_per_class` and `test_per_class` are numbers of images. An image depends on seed,
    class, split and row alone, so another class or size leaves the rest as it was.
    """

    seed: int = 0
    train_per_class: int = 500
    test_per_class: int = 100
    kind: str = "synthetic"

    @property
    def name(self) -> str:
        """The generator's parameters."""
        return f"drawn-{self.seed}-{self.train_per_class}-{self.test_per_class}"

    @property
    def sha256(self) -> str:
        """The hash of the generator's revision and parameters, which decide each pixel."""
        return hashlib.sha256(f"{self.kind} {_REVISION} {self.name}".encode()).hexdigest()

    def class_names(self) -> tuple[str, ...]:
        """Return the vehicles that it draws; it takes any other name too."""
        return VEHICLES

    def read(self, classes: LabelSet, image: ImageFormat = AS_GIVEN) -> RawDataset:
        """Return drawings of these classes; 32x32 unless `image` says other.

        Names that are no vehicle's get an emblem.
        """
        images, labels, splits, rows, names = [], [], [], [], []
        for split, size in zip(
            ("train", "test"), (self.train_per_class, self.test_per_class), strict=True
        ):
            for index, label in enumerate(classes):
                drawing = drawing_of(label)
                for row in range(size):
                    name = f"{label}_{split}_{row:06d}"
                    images.append(_render(drawing, Random(f"{self.seed} {name}")))  # noqa: S311
                    labels.append(index)
                    splits.append(split)
                    rows.append(index * size + row)
                    names.append(name)
        raw = RawDataset(
            images=np.stack(images) if images else np.empty((0, SIDE, SIDE, 3), dtype=np.uint8),
            labels=np.array(labels, dtype=np.int64),
            splits=tuple(splits),
            rows=np.array(rows, dtype=np.int64),
            names=tuple(names),
        )
        raw.require_every_class(classes, f"The generator {self.name}")
        return replace(raw, images=image.fit_all(raw.images))


def _render(drawing: Drawing, rng: Random) -> NDArray[np.uint8]:
    image = _background(rng)
    draw = ImageDraw.Draw(image)
    _clutter(draw, rng, rng.randint(2, 7))
    pen = Pen(
        draw=draw,
        origin=(_CANVAS * rng.uniform(0.38, 0.62), _CANVAS * rng.uniform(0.36, 0.6)),
        scale=_CANVAS * rng.uniform(0.36, 0.58),
        angle=rng.gauss(0, 0.14),
        mirrored=rng.random() < 0.5,
    )
    drawing(pen, rng)
    _clutter(draw, rng, rng.randint(0, 2))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 2.5)))
    return _noisy(image.resize((SIDE, SIDE), Image.Resampling.BOX), rng)


def _background(rng: Random) -> Image.Image:
    """Return a wall and a road, each shaded from one colour to another."""
    corners = np.array([[colour_of(rng, 40), colour_of(rng, 40)] for _ in range(2)], np.uint8)
    image = Image.fromarray(corners).resize((_CANVAS, _CANVAS), Image.Resampling.BILINEAR)
    if rng.random() < 0.7:
        horizon = round(_CANVAS * rng.uniform(0.4, 0.85))
        road = colour_of(rng, 50, 210)
        ImageDraw.Draw(image).rectangle((0, horizon, _CANVAS, _CANVAS), fill=road)
    return image


def _clutter(draw: ImageDraw.ImageDraw, rng: Random, count: int) -> None:
    for _ in range(count):
        x, y = rng.uniform(0, _CANVAS), rng.uniform(0, _CANVAS)
        w, h = rng.uniform(4, _CANVAS / 3), rng.uniform(4, _CANVAS / 3)
        kind, colour = rng.randrange(4), colour_of(rng)
        if kind == 0:
            draw.rectangle((x, y, x + w, y + h), fill=colour)
        elif kind == 1:
            draw.ellipse((x, y, x + w, y + w), outline=colour, width=rng.randint(2, 9))
        elif kind == 2:
            draw.ellipse((x, y, x + w, y + h), fill=colour)
        else:
            draw.line((x, y, x + w * 2, y + h * 2), fill=colour, width=rng.randint(2, 8))


def _noisy(image: Image.Image, rng: Random) -> NDArray[np.uint8]:
    """Return an image under another light, with noise in each channel."""
    pixels = np.asarray(image, dtype=np.float64)
    noise = np.frombuffer(rng.randbytes(pixels.size), dtype=np.uint8).reshape(pixels.shape)
    contrast, light = rng.uniform(0.5, 1.1), rng.uniform(-35, 35)
    strength = rng.uniform(0.02, 0.16)
    changed = (pixels - 128) * contrast + 128 + light + (noise - 127.5) * strength
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)
