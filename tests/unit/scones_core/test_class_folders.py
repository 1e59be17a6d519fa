import os
from pathlib import Path

import pytest

from scones_core.class_folders import (
    HIDDEN,
    LINKED_FOLDER,
    NO_CLASS,
    NO_FILE,
    NO_SPLIT,
    list_class_files,
    printable,
)
from scones_core.errors import DatasetError


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_files_at_any_depth_belong_to_the_class_at_the_top(tmp_path: Path) -> None:
    found = list_class_files(make(tmp_path, "van/b.png", "van/2024/05/a.JPG", "bus/noending"))
    assert [(file.name, file.label, file.split) for file in found.files] == [
        ("bus/noending", "bus", "train"),
        ("van/2024/05/a.JPG", "van", "train"),
        ("van/b.png", "van", "train"),
    ]
    assert found.splits == frozenset()
    assert not found.passed_over


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test"),
        ("Train", "TEST"),
        ("training", "testing"),
        ("train", "val"),
        ("train", "valid", "test"),
        ("train", "Validation", "test"),
    ],
)
def test_folders_of_splits_are_known_by_their_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        make(tmp_path, f"{name}/van/1.png", f"{name}/bus/deep/2.png")
    found = list_class_files(tmp_path)
    expected = {"tr": "train", "te": "test", "va": "validation"}
    assert found.splits == {expected[name.lower()[:2]] for name in names}
    assert all(file.split == expected[file.name.lower()[:2]] for file in found.files)
    assert {file.label for file in found.files} == {"van", "bus"}
    assert len(found.files) == 2 * len(names)


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "eval"),
        ("train", "dev", "test"),
        ("training_set", "test_set"),
        ("training_set/training_set", "test_set/test_set"),
        ("seg_train/seg_train", "seg_test/seg_test", "seg_val/seg_val"),
        ("train2017", "val2017"),
        ("photos/train", "photos/test"),
        ("a/b/train", "a/b/valid"),
    ],
)
def test_splits_are_known_by_a_word_of_their_names_and_in_folders_of_their_own(
    tmp_path: Path, folders: tuple[str, ...]
) -> None:
    for name in folders:
        make(tmp_path, f"{name}/van/1.png", f"{name}/bus/2.png")
    found = list_class_files(tmp_path)
    assert len(found.splits) == len(folders)
    assert {file.label for file in found.files} == {"van", "bus"}
    assert len(found.files) == 2 * len(folders)


@pytest.mark.parametrize("depth", ["photos", "PetImages/PetImages"])
def test_class_folders_may_lie_in_one_folder_more(tmp_path: Path, depth: str) -> None:
    make(tmp_path, f"{depth}/cat/1.png", f"{depth}/dog/2/3.jpg", "readme.txt", "__MACOSX/._x")
    found = list_class_files(tmp_path)
    assert [(file.name, file.label) for file in found.files] == [
        (f"{depth}/cat/1.png", "cat"),
        (f"{depth}/dog/2/3.jpg", "dog"),
    ]
    assert found.passed_over == {"__MACOSX": HIDDEN, "readme.txt": NO_CLASS}


def test_one_class_with_pictures_of_its_own_is_no_folder_around_classes(tmp_path: Path) -> None:
    make(tmp_path, "van/1.png", "van/2024/2.png", "van/2025/3.png")
    assert {file.label for file in list_class_files(tmp_path).files} == {"van"}


def test_what_is_no_class_next_to_a_folder_for_training_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "train/van/1.png", "train/bus/1.png", "annotations/1.xml")
    make(tmp_path, "holdout/van/2.png", "holdout/bus/2.png")
    found = list_class_files(tmp_path)
    assert {file.label for file in found.files} == {"van", "bus"}
    assert found.passed_over == {"annotations": NO_SPLIT, "holdout": NO_SPLIT}


def test_a_class_of_trains_in_several_folders_stays_a_class(tmp_path: Path) -> None:
    make(tmp_path, "train/steam/1.png", "train/diesel/2.png", "bus/city/1.png", "bus/coach/2.png")
    assert {file.label for file in list_class_files(tmp_path).files} == {"train", "bus"}


def test_splits_without_one_for_training_are_an_error(tmp_path: Path) -> None:
    for name in ("val", "test"):
        make(tmp_path, f"{name}/van/1.png", f"{name}/bus/2.png")
    with pytest.raises(DatasetError, match="folders for test and val, and none for training"):
        list_class_files(tmp_path)


def test_folders_of_the_systems_own_are_no_classes(tmp_path: Path) -> None:
    names = ("@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "#recycle")
    make(tmp_path, "van/1.png", "bus/1.png", "van/@eaDir/1.png", *(f"{n}/x/1.png" for n in names))
    found = list_class_files(tmp_path)
    assert {file.label for file in found.files} == {"van", "bus"}
    assert found.passed_over == dict.fromkeys((*names, "van/@eaDir"), HIDDEN)


def test_what_the_system_cannot_read_is_passed_over_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "van/1.png", "van/locked/2.png", "bus/1.png")
    scandir = os.scandir

    def refused(path: Path | str) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    found = list_class_files(tmp_path)
    assert [file.name for file in found.files] == ["bus/1.png", "van/1.png"]
    assert found.passed_over == {"van/locked": "it cannot be read: Permission denied"}


def test_a_path_longer_than_the_system_takes_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "van/1.png", "bus/1.png")
    at = os.open(tmp_path / "van", os.O_RDONLY)
    for _ in range(50):
        os.mkdir("x" * 100, dir_fd=at)
        deeper = os.open("x" * 100, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
    os.close(at)
    found = list_class_files(tmp_path)
    assert [file.name for file in found.files] == ["bus/1.png", "van/1.png"]
    assert list(found.passed_over.values()) == ["it cannot be read: File name too long"]


def test_the_two_forms_of_an_accent_are_one_class(tmp_path: Path) -> None:
    found = list_class_files(make(tmp_path, "caf\u00e9/1.png", "cafe\u0301/2.png", "bus/1.png"))
    assert {file.label for file in found.files} == {"caf\u00e9", "bus"}


def test_a_folder_for_training_alone_is_no_class(tmp_path: Path) -> None:
    found = list_class_files(make(tmp_path, "train/van/1.png", "train/bus/1.png"))
    assert {file.label for file in found.files} == {"van", "bus"}
    assert found.splits == {"train"}


@pytest.mark.parametrize("names", [("test", "val"), ("train", "bus"), ("test", "bus")])
def test_classes_that_are_named_like_splits_stay_classes(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    found = list_class_files(make(tmp_path, *(f"{name}/1.png" for name in names)))
    assert {file.label for file in found.files} == set(names)


def test_a_channel_has_no_splits(tmp_path: Path) -> None:
    make(tmp_path, "train/1.png", "test/1.png")
    found = list_class_files(tmp_path, with_splits=False)
    assert {file.label for file in found.files} == {"train", "test"}


def test_each_file_that_is_of_no_class_is_passed_over_with_its_reason(tmp_path: Path) -> None:
    make(tmp_path, "van/1.png", "van/._1.png", "van/.hidden/2.png", "van/__MACOSX/3.png")
    make(tmp_path, ".ipynb_checkpoints/1.png", "readme.md")
    os.mkfifo(tmp_path / "van" / "pipe.png")
    (tmp_path / "van" / "broken.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "van" / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "van" / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = list_class_files(tmp_path)
    assert [file.name for file in found.files] == ["van/1.png"]
    assert found.passed_over == {
        ".ipynb_checkpoints": HIDDEN,
        "readme.md": NO_CLASS,
        "van/.hidden": HIDDEN,
        "van/._1.png": HIDDEN,
        "van/__MACOSX": HIDDEN,
        "van/broken.png": NO_FILE,
        "van/loop": LINKED_FOLDER,
        "van/pipe.png": NO_FILE,
        "van/zero.png": NO_FILE,
    }


def test_what_lies_next_to_the_splits_and_next_to_their_classes_is_ignored(
    tmp_path: Path,
) -> None:
    make(tmp_path, "train/van/1.png", "test/van/1.png", "extra/van/1.png", "train/list.txt")
    assert list_class_files(tmp_path).passed_over == {"extra": NO_SPLIT, "train/list.txt": NO_CLASS}


def test_names_are_printable() -> None:
    assert printable("Ünï 写真 (1).png") == "Ünï 写真 (1).png"
    assert printable(os.fsdecode(b"caf\xe9.png")) == "caf\\xe9.png"
    assert printable("a\x1b[31m\n.png") == "a\\x1b[31m\\n.png"
