"""Image format: the one form that a dataset's images have, their size, colour or grey."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scones_core.errors import SettingsError
from scones_images import fit

MODES = ("rgb", "grey")
# The least that a model trains on; the most that keeps a dataset in memory.
MIN_SIDE, MAX_SIDE = 16, 1024


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """`side` is the width and height in pixels, 0 the source's own; `mode` is `rgb` or `grey`.

    Raises SettingsError for values out of range.
    """

    side: int = 0
    mode: str = "rgb"

    def __post_init__(self) -> None:
        if self.side and not MIN_SIDE <= self.side <= MAX_SIDE:
            raise SettingsError(
                f"dataset.image_side must be 0 or from {MIN_SIDE} to {MAX_SIDE}, not {self.side}."
            )
        if self.mode not in MODES:
            raise SettingsError(
                f"dataset.image_mode must be one of {', '.join(MODES)}, not {self.mode!r}."
            )

    @property
    def grey(self) -> bool:
        """Whether the images have no colour; their three channels are then equal."""
        return self.mode == "grey"

    def recorded(self) -> dict[str, Any]:
        """Return what the manifest records: the settings that change an image."""
        recorded: dict[str, Any] = {"image_side": self.side} if self.side else {}
        return {**recorded, "image_mode": self.mode} if self.grey else recorded

    def fit(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image of any mode and size as uint8 (H, W, 3), turned as its EXIF says.

        The whole image is scaled to the square without cropping. The endpoint treats what it is
        sent by the same code, so that a model sees at serving what it saw in training.
        """
        return fit(image, (self.side, self.side) if self.side else None, grey=self.grey)

    def fit_all(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return images, uint8 (N, H, W, 3), in this form; the same array where they have it."""
        fits = self.side == 0 or images.shape[1:3] == (self.side, self.side)
        if len(images) == 0 or (fits and not self.grey):
            return images
        return np.stack([self.fit(Image.fromarray(image)) for image in images])


# Every source's own size, in colour.
AS_GIVEN = ImageFormat()


def size_counts(sizes: Iterable[tuple[int, int]]) -> dict[str, int]:
    """Return how many images have each (width, height), written `32x24`, narrowest first."""
    return {f"{w}x{h}": count for (w, h), count in sorted(Counter(sizes).items())}
