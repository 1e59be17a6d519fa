"""The ETL task: from a source of images to a proven dataset in the data bucket."""

from scones_core.labels import LabelSet
from scones_core.manifest import Manifest
from scones_core.uris import SPLITS, S3Uri, dataset_prefix
from scones_etl.load import read_manifest, upload
from scones_etl.pipeline import stage
from scones_etl.raw import Source
from scones_etl.sources import resolve_source
from scones_toolkit.project import Project


def source(project: Project, choice: str | None) -> Source:
    """Return the source of images for `auto`, `cifar100`, `synthetic` or an archive's path.

    Raises DatasetError for a source that is missing or damaged.
    """
    return resolve_source(
        choice or project.settings.dataset.source,
        cache_dir=project.cache,
        say=project.console.warn,
    )


def etl(project: Project, choice: str | None = None, classes: str | None = None) -> Manifest:
    """Stage the dataset of a source and return its manifest; what is there already stays.

    `classes` are comma-separated names. Raises DatasetError, SettingsError.
    """
    names = tuple(name.strip() for name in classes.split(",")) if classes else None
    settings = project.settings.override("dataset", classes=names).dataset
    return load(project, source(project, choice), LabelSet.of(settings.classes))


def load(project: Project, images: Source, classes: LabelSet) -> Manifest:
    """Transform the images of a source, load them into the bucket, and return the manifest."""
    console, settings = project.console, project.settings.dataset
    bucket = project.deployment.data_bucket
    with console.progress("encoding") as advance:
        staged = stage(images, classes, settings, progress=advance)
    with console.progress("uploading") as advance:
        report = upload(
            staged,
            project.client("s3"),
            bucket,
            workers=settings.upload_workers,
            kms_key_id=project.deployment.kms_key_arn,
            progress=advance,
        )
    manifest = staged.manifest
    project.records.write("dataset", {"version": manifest.version, "bucket": bucket})
    where = S3Uri(bucket, dataset_prefix(manifest.version))
    if report.unchanged:
        console.say(f"  {where} is complete already; nothing was uploaded.")
    else:
        console.say(f"  {where}: {report.uploaded} objects uploaded, {report.skipped} were there.")
    counts = {split: sum(manifest.counts()[split].values()) for split in SPLITS}
    console.say(
        f"  {', '.join(f'{n} {split}' for split, n in counts.items())} images of "
        f"{', '.join(manifest.classes)} from {manifest.source['name']}; "
        f"{staged.dropped.total} left out as duplicates."
    )
    return manifest


def current(project: Project) -> Manifest:
    """Return the manifest of the dataset that was staged last in this environment."""
    record = project.records.read("dataset")
    return read_manifest(project.client("s3"), record["bucket"], record["version"])
