"""The first step of a retraining: `python -m scones_etl.retraining`, as a processing job.

Joins the dataset of the active release with what reviewers answered since, and leaves a new
dataset version whose test images are the same. NEW_CLASSES names further classes, comma-separated:
one with enough answers becomes a class of the dataset, with test images of its own. Below
`/opt/ml/processing`:

    input/dataset/    the objects of the active release's dataset version
    input/labels/     the answers and their images, as `labels/` in the data bucket has them
    output/dataset/   the objects of the new version, which go below `dataset/`; nothing where
                      there are fewer new images than MIN_NEW_IMAGES
    output/summary/   dataset.json: version, counts, and whether the new images are enough
"""

import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from scones_core.class_folders import printable
from scones_core.container_folders import run_processing
from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.reviews import IMAGES
from scones_core.settings import DatasetSettings
from scones_core.uris import manifest_key
from scones_etl.extract.combined import Combined
from scones_etl.extract.labelled_folder import ANSWERS, LabelledFolder, has_answers
from scones_etl.extract.staged import StagedFolder
from scones_etl.pipeline import StagedDataset, stage
from scones_etl.splits import MIN_NEW_CLASS

SUMMARY = "dataset.json"
MAX_REASONS = 20
"""Left-out images that are named in the summary; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What was assembled. `added` images were answered, `new` are in the dataset since.

    `enough` says whether `new` reaches what was asked for; without it there is no new version, and
    `version` is the base's. `left_out` gives reasons by image, MAX_REASONS at most, of
    `left_out_total`. `new_classes` are those that the base does not have.
    """

    enough: bool
    version: str
    base_version: str
    added: int
    new: int
    left_out_total: int
    left_out: Mapping[str, str]
    new_classes: tuple[str, ...] = ()


def main() -> int:
    """Assemble the dataset in the container that the environment describes; return 0 or 1."""
    return run_processing(_run)


def _run(folder: Path) -> str:
    summary = assemble(folder, _min_new_images(os.environ), _new_classes(os.environ))
    return f"{summary.new} of {summary.added} answered images are new; dataset {summary.version}"


def assemble(folder: Path, min_new_images: int, new_classes: Collection[str] = ()) -> Summary:
    """Write the new dataset version and its summary below `folder/output`; return the summary.

    `new_classes` are those that answers may add to the base's. Raises DatasetError for a dataset or
    answers that cannot be used.
    """
    base = StagedFolder.open(folder / "input" / "dataset")
    with _answered(folder / "input" / "labels") as answered:
        staged, reasons = _staged(base, answered, new_classes) if answered else (None, {})
    new = staged.added_kept if staged else 0
    enough = new >= min_new_images
    chosen = staged if enough and new else None
    summary = Summary(
        enough=enough,
        version=chosen.manifest.version if chosen else base.manifest.version,
        base_version=base.manifest.version,
        added=staged.added if staged else 0,
        new=new,
        left_out_total=len(reasons),
        left_out=dict(sorted(reasons.items())[:MAX_REASONS]),
        new_classes=chosen.manifest.classes[len(base.manifest.classes) :] if chosen else (),
    )
    if chosen:
        _write_dataset(chosen, folder / "output" / "dataset")
    target = folder / "output" / "summary" / SUMMARY
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(asdict(summary), sort_keys=True), encoding="utf-8")
    return summary


def _staged(
    base: StagedFolder, answered: Path, new_classes: Collection[str]
) -> tuple[StagedDataset | None, Mapping[str, str]]:
    """Return the joined dataset, and why answered images are not in it.

    There is no dataset where no answer gives a label.
    """
    try:
        added = LabelledFolder.open(answered)
    except DatasetError as error:
        return None, {ANSWERS: str(error)}
    form = base.image_format()
    given = Counter(added.labels.values())
    wanted = [name for name in new_classes if name not in base.manifest.classes]
    # One with too few images would fail the run for the sake of a few answers: they wait.
    classes = (*base.manifest.classes, *(n for n in wanted if given[n] >= MIN_NEW_CLASS))
    settings = DatasetSettings(
        classes=classes,
        image_side=form.side,
        image_mode=form.mode,
        recordio=bool(base.manifest.settings.get("recordio")),
        seed=int(base.manifest.settings.get("seed", 0)),
    )
    staged = stage(Combined(base, added), LabelSet.of(classes), settings)
    stats = staged.ingest_stats
    waiting = {
        printable(file): f"{label} has {given[label]} answered images, and a new class needs "
        f"{MIN_NEW_CLASS}"
        for file, label in added.labels.items()
        if label in wanted and label not in classes
    }
    return staged, {**stats.passed_over, **stats.unreadable, **waiting}


@contextmanager
def _answered(labels: Path) -> Iterator[Path | None]:
    """Yield a folder of answers as `inv review` leaves it; None where nobody answered.

    The job's input may be read-only, so that the answers are copied; the images are linked.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ANSWERS).mkdir()
        if labels.is_dir():
            for path in labels.iterdir():
                if path.is_dir() and path.name != IMAGES:
                    shutil.copytree(path, folder / ANSWERS / path.name)
            (folder / IMAGES).symlink_to(labels / IMAGES)
        yield folder if has_answers(folder) else None


def _write_dataset(staged: StagedDataset, folder: Path) -> None:
    """Write the objects below the prefix `dataset/`, the manifest last."""
    proof = manifest_key(staged.manifest.version)
    for key, body in {**staged.objects, proof: staged.manifest.dumps().encode()}.items():
        path = folder / key.removeprefix("dataset/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def _min_new_images(environ: Mapping[str, str]) -> int:
    text = environ.get("MIN_NEW_IMAGES", "1")
    if not text.isdecimal():
        raise DatasetError(f"MIN_NEW_IMAGES must be 0 or more, not {text!r:.40}.")
    return int(text)


def _new_classes(environ: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in environ.get("NEW_CLASSES", "").split(",") if name)


if __name__ == "__main__":
    sys.exit(main())
