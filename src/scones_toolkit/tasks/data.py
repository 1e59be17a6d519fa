"""The ETL task: from a source of images to a proven dataset in the data bucket."""

from pathlib import Path
from typing import Any

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest
from scones_core.uris import SPLITS, S3Uri, dataset_prefix
from scones_etl.detect import open_source
from scones_etl.extended import Extended
from scones_etl.load import read_manifest, upload
from scones_etl.pipeline import stage
from scones_etl.raw import Source
from scones_etl.report import REPORT, write_report
from scones_etl.sources import resolve_source
from scones_etl.staged import StagedDataset
from scones_toolkit.project import Project

ALL_CLASSES = "all"
SYNTHETIC = "synthetic"
# More class names than these are counted, not listed.
LISTED = 10


def source(project: Project, choice: str | None, add: str | None = None) -> Source:
    """Return the source of images for `auto`, `cifar100`, `synthetic` or a path.

    `add` is the path of further training images, such as `inv review` leaves. Raises
    DatasetError for a source that is missing or damaged.
    """
    asked = choice or project.settings.dataset.source
    base = resolve_source(asked, cache_dir=project.cache, say=project.console.warn)
    if base.kind == SYNTHETIC and asked != SYNTHETIC and project.environment != "local":
        raise DatasetError(
            f"The images of CIFAR-100 cannot be had, and synthetic ones are not for "
            f"{project.environment}: give --source a path, or --source synthetic if they are meant."
        )
    return Extended(base, open_source(Path(add).expanduser())) if add else base


def etl(
    project: Project,
    choice: str | None = None,
    classes: str | None = None,
    add: str | None = None,
    **settings: Any,
) -> Manifest:
    """Stage the dataset of a source and return its manifest; what is there already stays.

    `classes` are comma-separated names, or `all` of the source's; `add` is a path of further
    training images; `settings` replace those of [dataset] where they are not None. The
    validation report is written first. Raises DatasetError, SettingsError, and, before anything
    is read, DeployError where there is no data bucket yet.
    """
    _ = project.deployment
    staged = extract(project, choice, classes, add, **settings)
    validate(project, staged)
    return load(project, staged)


def extract(
    project: Project,
    choice: str | None = None,
    classes: str | None = None,
    add: str | None = None,
    **flags: Any,
) -> StagedDataset:
    """Return the dataset of a source, read, split and encoded; nothing is deployed for it yet."""
    names = tuple(name.strip() for name in classes.split(",")) if classes else None
    settings = project.settings.override("dataset", classes=names, **flags).dataset
    images = source(project, choice, add)
    everything = settings.classes == (ALL_CLASSES,)
    labels = LabelSet.of(images.class_names() if everything else settings.classes)
    with project.console.progress("encoding") as advance:
        staged = stage(images, labels, settings, progress=advance)
    counts = staged.manifest.counts()
    shown = ", ".join(f"{sum(counts[split].values())} {split}" for split in SPLITS)
    project.console.say(
        f"  {shown} images of {_named(labels)} from {staged.manifest.source['name']}; "
        f"{staged.dropped.total} left out as duplicates."
    )
    return staged


def _named(labels: LabelSet) -> str:
    return ", ".join(labels) if len(labels) <= LISTED else f"{len(labels)} classes"


def validate(project: Project, staged: StagedDataset) -> None:
    """Write the validation report of a dataset, and print what it found."""
    folder = project.build / project.environment / "dataset-report"
    found = write_report(staged, folder)
    project.console.say(
        f"  {found['unreadable']['count']} unreadable files, {found['duplicates']['count']} groups "
        f"of equal images, {found['near_duplicates']['count']} nearly equal pairs across splits, "
        f"largest class {found['balance']['ratio']:.2f} times the smallest: {folder / REPORT}"
    )


def load(project: Project, staged: StagedDataset) -> Manifest:
    """Load a dataset into the data bucket, and return its manifest."""
    console, manifest, bucket = project.console, staged.manifest, project.deployment.data_bucket
    with console.progress("uploading") as advance:
        report = upload(
            staged,
            project.client("s3"),
            bucket,
            workers=project.settings.dataset.upload_workers,
            kms_key_id=project.deployment.kms_key_arn,
            progress=advance,
        )
    project.records.write("dataset", {"version": manifest.version, "bucket": bucket})
    where = S3Uri(bucket, dataset_prefix(manifest.version))
    if report.unchanged:
        console.say(f"  {where} is complete already; nothing was uploaded.")
    else:
        console.say(f"  {where}: {report.uploaded} objects uploaded, {report.skipped} were there.")
    project.hint("train")
    return manifest


def current(project: Project) -> Manifest:
    """Return the manifest of the dataset that was staged last in this environment."""
    record = project.records.read("dataset")
    return read_manifest(project.client("s3"), record["bucket"], record["version"])
