"""The validation report: what is in a staged dataset, as JSON and as contact sheets."""

import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scones_core.errors import DatasetError
from scones_core.files import write_atomically, write_json
from scones_core.manifest import ManifestRow
from scones_etl.near_duplicates import MAX_BITS, MIN_CORRELATION, NearDuplicate, across_splits
from scones_etl.pipeline import StagedDataset

REPORT = "report.json"
# A list in the report names so many at most; its count is always the whole one.
MAX_LISTED = 200
MAX_SHEET_IMAGES = 100
_COLUMNS = 10
_CELL = 64
_GUTTER = 2
_PAPER = (255, 255, 255)


def report(dataset: StagedDataset) -> dict[str, Any]:
    """Return the report of a dataset: balance, sizes, duplicates and unreadable files.

    Near-duplicates are pairs of stored images in two splits; they are reported, not removed.
    """
    manifest, rows = dataset.manifest, dataset.manifest.rows
    sizes: Counter[str] = Counter()
    near = across_splits(_images(dataset, sizes), [row.split for row in rows])
    removed = dataset.removed
    return {
        "version": manifest.version,
        "source": dict(manifest.source),
        "settings": dict(manifest.settings),
        "balance": _balance(rows, manifest.counts()),
        "sizes": {"source": dict(dataset.ingest_stats.sizes), "stored": dict(sizes)},
        "unreadable": {
            "count": len(dataset.ingest_stats.unreadable),
            "files": dict(list(dataset.ingest_stats.unreadable.items())[:MAX_LISTED]),
        },
        "passed_over": {
            "count": len(dataset.ingest_stats.passed_over),
            "files": dict(list(dataset.ingest_stats.passed_over.items())[:MAX_LISTED]),
        },
        "duplicates": {
            "removed": {
                "repeated": removed.repeated,
                "leaked": removed.leaked,
                "conflicting": removed.conflicting,
            },
            "count": len(dataset.duplicates),
            "groups": [list(group) for group in dataset.duplicates[:MAX_LISTED]],
        },
        "near_duplicates": {
            "max_bits": MAX_BITS,
            "min_correlation": MIN_CORRELATION,
            "count": len(near),
            "pairs": [_pair(pair, rows) for pair in near[:MAX_LISTED]],
        },
        "contact_sheets": _sheets(dataset),
    }


def write_report(dataset: StagedDataset, folder: Path) -> dict[str, Any]:
    """Write `report.json` and `<class>.png`, a contact sheet each, and return the report.

    Sheets of classes that are no longer there are removed. Raises DatasetError when the folder
    cannot be written.
    """
    content = report(dataset)
    try:
        for stale in set(folder.glob("*.png")) - {folder / name for name in _sheets(dataset)}:
            stale.unlink()
        for label, name in zip(dataset.manifest.classes, _sheets(dataset), strict=True):
            own = [row.key for row in dataset.manifest.rows if row.label == label]
            chosen = [_pixels(dataset.objects[own[index]]) for index in evenly(len(own))]
            write_atomically(folder / name, contact_sheet(chosen))
        write_json(folder / REPORT, content)
    except OSError as error:
        raise DatasetError(
            f"The report cannot be written to {folder}: {error.strerror or error}; make room, or "
            "set another project.build_dir."
        ) from error
    return content


def _sheets(dataset: StagedDataset) -> list[str]:
    return [f"{label}.png" for label in dataset.manifest.classes]


def _images(dataset: StagedDataset, sizes: Counter[str]) -> Iterator[NDArray[np.uint8]]:
    """Yield what is stored, in the manifest's order, and count it by size.

    One after another: a whole dataset's pixels may be more than there is memory.
    """
    for row in dataset.manifest.rows:
        image = _pixels(dataset.objects[row.key])
        sizes[f"{image.shape[1]}x{image.shape[0]}"] += 1
        yield image


def _pixels(file: bytes) -> NDArray[np.uint8]:
    """Return a stored image, uint8 (H, W, 3), so that the report is of the bytes."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"))


def _balance(
    rows: Sequence[ManifestRow], counts: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """Return counts and shares; `ratio` is the largest class over the smallest."""
    totals = Counter(row.label for row in rows)
    return {
        "images": len(rows),
        "by_split": {split: dict(by_class) for split, by_class in counts.items()},
        "by_class": dict(totals),
        "share": {label: round(count / len(rows), 4) for label, count in totals.items()},
        "ratio": round(max(totals.values()) / min(totals.values()), 4),
    }


def _pair(pair: NearDuplicate, rows: Sequence[ManifestRow]) -> dict[str, Any]:
    return {
        "bits": pair.bits,
        "correlation": pair.correlation,
        "images": [
            {"key": row.key, "split": row.split, "label": row.label, "source_name": row.source_name}
            for row in (rows[pair.first], rows[pair.second])
        ],
    }


def evenly(count: int, limit: int = MAX_SHEET_IMAGES) -> list[int]:
    """Return at most `limit` indices below `count`, spread over all of them."""
    return [index * count // limit for index in range(limit)] if count > limit else [*range(count)]


def contact_sheet(images: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return a PNG with these images, uint8 (H, W, 3), in rows of ten cells of 64 pixels."""
    columns = min(_COLUMNS, len(images))
    rows = math.ceil(len(images) / _COLUMNS)
    step = _CELL + _GUTTER
    page = Image.new("RGB", (columns * step + _GUTTER, rows * step + _GUTTER), _PAPER)
    for number, image in enumerate(images):
        row, column = divmod(number, _COLUMNS)
        page.paste(_cell(image), (_GUTTER + column * step, _GUTTER + row * step))
    buffer = io.BytesIO()
    page.save(buffer, format="PNG")
    return buffer.getvalue()


def _cell(image: NDArray[np.uint8]) -> Image.Image:
    """Return an image scaled into a cell; pixels of a small one stay visible as squares."""
    picture = Image.fromarray(image)
    scale = _CELL / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BICUBIC
    return picture.resize(size, how)
