import os
from pathlib import Path

import pytest

from scones_core.image_folders import (
    HIDDEN,
    LINKED_FOLDER,
    NO_CLASS,
    NO_FILE,
    NO_SPLIT,
    list_class_files,
    printable,
)


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
