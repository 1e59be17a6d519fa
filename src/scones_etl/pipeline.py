"""Extract and transform in one step; the toolkit calls `stage`, then loads what it returns."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.limits import PREDICTION_VALUES
from scones_core.manifest import Manifest, ManifestRow, content_version
from scones_core.settings import DatasetSettings
from scones_etl import png
from scones_etl.class_names import require_plain_names
from scones_etl.duplicates import Removed, deduplicate, equal_images, pixel_hashes
from scones_etl.extract.source import IngestStats, RawDataset, Source, describe
from scones_etl.image_format import ImageFormat
from scones_etl.mxnet_files import list_files, record_objects
from scones_etl.splits import assign_splits, manifest_rows, with_keys

# Few enough for the progress to move, enough for the encoder to work on many at a time.
_BLOCK = 256


class Progress(Protocol):
    """A callback that takes what is done and what there is to do, in the same unit."""

    def __call__(self, done: int, total: int, /) -> None:
        """Show that `done` of `total` is done; called from one thread."""


def silent(_done: int, _total: int, /) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class StagedDataset:
    """`objects` maps S3 keys to bytes: images and their lists, not the manifest itself.

    `duplicates` are the names of source images with the same pixels, group by group; `ingest_stats`
    says which of the source's files were used; `added` how many images a person added, and
    `added_kept` how many of them are in the dataset, where the others have a twin already.
    """

    manifest: Manifest
    objects: Mapping[str, bytes]
    removed: Removed
    duplicates: tuple[tuple[str, ...], ...] = ()
    ingest_stats: IngestStats = field(default_factory=IngestStats)
    added: int = 0
    added_kept: int = 0

    @property
    def total_bytes(self) -> int:
        """The size of all objects, without the manifest."""
        return sum(map(len, self.objects.values()))


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
    require_plain_names(classes)
    form = ImageFormat(settings.image_side, settings.image_mode)
    raw = source.read(classes, form)
    hashes = pixel_hashes(raw.images)
    first_added = len(raw) if raw.added_from is None else raw.added_from
    keep, removed = deduplicate(raw, hashes)
    assigned = assign_splits(
        raw,
        hashes,
        keep,
        classes,
        fraction=settings.validation_fraction,
        seed=settings.seed,
        test_fraction=settings.test_fraction,
    )
    _require_room_for_predictions(sum(split == "test" for split in assigned.values()), classes)
    pngs, digests = _encoded(raw, keep, form, progress)
    rows = manifest_rows(raw, assigned, digests, classes)
    manifest = _manifest(describe(source), classes, _recorded(settings, form, raw), rows)
    images = {row.key: pngs[row.sha256] for row in manifest.rows}
    records = record_objects(manifest, images) if settings.recordio else {}
    return StagedDataset(
        manifest,
        {**images, **list_files(manifest), **records},
        removed,
        duplicates=equal_images(raw, hashes),
        added=len(raw) - first_added,
        added_kept=sum(index >= first_added for index in keep),
        ingest_stats=raw.ingest_stats if raw.ingest_stats.sizes else IngestStats(sizes=raw.sizes()),
    )


def _require_room_for_predictions(test_images: int, classes: LabelSet) -> None:
    """Raise DatasetError for more test images than a model of these classes can be tested on."""
    if test_images * len(classes) > PREDICTION_VALUES:
        raise DatasetError(
            f"{test_images:,} test images of {len(classes):,} classes are more than a model keeps "
            f"answers for; have at most {PREDICTION_VALUES // len(classes):,}, by a smaller "
            "dataset.test_fraction or fewer files in the source's own test split."
        )


def _manifest(
    source: dict[str, str], classes: LabelSet, recorded: dict[str, Any], rows: list[ManifestRow]
) -> Manifest:
    """Return the manifest under the version that all of this makes, its rows with their keys."""
    version = content_version(classes, source, recorded, rows)
    return Manifest(
        version=version,
        classes=classes.names,
        source=source,
        settings=recorded,
        rows=with_keys(rows, version),
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


def _recorded(settings: DatasetSettings, form: ImageFormat, raw: RawDataset) -> dict[str, Any]:
    """Return the settings that had a part in the dataset, and so in its version."""
    recorded: dict[str, Any] = {"seed": settings.seed, **form.recorded()}
    if not raw.has_validation or raw.new_classes:
        recorded["validation_fraction"] = settings.validation_fraction
    if settings.recordio:
        recorded["recordio"] = True
    if not raw.has_test or raw.new_classes:
        recorded["test_fraction"] = settings.test_fraction
    return recorded
