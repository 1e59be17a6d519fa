import errno
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console as RichConsole

from local_aws.control import LocalAws
from local_aws.server.instance_lock import locked
from scones_core.errors import SconesError
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks import local
from scones_toolkit.tasks.local import delete_records, duration, reset


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h 0 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_time_span_has_its_two_largest_units(seconds: float, message: str) -> None:
    assert duration(seconds) == message


def test_an_embedded_aws_does_not_stay_up_beside_records_that_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[bool] = []

    def refuse(_: Project) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    started = SimpleNamespace(stop=lambda: stopped.append(True))
    monkeypatch.setattr(LocalAws, "start", lambda *_: started)
    monkeypatch.setattr(local, "delete_records", refuse)

    with pytest.raises(OSError, match="Read-only"):
        local.start(Project(tmp_path, console=Console(RichConsole(file=io.StringIO(), width=200))))
    assert stopped == [True]


def test_a_reset_deletes_what_can_be_made_again_and_no_labels(tmp_path: Path) -> None:
    project = Project(tmp_path, console=Console(RichConsole(file=io.StringIO(), width=200)))
    records, kept = tmp_path / "build" / "local", tmp_path / "build" / "local" / "mine"
    for folder in (kept, records / "captures", project.review_folder):
        folder.mkdir(parents=True)
    for written in (kept / "labels.csv", project.review_folder / "labels.csv"):
        written.write_text("file,label\na.png,bicycle\n")
    (records / "execution.json").write_text("{}")
    project.release_file.parent.mkdir(parents=True)
    project.release_file.write_text("{}")

    delete_records(project)

    assert sorted(path.name for path in records.iterdir()) == ["mine"]
    assert (kept / "labels.csv").exists() and (project.review_folder / "labels.csv").exists()
    assert not project.release_file.exists()


@pytest.mark.parametrize("made", ["training", "tuning", "demand", "dataset-report"])
def test_what_was_made_without_aws_outlives_an_embedded_aws_that_is_gone(
    made: str, tmp_path: Path
) -> None:
    project = Project(tmp_path, console=Console(RichConsole(file=io.StringIO(), width=200)))
    model = tmp_path / "build" / "local" / made / "model" / "weights.bin"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"minutes of work")

    delete_records(project)

    assert model.read_bytes() == b"minutes of work"


@pytest.mark.parametrize(
    "folder", ["build/local", ".local/aws/state", "terraform/environments/local"]
)
def test_a_reset_looks_at_its_folders_before_it_stops_the_server(
    folder: str, tmp_path: Path
) -> None:
    project = Project(tmp_path, console=Console(RichConsole(file=io.StringIO(), width=200)))
    with locked(project.local_home):
        unwritable = tmp_path / folder
        unwritable.parent.mkdir(parents=True, exist_ok=True)
        # Not even root makes a file there.
        unwritable.symlink_to("/proc/self")
        with pytest.raises(SconesError, match=f"{folder} cannot be written .* nothing was stopped"):
            reset(project, confirmed=True)
