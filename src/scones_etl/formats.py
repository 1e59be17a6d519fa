"""The one form that a dataset's images have: how large, coloured or grey."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from scones_core.errors import SettingsError

MODES = ("rgb", "grey")
MAX_SIDE = 1024
BACKGROUND = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """`side` is the width and height in pixels, 0 the source's own; `mode` is `rgb` or `grey`.

    Raises SettingsError for values out of range.
    """

    side: int = 0
    mode: str = "rgb"

    def __post_init__(self) -> None:
        if self.side and not 8 <= self.side <= MAX_SIDE:
            raise SettingsError(
                f"dataset.image_side must be 0 or from 8 to {MAX_SIDE}, not {self.side}."
            )
        if self.mode not in MODES:
            raise SettingsError(
                f"dataset.image_mode must be one of {', '.join(MODES)}, not {self.mode!r}."
            )

    @property
    def grey(self) -> bool:
        """Whether the images have no colour; their three channels are then equal."""
        return self.mode == "grey"

    def told(self) -> dict[str, Any]:
        """Return what the manifest records: the settings that change an image."""
        told: dict[str, Any] = {"image_side": self.side} if self.side else {}
        return {**told, "image_mode": self.mode} if self.grey else told

    def fit(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image of any mode and size as uint8 (H, W, 3), turned as its EXIF says.

        Transparent parts lie on white, 16-bit grey keeps its upper byte, and the whole image
        is scaled to the square without cropping: a model then sees at serving what it saw in
        training, since the endpoint treats what it is sent in the same way.
        """
        if self.side and image.format == "JPEG":
            # Decoding at a reduced scale costs a fraction; twice the size leaves the resize a say.
            image.draft(None, (2 * self.side, 2 * self.side))
        upright = _opaque(ImageOps.exif_transpose(image))
        plain = upright.convert("L").convert("RGB") if self.grey else upright.convert("RGB")
        side = self.side
        if side and plain.size != (side, side):
            whole = plain.width % side == 0 and plain.height % side == 0
            how = Image.Resampling.BOX if whole else Image.Resampling.BICUBIC
            plain = plain.resize((side, side), how)
        return np.array(plain, dtype=np.uint8)

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


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 where it converts; scale it instead.
        grey = np.asarray(image, dtype=np.int64).clip(0, 65535) >> 8
        image = Image.fromarray(grey.astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, rgba).convert("RGB")
    return image
