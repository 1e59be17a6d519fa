"""Datasets as they are extracted, drawn from numbers."""

import numpy as np

from scones_etl.extract.source import RawDataset


def raw_of(*rows: tuple[int, int, str]) -> RawDataset:
    """Return a dataset from (picture number, label, split); equal numbers are equal pixels."""
    seeds = [np.random.default_rng(picture) for picture, _, _ in rows]
    return RawDataset(
        images=np.stack([rng.integers(0, 256, (4, 4, 3), dtype=np.uint8) for rng in seeds]),
        labels=np.array([label for _, label, _ in rows], dtype=np.int64),
        splits=tuple(split for _, _, split in rows),
        rows=np.arange(len(rows)),
        names=tuple(f"image_{row}.png" for row in range(len(rows))),
    )
