"""Near-duplicate images, found by a perceptual hash and confirmed on a thumbnail.

They are reported; only images of equal pixels are removed (`duplicates.deduplicate`).

The hash is the sign, against their median, of the 63 lowest frequencies of the luminance's
two-dimensional cosine transform at 32x32: it hardly changes with size, compression and light.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 32
_KEPT = 8
_THUMB = 16
# So many of the 63 bits may differ; unrelated images differ in about half of them.
MAX_BITS = 10
# And the thumbnails must go together so closely; hashes alone confuse plain pictures.
MIN_CORRELATION = 0.95
# Rows compared at once, and pairs confirmed at once: they bound the memory.
_ROWS = 256
_CANDIDATES = 16384


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What is compared: `hashes` uint64 (N,), `thumbs` float32 (N, 256) of mean 0 and norm 1."""

    hashes: NDArray[np.uint64]
    thumbs: NDArray[np.float32]

    @classmethod
    def of(cls, images: Iterable[NDArray[np.uint8]]) -> "Fingerprints":
        """Return the fingerprints of images, each uint8 (H, W, 3); few are held at once."""
        coming = iter(images)
        hashes, thumbs = [np.empty(0, np.uint64)], [np.empty((0, _THUMB * _THUMB), np.float32)]
        while grey := [_grey(image) for image in islice(coming, _ROWS)]:
            planes = np.array([_plane(image, _SIDE) for image in grey], dtype=np.float32)
            small = np.array([_plane(image, _THUMB) for image in grey], dtype=np.float32)
            hashes.append(_hashes(planes))
            thumbs.append(_normalised(small.reshape(-1, _THUMB * _THUMB)))
        return cls(np.concatenate(hashes), np.concatenate(thumbs))

    def pairs(
        self, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> Iterator[tuple[int, int, int, float]]:
        """Yield (index of `left`, index of `right`, differing bits, correlation) of like ones."""
        for start in range(0, len(left), _ROWS):
            rows = left[start : start + _ROWS]
            differing = np.bitwise_count(self.hashes[rows, None] ^ self.hashes[None, right])
            # In one dimension numpy finds the few that there are in half the time.
            candidates = np.flatnonzero(differing <= MAX_BITS)
            for part in np.array_split(candidates, len(candidates) // _CANDIDATES + 1):
                row, column = np.divmod(part, len(right))
                a, b = rows[row], right[column]
                together = np.einsum("ij,ij->i", self.thumbs[a], self.thumbs[b])
                bits = differing[row, column]
                alike = together >= MIN_CORRELATION
                yield from zip(
                    a[alike].tolist(),
                    b[alike].tolist(),
                    bits[alike].tolist(),
                    together[alike].tolist(),
                    strict=True,
                )


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two images of different splits, by index; closest first when sorted."""

    bits: int
    correlation: float
    first: int
    second: int


def across_splits(
    images: Iterable[NDArray[np.uint8]], splits: Sequence[str]
) -> list[NearDuplicate]:
    """Return the pairs of nearly equal images that lie in two different splits, closest first."""
    fingerprints, where = Fingerprints.of(images), np.array(splits)
    found = [
        NearDuplicate(bits, round(correlation, 4), a, b)
        for one, other in combinations(dict.fromkeys(splits), 2)
        for a, b, bits, correlation in fingerprints.pairs(
            np.flatnonzero(where == one), np.flatnonzero(where == other)
        )
    ]
    return sorted(found, key=lambda pair: (-pair.correlation, pair.bits, pair.first, pair.second))


def _grey(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image).convert("L")


def _plane(image: Image.Image, side: int) -> NDArray[np.uint8]:
    same = image.size == (side, side)
    return np.asarray(image if same else image.resize((side, side), Image.Resampling.BOX))


def _hashes(planes: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the hash of each plane; planes is (N, 32, 32)."""
    steps = np.arange(_SIDE, dtype=np.float32)
    cosines = np.cos(np.pi * np.arange(_KEPT)[:, None] * (2 * steps + 1) / (2 * _SIDE))
    lowest = (cosines @ planes @ cosines.T).reshape(-1, _KEPT * _KEPT)[:, 1:]
    bits = lowest > np.median(lowest, axis=1, keepdims=True)
    weights = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    hashes: NDArray[np.uint64] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return hashes


def _normalised(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = thumbs - thumbs.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    # An image of one colour is like no other: its thumbnail stays 0.
    result: NDArray[np.float32] = centred / np.maximum(norms, 1.0)
    return result
