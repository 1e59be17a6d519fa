"""What an image is to a kernel machine: histograms of the directions of its edges.

Taken of the image at two sizes, in cells of several sizes each: the small ones say where an edge
is, the large ones bear with its being elsewhere. Descriptor after Dalal and Triggs, Histograms of
Oriented Gradients for Human Detection, 2005.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Pixels a side that an image is reduced to, and cells a side that it is described by.
SCALES = ((32, (8, 4, 2)), (16, (4, 2)))
DIRECTIONS = 8
NUMBERS = DIRECTIONS * sum(cells * cells for _, grids in SCALES for cells in grids)
# Edges weaker than this count less the weaker they are.
NOISE = 0.06


@dataclass(frozen=True, slots=True)
class Grid:
    """The matrices of one size of cells.

    `cells` (cells, side) averages over windows of twice a cell's side, `around` (cells, cells)
    over a cell and those beside it.
    """

    cells: Tensor
    around: Tensor

    @classmethod
    def of(cls, cells: int, side: int) -> "Grid":
        """Return the matrices for so many cells a side of an image of that side."""
        around = torch.zeros(cells, cells)
        for place in range(cells):
            for beside in (-1, 0, 1):
                around[place, min(max(place + beside, 0), cells - 1)] += 1 / 3
        return cls(windows(cells, side, 2.0), around)

    def __call__(self, edges: Tensor) -> Tensor:
        """Return the histograms (N, DIRECTIONS * cells * cells) of edges by direction."""
        cells = self.cells @ edges @ self.cells.T
        near = self.around @ cells.sum(1, keepdim=True) @ self.around.T
        return (cells / (near + NOISE)).sqrt().flatten(1)


@dataclass(frozen=True, slots=True)
class Scale:
    """The matrices of one size of the image.

    `rows` (side, H) and `columns` (W, side) reduce an image, `slope` (side, side) takes the
    difference of a pixel's neighbours.
    """

    rows: Tensor
    columns: Tensor
    slope: Tensor
    grids: tuple[Grid, ...]

    @classmethod
    def of(cls, side: int, grids: tuple[int, ...], size: tuple[int, int]) -> "Scale":
        """Return the matrices for images of a height and width."""
        height, width = size
        slope = torch.zeros(side, side)
        for place in range(1, side - 1):
            slope[place, place - 1], slope[place, place + 1] = -1, 1
        columns = windows(side, width, 1.0).T.contiguous()
        grids_of = tuple(Grid.of(cells, side) for cells in grids)
        return cls(windows(side, height, 1.0), columns, slope, grids_of)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the histograms of all grids side by side for brightness (N, 3, H, W)."""
        x = self.rows @ x @ self.columns
        across, down = x @ self.slope.T, self.slope @ x
        cosines, sines = directions()
        along = torch.relu(across[:, None] * cosines + down[:, None] * sines)
        energy = along.square().sum(2)
        strength = (across.square() + down.square()).sum(1, keepdim=True)
        # The cube narrows each direction's share; the strength to 5/2 leaves a slope's unit.
        edges = energy * energy * energy / (strength + 1e-6) ** 2.5
        return torch.cat([grid(edges) for grid in self.grids], 1)


@dataclass(frozen=True, slots=True)
class Edges:
    """What turns images of one size into histograms."""

    name: ClassVar[str] = "shape"
    scales: tuple[Scale, ...]

    @classmethod
    def of(cls, size: tuple[int, int]) -> "Edges":
        """Return the description for images of a height and width."""
        return cls(tuple(Scale.of(side, grids, size) for side, grids in SCALES))

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return float32 histograms (N, NUMBERS) of uint8 (N, H, W, 3)."""
        # The root brings dark edges nearer to bright ones.
        x = brightness(pixels).sqrt()
        return torch.cat([scale(x) for scale in self.scales], 1)

    def mirrored(self) -> Tensor:
        """Return which number of an image's histograms each of its mirror image's is: int64."""
        turned = (DIRECTIONS // 2 - torch.arange(DIRECTIONS)) % DIRECTIONS
        places, first = [], 0
        for cells in (cells for _, grids in SCALES for cells in grids):
            numbers = torch.arange(first, first + DIRECTIONS * cells * cells)
            places.append(numbers.view(DIRECTIONS, cells, cells)[turned].flip(2).flatten())
            first += len(numbers)
        return torch.cat(places)

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that were learnt: none."""
        return {}


def brightness(pixels: NDArray[np.uint8]) -> Tensor:
    """Return float32 (N, 3, H, W), 0 to 1, of uint8 images (N, H, W, 3)."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def directions() -> tuple[Tensor, Tensor]:
    """Return the cosines and sines of the directions, each (DIRECTIONS, 1, 1, 1)."""
    angles = torch.arange(DIRECTIONS).view(-1, 1, 1, 1) * (2 * math.pi / DIRECTIONS)
    return angles.cos(), angles.sin()


def windows(count: int, side: int, spread: float) -> Tensor:
    """Return float32 (count, side): weights of means over `spread` times `side / count` pixels."""
    step = side / count
    middles = (torch.arange(count, dtype=torch.float64) + 0.5)[:, None] * step
    pixels = torch.arange(side, dtype=torch.float64)
    low = torch.maximum(middles - spread * step / 2, pixels)
    high = torch.minimum(middles + spread * step / 2, pixels + 1)
    return ((high - low).clamp(min=0) / (spread * step)).float()
