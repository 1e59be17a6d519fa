"""The ETL task: from a source of images to a proven dataset in the data bucket."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from scones_core.class_folders import normal_form
from scones_core.errors import DatasetError, SconesError
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest
from scones_core.uris import SPLITS, S3Uri, dataset_prefix
from scones_etl.class_names import require_plain_names
from scones_etl.extract.combined import Combined, Renamed
from scones_etl.extract.image_folder import ImageFolder
from scones_etl.extract.labelled_folder import LabelledFolder
from scones_etl.extract.resolve import AUTO, CHOICES, SYNTHETIC, open_source, resolve_source
from scones_etl.extract.shared_answers import fetch_answers
from scones_etl.extract.source import Source
from scones_etl.image_format import ImageFormat
from scones_etl.load import read_manifest, upload
from scones_etl.pipeline import StagedDataset, stage
from scones_etl.report import REPORT, write_report
from scones_toolkit.console import plural
from scones_toolkit.project import Project

ALL_CLASSES = "all"
# More class names than these are counted, not listed.
LISTED = 10


def source(
    project: Project,
    choice: str | None,
    add: str | None = None,
    *,
    synthetic_if_unreachable: bool = False,
) -> Source:
    """Return the source of images for `auto`, `cifar100`, `synthetic` or a path.

    `add` is the path of further training images, such as `inv review` leaves or folders of some
    classes, or the S3 location of reviewers' answers. The classes of the source, and of added
    folders, have the names of dataset.class_names. Raises DatasetError for a source that is
    missing or damaged.
    """
    names = project.settings.dataset.class_names
    # What is added is looked for first: a source may have to be downloaded.
    further = open_source(_added(project, add)) if add else None
    added_names: Collection[str] = ()
    if isinstance(further, ImageFolder):
        added_names = further.class_names()
        further = LabelledFolder.of_class_folders(further, names)
    base = resolve_source(
        choice or project.settings.dataset.source,
        cache_dir=project.cache,
        say=project.console.warn,
        synthetic_if_unreachable=synthetic_if_unreachable,
    )
    if names:
        # A name that only the added folders have is none of the base's.
        own = {*base.class_names()} | {normal_form(name) for name in names} - {*added_names}
        base = Renamed(base, {name: to for name, to in names.items() if normal_form(name) in own})
    return base if further is None else Combined(base, further)


def _added(project: Project, add: str) -> Path:
    """Return the path of further images: the one given, or where answers of S3 were fetched to."""
    if not add.startswith("s3://"):
        return Path(add).expanduser()
    return fetch_answers(project.client("s3"), S3Uri.parse(add), project.cache)


def etl(
    project: Project,
    choice: str | None = None,
    classes: str | None = None,
    add: str | None = None,
    **settings: Any,
) -> Manifest:
    """Stage the dataset of a source and return its manifest; what is there already stays.

    `classes` are comma-separated names, or `all` of the source's; `add` is a path of further
    training images, which without a source are added to that of the last dataset; `settings`
    replace those of [dataset] where they are not None. The validation report is written first.
    Raises DatasetError, SettingsError, and, before anything is read, DeployError where there is
    no data bucket yet.
    """
    # Before a download and minutes of work: is there a place to load the dataset to?
    _ = project.deployment.data_bucket
    if add and choice is None:
        choice = _last_source(project)
    staged = extract(project, choice, classes, add, **settings)
    validate(project, staged)
    return load(project, staged, choice)


def _last_source(project: Project) -> str | None:
    """Return the source of the last dataset, where neither a flag nor a setting names one."""
    if project.settings.dataset.source != AUTO:
        return None
    try:
        last = str(project.records.read("dataset").get("source", ""))
    except SconesError:  # nothing was staged before
        return None
    if last != SYNTHETIC and not Path(last).is_absolute():
        return None
    project.console.say(f"  Adding to the images of {last}, as last time; --source names others.")
    return last


def _named_source(staged: StagedDataset, choice: str | None) -> str:
    """Return what names the source another time; empty where the settings do."""
    if staged.manifest.source["kind"] == SYNTHETIC:
        return SYNTHETIC
    return "" if choice is None or choice in CHOICES else str(Path(choice).expanduser().absolute())


def extract(
    project: Project,
    choice: str | None = None,
    classes: str | None = None,
    add: str | None = None,
    *,
    synthetic_if_unreachable: bool = False,
    **flags: Any,
) -> StagedDataset:
    """Return the dataset of a source, read, split and encoded; nothing is deployed for it yet.

    Raises DatasetError, besides what the source raises, where no added image is new.
    """
    names = tuple(name.strip() for name in classes.split(",")) if classes else None
    settings = project.settings.override("dataset", classes=names, **flags).dataset
    # Settings are checked before anything is downloaded.
    ImageFormat(settings.image_side, settings.image_mode)
    if settings.classes != (ALL_CLASSES,):
        require_plain_names(LabelSet.of(settings.classes))
    # A folder of millions of files, or one over a network, takes minutes to be listed.
    with project.console.working("looking through the source"):
        images = source(project, choice, add, synthetic_if_unreachable=synthetic_if_unreachable)
        everything = settings.classes == (ALL_CLASSES,)
        labels = LabelSet.of(images.class_names() if everything else settings.classes)
    with project.console.progress("encoding") as advance:
        staged = stage(images, labels, settings, progress=advance)
    counts = staged.manifest.counts()
    shown = ", ".join(f"{sum(counts[split].values())} {split}" for split in SPLITS)
    project.console.say(
        f"  {shown} images of {_named(labels)} from {staged.manifest.source['name']}; "
        f"{staged.removed.total} left out as duplicates."
    )
    _warn_of_missing_assignments(project, labels)
    left = staged.ingest_stats.passed_over
    if add and staged.added and left:
        # Such as answers of a class that dataset.classes lacks.
        are = "image is" if len(left) == 1 else "images are"
        project.console.warn(f"  {len(left)} {are} left out; the first: {_first_reason(staged)}.")
    if add and not staged.added:
        raise DatasetError(
            f"{add} has no readable image of {_named(labels)}: {_first_reason(staged)}. Nothing "
            "was staged: name its classes by --classes or dataset.classes, or map its folders to "
            "them by dataset.class_names."
        )
    if add and not staged.added_kept:
        raise DatasetError(
            f"None of the {staged.added} images of {add} is new: each equals an image that the "
            "dataset has already, such as one of its test split. Nothing was staged; label images "
            "that the dataset does not have."
        )
    if add:
        project.console.say(f"  {staged.added_kept} of {staged.added} images of {add} were added.")
    return staged


def _first_reason(staged: StagedDataset) -> str:
    """Return why the first of the files that were left out was; there may be none."""
    stats = staged.ingest_stats
    reasons = {**stats.passed_over, **stats.unreadable}
    return next((f"{name}: {why}" for name, why in reasons.items()), "it has none")


def _warn_of_missing_assignments(project: Project, labels: LabelSet) -> None:
    """Warn of classes without an assignment where others have one: a release asks for it."""
    assigned = project.settings.assignment
    missing = [name for name in labels if name not in assigned]
    if assigned and missing:
        verb = "has" if len(missing) == 1 else "have"
        project.console.warn(
            f"  {_named(missing)} {verb} no assignment yet: inv release asks for "
            f"[assignment.{missing[0]}] in scones.toml."
        )


def _named(labels: LabelSet | list[str]) -> str:
    return ", ".join(labels) if len(labels) <= LISTED else f"{len(labels)} classes"


def validate(project: Project, staged: StagedDataset) -> None:
    """Write the validation report of a dataset, and print what it found."""
    folder = project.build / project.environment / "dataset-report"
    found = write_report(staged, folder)
    if passed_over := found["passed_over"]["count"]:
        project.console.say(
            f"  {plural(passed_over, 'file')} passed over, with reasons in {folder / REPORT}"
        )
    project.console.say(
        f"  {plural(found['unreadable']['count'], 'unreadable file')}, "
        f"{plural(found['duplicates']['count'], 'group')} of equal images, "
        f"{plural(found['near_duplicates']['count'], 'nearly equal pair')} across splits, "
        f"largest class {found['balance']['ratio']:.2f} times the smallest: {folder / REPORT}"
    )


def load(project: Project, staged: StagedDataset, choice: str | None = None) -> Manifest:
    """Load a dataset into the data bucket, and return its manifest.

    `choice` is the source that a flag named for it.
    """
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
    record = {
        "version": manifest.version,
        "bucket": bucket,
        "source": _named_source(staged, choice),
    }
    project.records.write("dataset", record)
    where = S3Uri(bucket, dataset_prefix(manifest.version))
    if report.unchanged:
        console.say(f"  {where} is complete already; nothing was uploaded.")
    else:
        console.say(
            f"  {where}: {plural(report.uploaded, 'object')} uploaded, {report.skipped} were there."
        )
    project.hint("train")
    return manifest


def current(project: Project) -> Manifest:
    """Return the manifest of the dataset that was staged last in this environment.

    Raises SconesError where none was, and DeployError where its bucket is not deployed any more.
    """
    _ = project.deployment
    record = project.records.read("dataset")
    return read_manifest(project.client("s3"), record["bucket"], record["version"])
