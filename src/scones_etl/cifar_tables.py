"""The pickled tables of a CIFAR archive, checked before anything of them is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedDataset
from scones_etl import pickles
from scones_etl.archive import unused

SIDE = 32
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Batch:
    """A table's pixels, uint8 (N, 3072), and which rows of it were asked for.

    `rows` and `labels` are int64 (M,), the labels being class indices; `names` are M texts.
    """

    pixels: NDArray[np.uint8]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]


def table(pickled: bytes | memoryview, where: str) -> dict[str, Any]:
    """Return a pickled dict with its keys as text; raises MalformedDataset for anything else."""
    content = pickles.load(pickled, where)
    if not isinstance(content, dict):
        raise MalformedDataset(f"{where} holds no table; get the archive again.")
    return {_text(key, where): value for key, value in content.items()}


def class_names(content: dict[str, Any], key: str, where: str) -> list[str]:
    """Return the class names of an archive, in label order; raises MalformedDataset."""
    names = _texts(content, key, where)
    if not names or len(set(names)) != len(names):
        raise MalformedDataset(f"{where} names no class, or one twice; get the archive again.")
    return names


def select(
    content: dict[str, Any], labels_key: str, wanted: NDArray[np.int64], where: str
) -> Batch:
    """Return a table's rows of the wanted classes.

    `wanted` int64 (labels,) is the class index of each label, -1 for one to leave out.
    Raises MalformedDataset when pixels, labels and file names do not fit each other.
    """
    pixels = pickles.uint8_array(content.get("data"), f"{where} `data`")
    names = _texts(content, "filenames", where)
    labels = _labels(content.get(labels_key), len(wanted), where)
    if pixels.shape != (len(labels), 3 * SIDE * SIDE) or len(names) != len(labels):
        raise MalformedDataset(
            f"{where} has pixels {pixels.shape}, {len(labels)} labels and {len(names)} names; "
            f"it needs (N, {3 * SIDE * SIDE}), N and N."
        )
    rows = np.flatnonzero(wanted[labels] >= 0).astype(np.int64)
    return Batch(pixels, rows, wanted[labels[rows]], tuple(names[row] for row in rows))


def interleaved(batches: Sequence[Batch], memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the chosen rows of all batches as images, (N, 32, 32, 3); the batches are used up.

    Block by block and channel by channel: what is copied stays in the processor's cache, which
    is ten times as fast as one transposition. Where most of `memory`, in which the archive was
    unpacked, is asked for, the images take the place of the planes: fresh memory costs as much
    time as the copying.
    """
    count = sum(len(batch.rows) for batch in batches)
    size = count * SIDE * SIDE * 3
    found = memory[:size] if _one_after_another(batches, memory, size) else unused(size)
    images = found.reshape(count, SIDE * SIDE, 3)
    target = 0
    for batch in batches:
        for start in range(0, len(batch.rows), _BLOCK):
            chosen = batch.rows[start : start + _BLOCK]
            # A copy, by the choice, so that the rows may be written over their own planes.
            planes = batch.pixels[chosen].reshape(-1, 3, SIDE * SIDE)
            for channel in range(3):
                images[target : target + len(chosen), :, channel] = planes[:, channel]
            target += len(chosen)
    return images.reshape(-1, SIDE, SIDE, 3)


def _one_after_another(batches: Sequence[Batch], memory: NDArray[np.uint8], size: int) -> bool:
    """Say whether the rows can move to the memory's begin without one reaching a later one."""
    first = memory.ctypes.data
    starts = [batch.pixels.ctypes.data - first for batch in batches]
    ends = [start + batch.pixels.size for start, batch in zip(starts, batches, strict=True)]
    within = starts[0] >= 0 and ends[-1] <= len(memory) and starts == sorted(starts)
    return within and 2 * size > ends[-1]


def _text(value: object, where: str) -> str:
    text = value.decode("latin1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= 255:
        raise MalformedDataset(f"{where} holds a name that is no short text.")
    return text


def _texts(content: dict[str, Any], key: str, where: str) -> list[str]:
    values = content.get(key)
    if not isinstance(values, list):
        raise MalformedDataset(f"{where} has no list {key!r}; is it another archive?")
    return [_text(value, where) for value in values]


def _labels(values: object, classes: int, where: str) -> NDArray[np.int64]:
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value < classes for value in values
    ):
        raise MalformedDataset(
            f"{where} has labels that are no whole numbers from 0 to {classes - 1}; "
            "get the archive again."
        )
    return np.array(values, dtype=np.int64)
