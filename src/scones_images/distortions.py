"""Distortions of images in five severities, to test what a model and its monitoring make of them.

The nineteen kinds of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations" (2019), implemented from their description, with strengths for
images of 32 pixels; lengths grow with the image. Frost is generated, not a photograph of it. The
figures are therefore not comparable with those of CIFAR-10-C. `darken` and `night` are additions:
less light, and less light with a camera's noise and colour cast.
"""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float64]
"""RGB from 0 to 1, shape (H, W, 3)."""

SEVERITIES = (1, 2, 3, 4, 5)

_Distortion = Callable[[Pixels, int, np.random.Generator], Pixels]


def distort(
    pixels: NDArray[np.uint8], name: str, severity: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a distorted copy of an image, uint8 (H, W, 3) of RGB, of the same shape.

    `name` is one of DISTORTIONS, `severity` from 1, slight, to 5, strong. The same state of
    `rng` gives the same pixels. Raises ValueError for another name, severity, shape or dtype.
    """
    if name not in DISTORTIONS:
        raise ValueError(f"{name!r:.80} is not one of the distortions {', '.join(DISTORTIONS)}")
    if severity not in SEVERITIES:
        raise ValueError(f"a severity is from 1 to 5, not {severity!r:.20}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"uint8 of (H, W, 3) is expected, not {pixels.dtype} {pixels.shape}")
    found = DISTORTIONS[name](pixels / 255.0, severity - 1, rng)
    rounded: NDArray[np.uint8] = np.rint(found.clip(0, 1) * 255).astype(np.uint8)
    return rounded


def _gaussian_noise(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    return x + rng.normal(scale=(0.04, 0.06, 0.08, 0.09, 0.10)[s], size=x.shape)


def _shot_noise(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    photons = (500, 250, 100, 75, 50)[s]
    return rng.poisson(x * photons) / photons


def _impulse_noise(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[s]
    hit, high = rng.random(x.shape) < share, rng.random(x.shape) < 0.5
    return np.where(hit, high.astype(float), x)


def _speckle_noise(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    return x * (1 + rng.normal(scale=(0.06, 0.10, 0.12, 0.16, 0.20)[s], size=x.shape))


def _gaussian_blur(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    return _blurred(x, (0.4, 0.6, 0.7, 0.8, 1.0)[s] * _scale(x))


def _defocus_blur(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    return _convolved(x, _disc((0.6, 0.8, 1.0, 1.3, 1.7)[s] * _scale(x)))


def _glass_blur(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    sigma, share = 0.4, (0.2, 0.4, 0.6, 0.8, 1.0)[s]
    reach = max(1, round(_scale(x)))
    height, width = x.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    moved = rng.random((height, width)) < share
    steps = rng.integers(-reach, reach + 1, size=(2, height, width)) * moved
    rows = (rows + steps[0]).clip(0, height - 1)
    columns = (columns + steps[1]).clip(0, width - 1)
    return _blurred(_blurred(x, sigma * _scale(x))[rows, columns], sigma * _scale(x))


def _motion_blur(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    length = (2.0, 2.6, 3.2, 4.0, 5.0)[s] * _scale(x)
    return _convolved(x, _line(length, rng.uniform(-np.pi / 4, np.pi / 4)))


def _zoom_blur(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    factors = 1 + np.linspace(0, (0.06, 0.11, 0.16, 0.21, 0.26)[s], 6)
    found: Pixels = np.mean([_zoomed(x, factor) for factor in factors], axis=0)
    return found


def _snow(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    density, strength, whitening = (
        (0.03, 0.5, 0.10),
        (0.05, 0.6, 0.15),
        (0.07, 0.7, 0.20),
        (0.09, 0.8, 0.25),
        (0.12, 0.9, 0.30),
    )[s]
    flakes = (rng.random(x.shape[:2]) < density).astype(float)[..., None]
    streaks = _convolved(flakes, _line(3 * _scale(x), rng.uniform(np.pi / 4, 3 * np.pi / 4)))
    streaks = (streaks / max(streaks.max(), 1e-9)).clip(0, 1)
    veiled = x + whitening * (np.maximum(x, _luma(x) * 1.5 + 0.5).clip(0, 1) - x)
    found: Pixels = veiled + strength * streaks * (1 - veiled)
    return found


def _frost(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    keep, add = ((0.95, 0.2), (0.9, 0.28), (0.85, 0.36), (0.8, 0.44), (0.7, 0.55))[s]
    # Ridges of a rough field are the crystals; ice is a little blue.
    ridges = 1 - 2 * np.abs(_clouds(x.shape[:2], 1.4, rng) - 0.5)
    ice = (ridges[..., None] ** 3) * np.array([0.85, 0.93, 1.0])
    found: Pixels = keep * x + add * ice
    return found


def _fog(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    amount, roughness = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[s]
    fogged = x + amount * _clouds(x.shape[:2], roughness, rng)[..., None]
    return fogged * (x.max() / (x.max() + amount)) if x.max() > 0 else fogged


def _spatter(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    covered, opacity = ((0.04, 0.5), (0.07, 0.6), (0.10, 0.7), (0.14, 0.8), (0.18, 0.9))[s]
    field = _blurred(rng.normal(size=(*x.shape[:2], 1)), 0.9 * _scale(x))
    drops = _blurred((field > np.quantile(field, 1 - covered)).astype(float), 0.4 * _scale(x))
    # Water up to the third severity, mud above it.
    colour = np.array([0.69, 0.93, 0.93]) if s < 3 else np.array([0.25, 0.16, 0.08])
    return x + opacity * drops * (colour - x)


def _brightness(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    value = x.max(axis=2, keepdims=True)
    lifted = (value + (0.05, 0.1, 0.15, 0.2, 0.3)[s]).clip(0, 1)
    # Hue and saturation stay: all channels grow by what the largest one does.
    found: Pixels = np.where(value > 0, x * lifted / np.where(value > 0, value, 1), lifted)
    return found


def _contrast(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    mean = x.mean(axis=(0, 1), keepdims=True)
    found: Pixels = mean + (x - mean) * (0.75, 0.5, 0.4, 0.3, 0.15)[s]
    return found


def _elastic_transform(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import map_coordinates

    reach, smoothness = ((0.6, 3.0), (0.8, 2.6), (1.0, 2.2), (1.3, 2.0), (1.6, 1.8))[s]
    height, width = x.shape[:2]
    fields = _blurred(rng.normal(size=(height, width, 2)), smoothness * _scale(x))
    fields *= reach * _scale(x) / max(float(fields.std()), 1e-9)
    places = np.mgrid[:height, :width] + fields.transpose(2, 0, 1)
    channels = [map_coordinates(x[..., c], places, order=1, mode="reflect") for c in range(3)]
    return np.stack(channels, axis=2)


def _pixelate(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    part = (0.95, 0.9, 0.85, 0.75, 0.65)[s]
    height, width = x.shape[:2]
    image = Image.fromarray(_bytes(x))
    small = image.resize(
        (max(1, int(width * part)), max(1, int(height * part))), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST)) / 255.0


def _jpeg_compression(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    out = io.BytesIO()
    Image.fromarray(_bytes(x)).save(out, "JPEG", quality=(80, 65, 58, 50, 40)[s])
    with Image.open(out) as image:
        return np.asarray(image.convert("RGB")) / 255.0


def _saturate(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    value = x.max(axis=2, keepdims=True)
    factor, offset = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))[s]
    saturation = np.where(value > 0, 1 - x.min(axis=2, keepdims=True) / np.maximum(value, 1e-9), 0)
    saturated = (saturation * factor + offset * (saturation > 0)).clip(0, 1)
    ratio = np.where(saturation > 0, saturated / np.maximum(saturation, 1e-9), 0)
    found: Pixels = value - (value - x) * ratio
    return found


def _darken(x: Pixels, s: int, _rng: np.random.Generator) -> Pixels:
    return x * (0.85, 0.7, 0.55, 0.4, 0.25)[s]


def _night(x: Pixels, s: int, rng: np.random.Generator) -> Pixels:
    light, colour, photons = (
        (0.6, 0.9, 400),
        (0.45, 0.75, 250),
        (0.3, 0.6, 150),
        (0.2, 0.45, 80),
        (0.12, 0.3, 40),
    )[s]
    grey = _luma(x)
    dim = (grey + colour * (x - grey)) * light * np.array([0.9, 0.95, 1.1])
    found: Pixels = rng.poisson(dim.clip(0, None) * photons) / photons + rng.normal(
        scale=0.015, size=x.shape
    )
    return found


def _scale(x: Pixels) -> float:
    """Return how many times larger than 32 pixels the image's shorter side is."""
    found: float = min(x.shape[:2]) / 32
    return found


def _bytes(x: Pixels) -> NDArray[np.uint8]:
    return np.rint(x * 255).astype(np.uint8)


def _luma(x: Pixels) -> Pixels:
    luma: Pixels = (x @ np.array([0.299, 0.587, 0.114]))[..., None]
    return luma


def _blurred(x: Pixels, sigma: float) -> Pixels:
    from scipy.ndimage import gaussian_filter

    found: Pixels = gaussian_filter(x, (sigma, sigma, 0), mode="reflect")
    return found


def _convolved(x: Pixels, kernel: Pixels) -> Pixels:
    from scipy.ndimage import convolve

    found: Pixels = convolve(x, kernel[..., None], mode="reflect")
    return found


def _disc(radius: float) -> Pixels:
    """Return the kernel of a disc, sums to 1; its edge is smooth over one pixel."""
    reach = int(np.ceil(radius)) + 1
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel: Pixels = (radius + 0.5 - np.hypot(rows, columns)).clip(0, 1)
    found: Pixels = kernel / kernel.sum()
    return found


def _line(length: float, angle: float) -> Pixels:
    """Return the kernel of a line of a length in pixels through the middle, sums to 1."""
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    # Each point of the line is shared by the four pixels around it.
    for step in np.linspace(-length / 2, length / 2, 8 * reach):
        row, column = reach + step * np.sin(angle), reach + step * np.cos(angle)
        top, left = int(row), int(column)
        down, right = row - top, column - left
        kernel[top : top + 2, left : left + 2] += np.outer((1 - down, down), (1 - right, right))
    found: Pixels = kernel / kernel.sum()
    return found


def _zoomed(x: Pixels, factor: float) -> Pixels:
    """Return the middle of the image enlarged to its whole size, bilinear."""
    from scipy.ndimage import affine_transform

    offset = [(side - 1) / 2 * (1 - 1 / factor) for side in x.shape[:2]]
    matrix = [1 / factor, 1 / factor, 1]
    found: Pixels = affine_transform(x, matrix, [*offset, 0], order=1, mode="nearest")
    return found


def _clouds(shape: tuple[int, ...], roughness: float, rng: np.random.Generator) -> Pixels:
    """Return a random field (H, W) from 0 to 1 whose amplitude falls as frequency ** -roughness/2.

    Spectral synthesis; a smaller roughness has finer detail.
    """
    height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(height, width))) * frequency ** (-roughness / 2)
    field = np.fft.irfft2(spectrum, s=(height, width))
    spread = float(np.ptp(field))
    return (field - field.min()) / spread if spread > 0 else np.zeros(shape)


CORRUPTIONS: Mapping[str, _Distortion] = MappingProxyType(
    {
        "gaussian_noise": _gaussian_noise,
        "shot_noise": _shot_noise,
        "impulse_noise": _impulse_noise,
        "speckle_noise": _speckle_noise,
        "gaussian_blur": _gaussian_blur,
        "defocus_blur": _defocus_blur,
        "glass_blur": _glass_blur,
        "motion_blur": _motion_blur,
        "zoom_blur": _zoom_blur,
        "snow": _snow,
        "frost": _frost,
        "fog": _fog,
        "spatter": _spatter,
        "brightness": _brightness,
        "contrast": _contrast,
        "elastic_transform": _elastic_transform,
        "pixelate": _pixelate,
        "jpeg_compression": _jpeg_compression,
        "saturate": _saturate,
    }
)
"""The nineteen kinds of the paper."""

DISTORTIONS: Mapping[str, _Distortion] = MappingProxyType(
    {**CORRUPTIONS, "darken": _darken, "night": _night}
)
"""All kinds, by name."""
