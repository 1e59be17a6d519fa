"""Images as a fleet of cameras would send them: most are clean, some blurred, dark or broken."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageDraw

from scones_core.errors import SettingsError
from scones_images import decode
from scones_images.distortions import distort

Kind = Literal["clean", "blurred", "dark", "foreign", "broken"]
KINDS: tuple[Kind, ...] = get_args(Kind)

BLURS = ("defocus_blur", "motion_blur", "gaussian_blur")
DARKNESS = ("darken", "night")
STRONG = (4, 6)
"""Severities of a distortion, from 1 to 5: those that a person notices; the end is excluded."""

# A PNG's beginning, with a header that declares 60,000 x 60,000 pixels.
_HUGE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xea\x60\x00\x00\xea\x60\x08\x02\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the classes, and the shares of images that are not clean ones of a class.

    Raises SettingsError for a share outside 0 to 1, for shares above 1 together, and without a
    class of positive weight.
    """

    classes: Mapping[str, float]
    broken: float = 0.0
    blurred: float = 0.0
    dark: float = 0.0
    foreign: float = 0.0

    def __post_init__(self) -> None:
        shares = self.shares()
        wrong = [name for name, share in shares.items() if not 0 <= share <= 1]
        if wrong:
            raise SettingsError(f"--{wrong[0]} is a share from 0 to 1, not {shares[wrong[0]]:g}.")
        if sum(shares.values()) > 1 + 1e-9:
            raise SettingsError(
                f"The shares {', '.join(shares)} are {sum(shares.values()):g} together; at most 1 "
                "leaves room for clean images."
            )
        weights = self.classes.values()
        if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights) > 0:
            raise SettingsError(
                "--mix needs weights of 0 or more, and one above 0, not "
                f"{','.join(f'{name}={weight:g}' for name, weight in self.classes.items())}."
            )

    def shares(self) -> dict[str, float]:
        """Return the shares of what is not clean, by kind."""
        return {
            "blurred": self.blurred,
            "dark": self.dark,
            "foreign": self.foreign,
            "broken": self.broken,
        }

    def kind(self, at: float) -> Kind:
        """Return the kind at a place from 0 to 1 of all images, in the order of KINDS."""
        for kind, share in reversed([*zip(KINDS[1:], self.shares().values(), strict=True)]):
            at += share
            if at >= 1:
                return kind
        return "clean"


def parse_mix(text: str, known: Sequence[str]) -> dict[str, float]:
    """Return the weights that `bicycle=3,motorcycle=1` names; equal ones of all for an empty text.

    Raises SettingsError for a class that is not known, and for what is no weight.
    """
    if not text.strip():
        return dict.fromkeys(known, 1.0)
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = (piece.strip() for piece in part.partition("="))
        if name not in known:
            raise SettingsError(f"--mix names {name!r}; the images are of {', '.join(known)}.")
        try:
            found[name] = float(weight)
        except ValueError:
            raise SettingsError(
                f"--mix is like {known[0]}=3,{known[-1]}=1, not {text!r}."
            ) from None
    return found


@dataclass(frozen=True, slots=True)
class SimulatedImage:
    """One image to send: `label` is its true class, empty where it has none."""

    number: int
    kind: Kind
    label: str
    body: bytes


class ImageSimulator:
    """Makes the image of a number: the same one for the same seed, whatever was made before.

    `pool` has functions that return the encoded images of each class.
    """

    def __init__(
        self, mix: Mix, pool: Mapping[str, Sequence[Callable[[], bytes]]], seed: int
    ) -> None:
        self._mix, self._pool, self._seed = mix, pool, seed
        self._names = [name for name, weight in mix.classes.items() if weight > 0]
        weights = np.array([mix.classes[name] for name in self._names])
        self._weights = weights / weights.sum()

    def __call__(self, number: int) -> SimulatedImage:
        """Return the image of a number; raises what the pool's functions raise."""
        rng = np.random.default_rng((self._seed, number))
        kind = self._mix.kind(rng.random())
        label = str(rng.choice(self._names, p=self._weights))
        chosen = self._pool[label]
        body = chosen[int(rng.integers(len(chosen)))]()
        if kind == "broken":
            return SimulatedImage(number, kind, "", _broken(body, rng))
        if kind == "foreign":
            return SimulatedImage(number, kind, "", _png(_foreign(body, rng)))
        if kind != "clean":
            name = str(rng.choice(BLURS if kind == "blurred" else DARKNESS))
            body = _png(distort(decode(body), name, int(rng.integers(*STRONG)), rng))
        return SimulatedImage(number, kind, label, body)


def _png(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _broken(body: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes that are no image: cut off, empty, another file, or a header that lies."""
    return (
        body[: len(body) // 2],
        b"",
        b"<html>This was a picture.</html>",
        _HUGE,
    )[int(rng.integers(4))]


def _foreign(
    like: bytes, rng: np.random.Generator
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Return a scene without a vehicle, of the size of another image: a sky, ground and shapes."""
    height, width = decode(like).shape[:2]
    image = Image.new("RGB", (width, height), tuple(rng.integers(90, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    horizon = int(rng.integers(height // 3, height))
    draw.rectangle((0, horizon, width, height), fill=tuple(rng.integers(0, 160, 3).tolist()))
    for _ in range(int(rng.integers(2, 6))):
        xs, ys = np.sort(rng.integers(0, width, 2)), np.sort(rng.integers(0, height, 2))
        box = (int(xs[0]), int(ys[0]), int(xs[1]) + 1, int(ys[1]) + 1)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape(box, fill=tuple(rng.integers(0, 256, 3).tolist()))
    noisy = np.asarray(image, dtype=np.float64) + rng.normal(scale=6, size=(height, width, 3))
    return noisy.clip(0, 255).astype(np.uint8)
