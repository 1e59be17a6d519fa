"""A channel folder, `<channel>/<label>/*.png`, as arrays in memory."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.class_folders import is_hidden, list_class_files
from scones_core.errors import TrainingError
from scones_images import ImageError, decode

# Four halvings must leave a pixel to pool.
SMALLEST_SIDE = 16
SUFFIXES = (".png", ".jpg", ".jpeg")
NO_ENDING = f"its name does not end in {', '.join(SUFFIXES)}"


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images of one size: `pixels` uint8 (N, H, W, 3), `labels` int64 (N,) of model indexes."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def grey(self) -> bool:
        """Whether no image has a colour: red, green and blue are equal in every pixel."""
        return all(
            bool((part == part[..., :1]).all())
            for part in np.array_split(self.pixels, _parts(self.pixels))
        )

    def rows(self, chosen: NDArray[np.int64]) -> "ImageSet":
        """Return the images at these rows, in this order."""
        return ImageSet(self.pixels[chosen], self.labels[chosen])

    def ordered(self) -> "ImageSet":
        """Sort the images by class, then by the SHA-256 of their pixels, in place; return them.

        What a training does with its images depends on their order. This one knows nothing of
        file names, splits and encoders: the same pictures make the same network. In place, as a
        copy of thousands of photographs would take as much memory again.
        """
        keys = [hashlib.sha256(pixels.tobytes()).digest() for pixels in self.pixels]
        order = sorted(range(len(self)), key=lambda row: (self.labels[row], keys[row]))
        for values in (self.pixels, self.labels):
            _reorder(values, order)
        return self


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation by channel (RGB), of pixels from 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, images: ImageSet) -> "Normalisation":
        """Return the statistics of these images; a channel without variation keeps its scale."""
        # By how often each of the 256 values comes: the pixels as float64 would take 24 times
        # the room of the images.
        values = np.arange(256) / 255
        counts = sum(
            _histogram(part) for part in np.array_split(images.pixels, _parts(images.pixels))
        )
        shares = counts / (images.pixels.size // 3)
        mean = shares @ values
        std = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
        return cls(_triple(mean), _triple(np.where(std < 1e-3, 1.0, std)))


def _reorder(values: NDArray[Any], order: Sequence[int]) -> None:
    """Put the row `order[n]` of an array at the place n, for every n, in place."""
    placed = [False] * len(order)
    for start in range(len(order)):
        kept, place = values[start].copy(), start
        while not placed[place]:
            placed[place] = True
            source = order[place]
            values[place] = kept if source == start else values[source]
            place = source


def _parts(pixels: NDArray[np.uint8]) -> int:
    """Return into how many parts of some 16 MB these images are worked on."""
    return max(1, min(len(pixels), pixels.size >> 24))


def _histogram(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how often each channel, (3,), has each value, (256,)."""
    return np.stack([np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)])


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 6) for value in values)
    return red, green, blue


def load_channel(
    folder: Path, classes: Sequence[str], size: tuple[int, int] | None = None
) -> ImageSet:
    """Return every image below `<folder>/<label>/`, by class in model order, then by name.

    `size` is (height, width); without it the first image decides. Raises TrainingError for a
    folder that is missing, empty or of no known class, and for an image that cannot be read
    or differs in size.
    """
    return load_channels([folder], classes, size)


def load_channels(
    folders: Sequence[Path], classes: Sequence[str], size: tuple[int, int] | None = None
) -> ImageSet:
    """Return the images of several channels, one channel after another, as `load_channel` does."""
    files = []
    for folder in folders:
        found = channel_files(folder, classes)
        _check(folder, classes, {index for _, index in found})
        files += found
    size = size or _read(files[0][0]).shape[:2]
    # Into its place at once: a list that is stacked at the end takes the room twice.
    pixels = np.empty((len(files), *size, 3), dtype=np.uint8)
    for place, (path, _) in enumerate(files):
        image = _read(path)
        if image.shape[:2] != size:
            raise TrainingError(
                f"{path} is {image.shape[1]}x{image.shape[0]} pixels where {size[1]}x{size[0]} "
                "were expected; stage a dataset of one image size."
            )
        pixels[place] = image
    return ImageSet(pixels, np.array([index for _, index in files], dtype=np.int64))


def channel_files(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    """Return each image's path and class index, by class in model order, then by name.

    Images are files with one of SUFFIXES, in any case and at any depth below the class's folder;
    `passed_over` counts the others.
    """
    if not folder.is_dir():
        return []
    index_of = {name: index for index, name in enumerate(classes)}
    files = list_class_files(folder, with_splits=False).files
    found = [
        (folder / file.name, index_of[file.label])
        for file in files
        if file.label in index_of and file.name.lower().endswith(SUFFIXES)
    ]
    return sorted(found, key=lambda each: (each[1], each[0]))


def passed_over(folder: Path) -> Mapping[str, int]:
    """Return how many files and folders of a channel hold no image to train on, by reason."""
    if not folder.is_dir():
        return {}
    listed = list_class_files(folder, with_splits=False)
    reasons = Counter(listed.passed_over.values())
    reasons[NO_ENDING] += sum(not file.name.lower().endswith(SUFFIXES) for file in listed.files)
    return {reason: number for reason, number in sorted(reasons.items()) if number}


def _check(folder: Path, classes: Sequence[str], found: set[int]) -> None:
    if folder.with_name(f"{folder.name}_0").exists():
        raise TrainingError(
            f"The channel {folder.name} is given in Pipe mode; give it in File or FastFile mode."
        )
    if not folder.is_dir():
        raise TrainingError(
            f"The channel folder {folder} does not exist; give the job that channel."
        )
    entries = [path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name)]
    unknown = {path.name for path in entries} - set(classes)
    # A folder without a file is no class: a download or a deletion leaves it behind.
    if unknown and (unknown := unknown & _labels(folder)):
        raise TrainingError(
            f"{folder} has a folder {min(unknown)!r}, which is none of the classes "
            f"{', '.join(classes)}; stage the dataset for these classes."
        )
    missing = [name for index, name in enumerate(classes) if index not in found]
    if missing:
        raise TrainingError(
            f"{folder} has no image of the class {missing[0]!r}; stage the dataset again."
        )


def _labels(folder: Path) -> set[str]:
    return {file.label for file in list_class_files(folder, with_splits=False).files}


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return decode(path.read_bytes())
    except (OSError, ImageError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
