"""The pickled tables of a CIFAR archive, checked before anything of them is used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedDataset
from scones_etl import pickles
from scones_etl.raw import RawDataset

SIDE = 32


def table(data: bytes, where: str) -> dict[str, Any]:
    """Return a pickled dict with its keys as text; raises MalformedDataset for anything else."""
    content = pickles.load(data, where)
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
    content: dict[str, Any], labels_key: str, wanted: NDArray[np.int64], split: str, where: str
) -> tuple[RawDataset, int]:
    """Return a batch's rows of the wanted classes, and how many rows it has in all.

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
    rows = np.flatnonzero(wanted[labels] >= 0)
    planes = pixels[rows].reshape(-1, 3, SIDE, SIDE)
    part = RawDataset(
        images=np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
        labels=wanted[labels[rows]],
        splits=(split,) * len(rows),
        rows=rows.astype(np.int64),
        names=tuple(names[row] for row in rows),
    )
    return part, len(labels)


def _labels(values: object, classes: int, where: str) -> NDArray[np.int64]:
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value < classes for value in values
    ):
        raise MalformedDataset(
            f"{where} has labels that are no whole numbers from 0 to {classes - 1}; "
            "get the archive again."
        )
    return np.array(values, dtype=np.int64)


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
