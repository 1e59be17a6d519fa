"""A second opinion of another kind: a kernel machine on histograms of an image's edges.

A network that learnt from some hundred images errs where its likes err; this one sees only
which way the edges run in each part of the image, and errs elsewhere. It has a closed form.
Descriptor after Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, 2005;
kernel ridge regression on landmarks after Williams and Seeger's Nystroem method, 2000.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scones_train.dataset import ImageSet

# Every image is described by cells of its reduction to this many pixels a side.
SIDE, CELLS, DIRECTIONS = 32, 8, 12
NOISE, MOST_OF_A_CELL = 0.02, 0.4
RIDGE = 0.03
# Scores of two classes differ by 1 to -1; the factor makes them about as far apart as logits.
LOGITS = 4.0
# More images than this are all learnt from, through so many of them.
MOST_LANDMARKS = 1000
# Images described, and rows of the kernel computed, at a time.
PART, ROWS = 128, 2048


@dataclass(frozen=True, slots=True)
class Description:
    """The constant matrices that turn images of one size into histograms.

    `rows` (SIDE, H) and `columns` (W, SIDE) reduce an image, `slope` (SIDE, SIDE) takes the
    difference of a pixel's neighbours, `cells` (CELLS, SIDE) averages over windows of twice a
    cell's side, `around` (CELLS, CELLS) over a cell and those beside it.
    """

    rows: Tensor
    columns: Tensor
    slope: Tensor
    cells: Tensor
    around: Tensor

    @classmethod
    def of(cls, size: tuple[int, int]) -> "Description":
        """Return the matrices for images of a height and width."""
        height, width = size
        slope = torch.zeros(SIDE, SIDE)
        for place in range(1, SIDE - 1):
            slope[place, place - 1], slope[place, place + 1] = -1, 1
        around = torch.zeros(CELLS, CELLS)
        for place in range(CELLS):
            for beside in (-1, 0, 1):
                around[place, min(max(place + beside, 0), CELLS - 1)] += 1 / 3
        columns = _windows(SIDE, width, 1.0).T.contiguous()
        return cls(_windows(SIDE, height, 1.0), columns, slope, _windows(CELLS, SIDE, 2.0), around)

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return float32 histograms (N, DIRECTIONS * CELLS * CELLS) of uint8 (N, H, W, 3)."""
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        x = self.rows @ x @ self.columns
        across, down = x @ self.slope.T, self.slope @ x
        cosines, sines = directions()
        along = torch.relu(across[:, None] * cosines + down[:, None] * sines)
        energy = along.square().sum(2)
        strength = (across.square() + down.square()).sum(1, keepdim=True)
        # The square narrows each direction's share; the strength to 3/2 leaves a slope's unit.
        edges = energy.square() / (strength + 1e-6) ** 1.5
        cells = self.cells @ edges @ self.cells.T
        near = self.around @ cells.sum(1, keepdim=True) @ self.around.T
        return (cells / (near + NOISE)).clamp(max=MOST_OF_A_CELL).sqrt().flatten(1)


def directions() -> tuple[Tensor, Tensor]:
    """Return the cosines and sines of the directions, each (DIRECTIONS, 1, 1, 1)."""
    angles = torch.arange(DIRECTIONS).view(-1, 1, 1, 1) * (2 * math.pi / DIRECTIONS)
    return angles.cos(), angles.sin()


def _windows(count: int, side: int, spread: float) -> Tensor:
    """Return float32 (count, side): weights of means over `spread` times `side / count` pixels."""
    step = side / count
    middles = (torch.arange(count, dtype=torch.float64) + 0.5)[:, None] * step
    pixels = torch.arange(side, dtype=torch.float64)
    low = torch.maximum(middles - spread * step / 2, pixels)
    high = torch.minimum(middles + spread * step / 2, pixels + 1)
    return ((high - low).clamp(min=0) / (spread * step)).float()


@dataclass(frozen=True, slots=True)
class Shape:
    """The fitted machine, float32: scores are `exp(-|a - landmark|^2 / 2) @ weights`.

    `a` is a histogram less `centre`, times `scale`, both (D,); `landmarks` is (M, D) of the
    same kind, `weights` (M, classes). Where mirror images are one, both are landmarks of one
    weight, and an image and its mirror image have the same score.
    """

    centre: Tensor
    scale: Tensor
    landmarks: Tensor
    weights: Tensor

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 (N, classes) for uint8 images (N, H, W, 3), about as large as logits."""
        describe = Description.of((pixels.shape[1], pixels.shape[2]))
        found = [
            _kernel((describe(part) - self.centre) * self.scale, self.landmarks) @ self.weights
            for part in _parts(pixels)
        ]
        scores: NDArray[np.float32] = torch.cat(found).numpy()
        return scores

    def state(self) -> dict[str, Tensor]:
        """Return its tensors by name."""
        return {name: getattr(self, name) for name in ("centre", "scale", "landmarks", "weights")}


def fit_shape(
    images: ImageSet, classes: int, *, mirror: bool, share: float = 1.0, most: int = MOST_LANDMARKS
) -> Shape:
    """Return the machine of these images, and of their mirror images where they are one.

    Its scores are made `share` times as large as logits are.

    Kernel ridge regression on the classes as -1/2 and 1/2 for two of them; exact up to
    `most` images, beyond them through evenly chosen ones. The same images in the same
    order give the same weights on one machine.
    """
    histograms = _described(images.pixels, mirror=mirror)
    centre, spread = histograms.mean(0), histograms.std(0) + 1e-3
    a = (histograms - centre) / spread
    unit = a.square().sum(1).mean().sqrt()
    a, scale = a / unit, 1 / (spread * unit)
    targets = torch.eye(classes)[torch.from_numpy(images.labels)] - 1 / classes
    if mirror:
        targets = targets.repeat(2, 1)
    landmarks = a[_chosen(len(images), min(len(images), most), mirror=mirror)]
    weights = _ridge(a, landmarks, targets)
    return Shape(centre, scale, landmarks.contiguous(), (weights * LOGITS * share).float())


def _described(pixels: NDArray[np.uint8], *, mirror: bool) -> Tensor:
    describe = Description.of((pixels.shape[1], pixels.shape[2]))
    both = [pixels, pixels[:, :, ::-1]] if mirror else [pixels]
    return torch.cat([describe(part) for side in both for part in _parts(side)])


def _parts(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for first in range(0, len(pixels), PART):
        yield np.ascontiguousarray(pixels[first : first + PART])


def _chosen(images: int, count: int, *, mirror: bool) -> Tensor:
    """Return the rows of the landmarks: images, and then the mirror images of the same."""
    rows = torch.arange(count) * images // count
    return torch.cat((rows, rows + images)) if mirror else rows


def _ridge(a: Tensor, landmarks: Tensor, targets: Tensor) -> Tensor:
    """Return the landmarks' weights, float64 (M, classes), that fit the targets best.

    Through the landmarks' Cholesky factor, which keeps the squared kernel well conditioned.
    """
    among = _kernel(landmarks, landmarks).double()
    among.diagonal().add_(1e-6)
    factor = torch.linalg.cholesky(among)
    gram = RIDGE * torch.eye(len(landmarks), dtype=torch.float64)
    right = torch.zeros(len(landmarks), targets.shape[1], dtype=torch.float64)
    for part, wanted in zip(torch.split(a, ROWS), torch.split(targets, ROWS), strict=True):
        rows = torch.linalg.solve_triangular(factor, _kernel(landmarks, part).double(), upper=False)
        gram += rows @ rows.T
        right += rows @ wanted.double()
    solved = torch.cholesky_solve(right, torch.linalg.cholesky(gram))
    weights: Tensor = torch.linalg.solve_triangular(factor.T, solved, upper=True)
    return weights


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Return `exp(-|a - b|^2 / 2)`, (rows of a, rows of b)."""
    near: Tensor = a @ b.T - a.square().sum(1, keepdim=True) / 2 - b.square().sum(1) / 2
    return torch.exp(near)
