"""Extract and transform in one step; the toolkit calls `stage`, then loads what it returns."""

import hashlib
from collections.abc import Sequence
from typing import Any

from scones_core.labels import LabelSet
from scones_core.manifest import Manifest, ManifestRow
from scones_core.settings import DatasetSettings
from scones_etl import png, transform
from scones_etl.formats import ImageFormat
from scones_etl.listfiles import list_files
from scones_etl.progress import Progress, silent
from scones_etl.raw import Intake, RawDataset, Source, describe
from scones_etl.recordio import record_objects
from scones_etl.staged import StagedDataset, content_version

# Few enough for the progress to move, enough for the encoder to work on many at a time.
_BLOCK = 256


def stage(
    source: Source,
    classes: LabelSet,
    settings: DatasetSettings,
    *,
    progress: Progress = silent,
) -> StagedDataset:
    """Return the dataset of a source: PNGs, `.lst` files and the manifest, all in memory.

    The same source, classes, seed and fraction give the same version and bytes; `progress`
    counts images. Raises DatasetError.
    """
    transform.require_plain_names(classes)
    form = ImageFormat(settings.image_side, settings.image_mode)
    raw = source.read(classes, form)
    hashes = transform.pixel_hashes(raw.images)
    keep, dropped = transform.deduplicate(raw, hashes)
    assigned = transform.assign_splits(
        raw,
        hashes,
        keep,
        classes,
        fraction=settings.validation_fraction,
        seed=settings.seed,
        test_fraction=settings.test_fraction,
    )
    pngs, digests = _encoded(raw, keep, form, progress)
    rows = transform.manifest_rows(raw, assigned, digests, classes)
    manifest = _manifest(describe(source), classes, _told(settings, form, raw), rows)
    images = {row.key: pngs[row.sha256] for row in manifest.rows}
    records = record_objects(manifest, images) if settings.recordio else {}
    return StagedDataset(
        manifest,
        {**images, **list_files(manifest), **records},
        dropped,
        duplicates=transform.equal_images(raw, hashes),
        intake=raw.intake if raw.intake.sizes else Intake(sizes=raw.sizes()),
    )


def _manifest(
    source: dict[str, str], classes: LabelSet, told: dict[str, Any], rows: list[ManifestRow]
) -> Manifest:
    """Return the manifest under the version that all of this makes, its rows with their keys."""
    version = content_version(classes, source, told, rows)
    return Manifest(
        version=version,
        classes=classes.names,
        source=source,
        settings=told,
        rows=transform.with_keys(rows, version),
    )


def _encoded(
    raw: RawDataset, keep: Sequence[int], form: ImageFormat, progress: Progress
) -> tuple[dict[str, bytes], dict[int, str]]:
    """Return the images to keep as PNGs by their SHA-256, and the SHA-256 of each by index."""
    pngs: dict[str, bytes] = {}
    digests: dict[int, str] = {}
    for start in range(0, len(keep), _BLOCK):
        block = keep[start : start + _BLOCK]
        for index, file in zip(block, png.encode(raw.images[block], grey=form.grey), strict=True):
            digests[index] = hashlib.sha256(file).hexdigest()
            pngs[digests[index]] = file
            progress(len(digests), len(keep))
    return pngs, digests


def _told(settings: DatasetSettings, form: ImageFormat, raw: RawDataset) -> dict[str, Any]:
    """Return the settings that had a part in the dataset, and so in its version."""
    told: dict[str, Any] = {
        "validation_fraction": settings.validation_fraction,
        "seed": settings.seed,
        **form.told(),
    }
    if settings.recordio:
        told["recordio"] = True
    if not raw.has_test:
        told["test_fraction"] = settings.test_fraction
    return told
