import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console as RichConsole

from scones_core.errors import DatasetError, UnknownLabel
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings, Settings
from scones_etl.extract.resolve import open_source
from scones_etl.extract.synthetic import Synthetic
from scones_etl.load import UploadReport
from scones_etl.pipeline import StagedDataset, stage
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks import etl as etl_task
from scones_toolkit.tasks.etl import etl, extract
from tests.functional.scones_toolkit.tasks.conftest import DEPLOYMENT

CLASSES = LabelSet.of(("bicycle", "motorcycle"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    console = Console(RichConsole(file=io.StringIO(), highlight=False, soft_wrap=True))
    return Project(tmp_path, "local", Settings(), console)


def test_added_images_of_which_none_is_new_are_an_error(
    project: Project, photos: str, tmp_path: Path
) -> None:
    answered = tmp_path / "answered"
    answered.mkdir()
    for number in range(2):
        shutil.copy(Path(photos) / "bicycle" / f"{number}.png", answered)
    (answered / "labels.csv").write_text("file,label\n0.png,bicycle\n1.png,bicycle\n")

    with pytest.raises(DatasetError, match=r"None of the 2 images of .*answered is new"):
        extract(project, photos, add=str(answered))


def vans(tmp_path: Path, photos: str, folder: str) -> str:
    """Return a folder with one class folder, of 8 images that the photographs do not have."""
    (tmp_path / "more" / folder).mkdir(parents=True)
    for number in range(8):
        with Image.open(Path(photos) / "bicycle" / f"{number}.png") as photo:
            turned = photo.transpose(Image.Transpose.ROTATE_180)
            turned.save(tmp_path / "more" / folder / f"v{number}.png")
    return str(tmp_path / "more")


@pytest.mark.parametrize("folder", ["van", "Delivery Vans"])
def test_a_folder_of_one_new_class_is_added_to_a_source_of_the_others(
    project: Project, photos: str, tmp_path: Path, folder: str
) -> None:
    names = {} if folder == "van" else {folder: "van"}
    settings = project.settings.override("dataset", class_names=names)
    named = replace(project, settings=settings)

    found = extract(named, photos, "bicycle,motorcycle,van", vans(tmp_path, photos, folder))

    assert (found.added, found.added_kept) == (8, 8)
    assert all(found.manifest.counts()[split]["van"] for split in ("train", "test"))
    assert found.manifest.source["kind"] == "folder"


def test_an_added_folder_of_no_wanted_class_is_an_error_that_names_it(
    project: Project, photos: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"more has no readable image of .*'van'.*class_names"):
        extract(project, photos, add=vans(tmp_path, photos, "van"))


def test_added_images_of_a_class_that_is_not_wanted_are_counted_beside_those_that_are(
    project: Project, photos: str, tmp_path: Path
) -> None:
    more = Path(vans(tmp_path, photos, "van"))
    (more / "bicycle").mkdir()
    with Image.open(Path(photos) / "bicycle" / "0.png") as photo:
        photo.transpose(Image.Transpose.TRANSPOSE).save(more / "bicycle" / "turned.png")

    found = extract(project, photos, add=str(more))

    assert (found.added, found.added_kept) == (1, 1)
    out = project.console.rich.file
    assert isinstance(out, io.StringIO)
    assert "8 images are left out; the first: van/v0.png: " in out.getvalue()


def test_a_class_that_neither_source_has_is_asked_of_both(
    project: Project, photos: str, tmp_path: Path
) -> None:
    with pytest.raises(UnknownLabel, match=r"no class 'vans'; the nearest are van\b.*class_names"):
        extract(project, photos, "bicycle,vans", vans(tmp_path, photos, "van"))


@pytest.fixture
def staged(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What `etl` took for its source each time, in place of an upload."""
    monkeypatch.setitem(project.__dict__, "deployment", DEPLOYMENT)
    taken: list[str | None] = []

    def kept(project: Project, choice: str | None, *_: object, **__: object) -> StagedDataset:
        taken.append(choice)
        drawn = choice in (None, "synthetic")
        source = (
            Synthetic(train_per_class=10, test_per_class=3)
            if drawn
            else open_source(Path(str(choice)))
        )
        return stage(source, CLASSES, DatasetSettings())

    monkeypatch.setattr(etl_task, "extract", kept)
    monkeypatch.setattr(etl_task, "upload", lambda *_, **__: UploadReport(1, 0, 0.0))
    monkeypatch.setattr(Project, "client", lambda *_: None)
    return taken


def test_answers_are_added_to_the_images_of_the_last_dataset(
    project: Project, photos: str, staged: list[str | None]
) -> None:
    etl(project, photos)
    etl(project, add="s3://data/labels")
    etl(project, "synthetic", add="s3://data/labels")
    etl(project, add="s3://data/labels")
    etl(project)

    assert staged == [photos, photos, "synthetic", "synthetic", None]


def test_a_source_of_the_settings_comes_before_that_of_the_last_dataset(
    project: Project, photos: str, staged: list[str | None]
) -> None:
    etl(project, photos)
    named = replace(project, settings=project.settings.override("dataset", source="synthetic"))
    named.__dict__["deployment"] = DEPLOYMENT
    etl(named, add="s3://data/labels")
    assert staged == [photos, None]


def test_without_an_earlier_dataset_added_images_go_with_the_usual_source(
    project: Project, staged: list[str | None]
) -> None:
    etl(project, add="s3://data/labels")
    assert staged == [None]


def test_missing_added_images_are_an_error_before_the_source_is_looked_for(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="lost is not a regular file or folder"):
        extract(project, "nowhere", add=str(tmp_path / "lost"))
