"""What `inv predict` prints and refuses, with a model that tells red from blue."""

import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console as RichConsole

from scones_core.assignments import Assignment
from scones_core.errors import (
    DatasetError,
    DeployError,
    MalformedArtifact,
    SconesError,
    SettingsError,
)
from scones_core.files import sha256_of
from scones_deploy.release import Release, add_release
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.predict import predict
from scones_toolkit.tasks.predict.answers import bar, rank
from scones_toolkit.tasks.predict.models import EndpointModel, load_model
from scones_toolkit.tasks.predict.pictures import find_pictures
from tests.support.colour_model import LABELS, THRESHOLD, encoded, plain, write_colour_model


class Shown(io.StringIO):
    encoding = "utf-8"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without any AWS, whose local training left a model."""
    write_colour_model(tmp_path / "build" / "local" / "training" / "model")
    console = Console(RichConsole(file=Shown(), width=200, soft_wrap=True, highlight=False))
    return Project(tmp_path, console=console)


def shown(project: Project) -> str:
    file = project.console.rich.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def save(path: Path, body: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def release_of(project: Project, threshold: float) -> None:
    """Release a model whose artifact is in the cache: no AWS is needed for it."""
    write_colour_model(project.root / "released")
    archive = project.root / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted((project.root / "released").iterdir()):
            tar.add(path, path.name)
    sha256 = sha256_of(archive)
    save(project.cache / "artifacts" / f"{sha256}.tar.gz", archive.read_bytes())
    add_release(
        project.release_file,
        Release(
            id="r-1",
            image="registry.example/model:1",
            model_data_url="s3://artifacts/model.tar.gz",
            model_sha256=sha256,
            instance_type="ml.m5.large",
            instance_count=1,
            threshold=threshold,
            labels=LABELS,
            dataset_version="v1",
        ),
    )


def test_a_picture_of_any_size_is_answered_with_bars(project: Project, tmp_path: Path) -> None:
    picture = save(tmp_path / "car.jpg", encoded(plain(200, 0, side=300), "JPEG"))
    (answer,) = predict(project, str(picture))
    assert answer.decision == "accepted"
    assert answer.likeliest[0][0] == "red"
    first, *bars, model = shown(project).splitlines()
    assert first.startswith(f"{picture}: red, accepted (")
    assert first.endswith(">= 0.9000)")
    assert [line.split()[0] for line in bars] == ["red", "blue"]
    assert "█" in bars[0]
    assert model.startswith("Answered by the local model in ")
    assert model.endswith("threshold 0.9000.")


def test_below_the_threshold_a_person_decides(project: Project, tmp_path: Path) -> None:
    picture = save(tmp_path / "car.png", encoded(plain(110, 100)))
    (answer,) = predict(project, str(picture))
    assert answer.decision == "review"
    assert "< 0.9000)" in shown(project)


def test_an_accepted_picture_leads_to_its_assignment(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bays = {"red": Assignment("red", "A", "near", 3.5)}
    assigned = replace(project, settings=replace(project.settings, assignment=bays))
    picture = save(tmp_path / "car.png", encoded(plain(200, 0)))
    predict(assigned, str(picture))
    assert "bay A, near orders to 3.5 km" in shown(project)
    predict(assigned, str(picture), as_json=True)
    (found,) = json.loads(capsys.readouterr().out)["results"]
    assert found["assignment"] == {"vehicle": "red", "bay": "A", "orders": "near", "max_km": 3.5}


def test_a_folder_is_answered_picture_by_picture_and_nothing_is_lost(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    save(folder / "red" / "1.png", encoded(plain(200, 0)))
    save(folder / "red" / "2.WEBP", encoded(plain(0, 200), "WEBP"))
    save(folder / "blue" / "3.png", encoded(plain(0, 200)))
    save(folder / "broken.png", b"\x89PNG\r\n\x1a\nxx")
    save(folder / "notes.txt", b"none")
    with pytest.raises(DatasetError, match=r"^1 of 4 pictures could not be answered\.$"):
        predict(project, str(folder))
    text = shown(project)
    assert text.count("broken.png: the ") == 1
    assert "3 accepted, 0 review, 1 failed" in text
    assert "2 of 3 pictures of known class are right." in text
    assert "1 other file was passed over: hidden, or none of .bmp" in text


def test_why_the_only_picture_has_no_answer_is_printed_once(
    project: Project, tmp_path: Path
) -> None:
    picture = save(tmp_path / "broken.png", b"\x89PNG\r\n\x1a\nxx")
    with pytest.raises(DatasetError, match=rf"^{picture}: the "):
        predict(project, str(picture))
    assert shown(project) == ""


def test_json_goes_to_stdout_alone(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "red" / "1.png", encoded(plain(200, 0)))
    save(tmp_path / "red" / "2.png", b"")
    with pytest.raises(DatasetError):
        predict(project, str(tmp_path / "red"), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["threshold"] == THRESHOLD
    assert found["labels"] == ["red", "blue"]
    assert found["counts"] == {
        "accepted": 1,
        "review": 0,
        "failed": 1,
        "right": 1,
        "of_known_class": 1,
        "passed_over": 0,
    }
    good, bad = found["results"]
    assert (good["label"], good["decision"], good["truth"]) == ("red", "accepted", "red")
    assert [each["label"] for each in good["probabilities"]] == ["red", "blue"]
    assert (bad["label"], bad["decision"], bad["error"]) == (None, "failed", "the image is empty")


def test_the_active_release_answers_with_its_own_threshold(
    project: Project, tmp_path: Path
) -> None:
    release_of(project, threshold=0.6)
    picture = save(tmp_path / "car.png", encoded(plain(110, 100)))
    assert predict(project, str(picture))[0].decision == "accepted"
    assert "Answered by release r-1; threshold 0.6000." in shown(project)


def test_a_given_model_beats_the_release(project: Project, tmp_path: Path) -> None:
    release_of(project, threshold=0.6)
    for location in ("released", "model.tar.gz"):
        found = load_model(project, str(tmp_path / location))
        assert found.name == f"the model in {tmp_path / location}"
        assert found.threshold == THRESHOLD


def test_the_threshold_of_the_settings_beats_the_models_own(project: Project) -> None:
    settings = project.settings.override("workflow", threshold=0.75)
    tuned = Project(project.root, settings=settings, console=project.console)
    assert load_model(tuned).threshold == 0.75


def test_without_any_model_the_way_to_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"no model in local .*inv train --backend local"):
        load_model(Project(tmp_path))


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"x" * 100])
def test_a_file_that_is_no_model_is_named(project: Project, tmp_path: Path, content: bytes) -> None:
    path = save(tmp_path / "other.tar.gz", content)
    with pytest.raises(MalformedArtifact, match=r"other\.tar\.gz cannot be unpacked"):
        load_model(project, str(path))


@pytest.mark.parametrize("location", ["", "nothing", "empty"])
def test_a_location_without_pictures_is_named(
    project: Project, tmp_path: Path, location: str
) -> None:
    (tmp_path / "empty").mkdir()
    path = str(tmp_path / location) if location else ""
    if not location:
        (tmp_path / "folder").mkdir()
        path = str(tmp_path / "folder")
    message = "does not exist" if location == "nothing" else "is not a picture, nor a folder"
    with pytest.raises(SettingsError, match=message):
        predict(project, path)


def test_a_special_file_is_no_picture(project: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SettingsError, match="is not a picture"):
        predict(project, str(tmp_path / "pipe.png"))


def test_the_picture_is_drawn_with_what_decided(project: Project, tmp_path: Path) -> None:
    picture = save(tmp_path / "car.png", encoded(plain(200, 0)))
    out = tmp_path / "new" / "why.png"
    predict(project, str(picture), explain_file=out)
    with Image.open(out) as drawn:
        assert drawn.format == "PNG"
        assert drawn.size == (2 * 384 + 16, 384)
    assert f"{out}: left as the model sees it" in shown(project)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"target": "endpoint", "model": "x"}, "--model and --explain go with --target artifact"),
        ({"target": "endpoint", "explain_file": Path("x.png")}, "go with --target artifact"),
        ({"explain_file": Path("x.jpg")}, "--explain writes a PNG file: x.jpg"),
        ({"model": "nowhere"}, "--model nowhere is not a model folder"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    project: Project, tmp_path: Path, flags: dict[str, Any], message: str
) -> None:
    picture = save(tmp_path / "car.png", encoded(plain(200, 0)))
    with pytest.raises(SettingsError, match=message):
        predict(project, str(picture), **flags)


def test_one_picture_at_a_time_is_explained(project: Project, tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        save(tmp_path / "pictures" / name, encoded(plain(200, 0)))
    with pytest.raises(SettingsError, match=r"draws one picture, and .* has 2"):
        predict(project, str(tmp_path / "pictures"), explain_file=tmp_path / "x.png")


def test_the_drawing_does_not_replace_the_picture(project: Project, tmp_path: Path) -> None:
    picture = save(tmp_path / "pictures" / "car.png", encoded(plain(200, 0)))
    before = picture.read_bytes()
    for location in (picture, picture.parent):
        with pytest.raises(SconesError, match=r"car\.png is the file that is read"):
            predict(project, str(location), explain_file=picture)
    assert picture.read_bytes() == before


class Runtime:
    """SageMaker's endpoint, as far as it is asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.asked = answer, list[dict[str, Any]]()

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        return {"Body": io.BytesIO(self.answer)}


def test_the_endpoint_is_sent_the_picture_as_it_is() -> None:
    runtime, body = Runtime(b"[0.75, 0.25]"), encoded(plain(1, 2), "JPEG")
    model = EndpointModel("classifier", "r-1", LABELS, 0.9, runtime)
    assert model.answer(body) == (0.75, 0.25)
    (asked,) = runtime.asked
    assert (asked["Body"], asked["ContentType"]) == (body, "image/jpeg")
    assert model.name == "release r-1, by the endpoint classifier"


@pytest.mark.parametrize("answer", [b"{}", b"[1]", b"[0.9, 0.9]", b"oops"])
def test_an_endpoint_that_answers_otherwise_is_named(answer: bytes) -> None:
    model = EndpointModel("classifier", "r-1", LABELS, 0.9, Runtime(answer))
    with pytest.raises(DeployError, match="classifier answers no probabilities"):
        model.answer(encoded(plain(1, 2)))


def test_of_many_labels_the_five_likeliest_are_ranked() -> None:
    labels = tuple("abcdefg")
    model = EndpointModel("x", "r-1", labels, 0.9, None)
    ranked = rank(model, (0.05, 0.1, 0.3, 0.2, 0.15, 0.1, 0.1))
    assert [name for name, _ in ranked] == ["c", "d", "e", "b", "f"]


def test_a_terminal_without_unicode_gets_plain_bars() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    console = Console(RichConsole(file=Ascii()))
    assert bar(console, 0.5) == "#" * 15 + " " * 15
    assert bar(Console(RichConsole(file=Shown())), 0.5).rstrip() == "█" * 15


def test_hidden_folders_and_those_of_the_systems_own_hold_no_pictures(tmp_path: Path) -> None:
    for name in ("a.png", ".trash/b.png", "@eaDir/c.jpg", "van/__MACOSX/d.jpg", "van/e.JPG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_pictures(Project(tmp_path), str(tmp_path))
    assert [Path(each.name).name for each in found.pictures] == ["a.png", "e.JPG"]
    assert found.passed_over == 3
    (tmp_path / "broken.png").symlink_to(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe.png")
    assert find_pictures(Project(tmp_path), str(tmp_path)).passed_over == 5
