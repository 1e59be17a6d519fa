import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from scones_core.errors import DatasetError
from scones_core.settings import Settings
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.data import extract


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


def test_missing_added_images_are_an_error_before_the_source_is_looked_for(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="lost is not a regular file or folder"):
        extract(project, "nowhere", add=str(tmp_path / "lost"))
