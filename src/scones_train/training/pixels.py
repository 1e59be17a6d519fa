"""Images in memory as they are stored, a byte a value, and normalised by the batch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from scones_train.channels import ImageSet, Normalisation

EVALUATION_BATCH = 256
# Pixels of a batch that is only looked at: 256 images of 64x64, or 20 of 224x224.
EVALUATION_PIXELS = EVALUATION_BATCH * 64 * 64


@dataclass(frozen=True, slots=True)
class Pixels:
    """`stored` is uint8 (N, H, W, 3) on the device that computes; `mean`, `std` are (3,) there.

    Normalised all at once, images would take four times their room, and their flips as
    much again.
    """

    stored: Tensor
    mean: Tensor
    std: Tensor

    @classmethod
    def of(
        cls, images: ImageSet, normalisation: Normalisation, device: torch.device | None = None
    ) -> "Pixels":
        """Return images on a device, else on the processor; there they share their memory."""
        return cls(
            torch.from_numpy(images.pixels).to(device),
            torch.tensor(normalisation.mean, device=device),
            torch.tensor(normalisation.std, device=device),
        )

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self.stored.device

    def rows(self, chosen: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Return these images as normalised float32 (n, 3, H, W).

        `chosen` is int64 (n,), and `flipped`, bool (n,), names those that are flipped left to
        right; both may lie on the processor.
        """
        images = self.stored[chosen.to(self.device)]
        if flipped is not None:
            mask = flipped.to(self.device)[:, None, None, None]
            images = torch.where(mask, images.flip(2), images)
        return ((images.float() / 255 - self.mean) / self.std).permute(0, 3, 1, 2)

    def parts(self, *, flipped: bool = False) -> Iterator[Tensor]:
        """Yield all images in order, and then, where asked for, all their flips.

        The parts are of one size, or differ by one, and small enough to be computed with.
        """
        count = len(self) * (2 if flipped else 1)
        for part in torch.tensor_split(torch.arange(count), self.count_parts(flipped=flipped)):
            yield self.rows(part % len(self), part >= len(self))

    def count_parts(self, *, flipped: bool = False) -> int:
        """Return how many parts `parts` gives."""
        count = len(self) * (2 if flipped else 1)
        _, height, width, _ = self.stored.shape
        batch = max(1, min(EVALUATION_BATCH, EVALUATION_PIXELS // (height * width)))
        return math.ceil(count / batch)

    def sample(self, max_pixels: int) -> Tensor:
        """Return evenly chosen images that have no more pixels together, at least one."""
        _, height, width, _ = self.stored.shape
        count = min(len(self), max(1, max_pixels // (height * width)))
        return self.rows(torch.arange(count) * len(self) // count)
