"""What an image is to the second kernel machine: which small patches it has, and where.

A dictionary of patches is learnt from the images alone, without their labels: spherical k-means on
whitened patches, and how much each part of an image is like each entry. After Coates and Ng,
Learning Feature Representations with K-means, 2012.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional

from scones_train.data import ImageSet
from scones_train.model.edges import brightness, windows

# Pixels a side that an image is reduced to, a patch's pixels a side, and from one to the next.
SIDE, PATCH, STRIDE = 32, 6, 2
# The patches of an image a side, and the parts a side that their likenesses are averaged in.
PLACES, CELLS = (SIDE - PATCH) // STRIDE + 1, 3
# Entries of the dictionary; the second half of them are the mirror images of the first.
ENTRIES = 256
NUMBERS = ENTRIES * CELLS * CELLS
# Patches that the dictionary is learnt from, how often its entries are moved to the middle of
# their likes, the most images that patches are taken of, and how many are reduced at a time.
SAMPLES, ROUNDS, MOST_IMAGES, PART = 20_000, 6, 2000, 64
# Contrast below some 10 of 255 counts less the weaker it is.
NOISE = (10 / 255) ** 2
# Directions of patches that vary less than this are not raised to the variance of the others.
WHITENING = 0.1
# A patch that is less like an entry than this is not like it at all.
UNLIKE = 1.0


@dataclass(frozen=True, slots=True)
class Patches:
    """What turns images of one size into likenesses to a dictionary.

    `rows` (SIDE, H) and `columns` (W, SIDE) reduce an image. `filters` (ENTRIES, 3, PATCH, PATCH)
    and `bias` (ENTRIES,) are of patches divided by their contrast; `cells` (CELLS, PLACES)
    averages.
    """

    name: ClassVar[str] = "texture"
    rows: Tensor
    columns: Tensor
    filters: Tensor
    bias: Tensor
    cells: Tensor

    @classmethod
    def of(cls, images: ImageSet) -> "Patches":
        """Return the description learnt from these images, the same for the same images."""
        height, width = images.size
        rows, columns = windows(SIDE, height, 1.0), windows(SIDE, width, 1.0).T.contiguous()
        count = min(len(images), MOST_IMAGES)
        chosen = np.arange(count) * len(images) // count
        # A few at a time, as large images take much more memory than what they are reduced to.
        parts = np.array_split(chosen, -(-count // PART))
        reduced = [rows @ brightness(images.pixels[part]) @ columns for part in parts]
        filters, bias = _dictionary(torch.cat(reduced))
        return cls(rows, columns, filters, bias, _cells())

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return float32 likenesses (N, NUMBERS) of uint8 (N, H, W, 3)."""
        x = self.rows @ brightness(pixels) @ self.columns
        contrast = _contrast(
            functional.avg_pool2d(x, PATCH, STRIDE).mean(1, keepdim=True),
            functional.avg_pool2d(x * x, PATCH, STRIDE).mean(1, keepdim=True),
        )
        likeness = functional.conv2d(x, self.filters, stride=STRIDE) / contrast
        likeness = torch.relu(likeness + self.bias.view(-1, 1, 1))
        return (self.cells @ likeness @ self.cells.T).sqrt().flatten(1)

    def mirrored(self) -> Tensor:
        """Return which number of an image each of its mirror image's is: int64 (NUMBERS,)."""
        numbers = torch.arange(NUMBERS).view(2, ENTRIES // 2, CELLS, CELLS)
        return numbers.flip(0, 3).flatten()

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that were learnt, by name."""
        return {"filters": self.filters, "bias": self.bias}


def _contrast(mean: Tensor, square: Tensor) -> Tensor:
    return (square - mean * mean + NOISE).sqrt()


def _cells() -> Tensor:
    """Return the means over thirds of the places, which overlap where they do not divide."""
    eye = torch.eye(PLACES)[None]
    cells: Tensor = functional.adaptive_avg_pool1d(eye, CELLS)[0].T.contiguous()
    return cells


def _dictionary(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the filters and the bias learnt from brightness (N, 3, SIDE, SIDE)."""
    patches = _sampled(x)
    both = torch.cat((patches, _turned(patches)))
    mean = both.mean(0)
    white = _whitening(both - mean)
    entries = _entries((patches - mean) @ white)
    filters = entries @ white
    bias = -(filters @ mean) - UNLIKE
    # A patch's own mean is taken from each of its values before it is compared.
    filters = filters - filters.mean(1, keepdim=True)
    filters = torch.cat((filters, _turned(filters)))
    return filters.view(ENTRIES, 3, PATCH, PATCH), torch.cat((bias, bias))


def _sampled(x: Tensor) -> Tensor:
    """Return SAMPLES patches (SAMPLES, 3 * PATCH * PATCH), less their mean, over their contrast."""
    chance = Generator().manual_seed(0)
    image = torch.randint(0, len(x), (SAMPLES, 1, 1), generator=chance)
    corner = torch.randint(0, SIDE - PATCH + 1, (2, SAMPLES, 1), generator=chance)
    row, column = corner + torch.arange(PATCH)
    found = x.permute(0, 2, 3, 1)[image, row[:, :, None], column[:, None, :]]
    flat = found.permute(0, 3, 1, 2).flatten(1)
    mean = flat.mean(1, keepdim=True)
    return (flat - mean) / _contrast(mean, flat.square().mean(1, keepdim=True))


def _turned(patches: Tensor) -> Tensor:
    return patches.view(-1, 3, PATCH, PATCH).flip(3).flatten(1)


def _whitening(centred: Tensor) -> Tensor:
    """Return the symmetric matrix that makes all directions of the patches vary alike."""
    covariance = (centred.T @ centred / len(centred)).double()
    values, vectors = torch.linalg.eigh(covariance)
    white: Tensor = (vectors * (values + WHITENING).rsqrt()) @ vectors.T
    return white.float()


def _entries(patches: Tensor) -> Tensor:
    """Return half a dictionary of whitened patches (SAMPLES, D): unit vectors (ENTRIES // 2, D).

    Each patch belongs to the entry, or the entry's mirror image, that it is most like.
    """
    entries = functional.normalize(patches[: ENTRIES // 2])
    turned = _turned(patches)
    for _ in range(ROUNDS):
        likeness, nearest = (patches @ torch.cat((entries, _turned(entries))).T).max(1)
        upright = torch.where((nearest < len(entries))[:, None], patches, turned)
        sums = torch.zeros_like(entries)
        sums.index_add_(0, nearest % len(entries), upright * likeness[:, None])
        alone = sums.square().sum(1, keepdim=True) == 0
        entries = functional.normalize(torch.where(alone, entries, sums))
    return entries
