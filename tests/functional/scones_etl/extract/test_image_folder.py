import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import ChecksumMismatch, DatasetError, UnknownLabel
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_etl.extract.combined import Renamed
from scones_etl.extract.resolve import open_source
from scones_etl.image_format import ImageFormat
from scones_etl.pipeline import stage

CLASSES = LabelSet.of(["cat", "dog"])
SMALL = ImageFormat(16)


def picture(number: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "animals"
    for label in ("cat", "dog", "eel"):
        (root / label).mkdir(parents=True)
        for number in range(10):
            seed = number + 100 * len(list(root.iterdir()))
            picture(seed, (40 + number, 30)).save(root / label / f"{number}.jpg")
    return root


def test_a_folder_of_photographs_is_read_by_its_class_folders(folder: Path) -> None:
    raw = open_source(folder).read(CLASSES, SMALL)

    assert raw.images.shape == (20, 16, 16, 3)
    assert np.bincount(raw.labels).tolist() == [10, 10]
    assert raw.names[:2] == ("cat/0.jpg", "cat/1.jpg")
    assert not raw.has_test
    assert raw.ingest_stats.sizes == {f"{40 + n}x30": 2 for n in range(10)}
    with Image.open(folder / "dog" / "3.jpg") as image:
        image.draft(None, (32, 32))
        expected = np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(raw.images[raw.names.index("dog/3.jpg")], expected)


def test_rows_do_not_depend_on_the_classes_that_are_asked_for(folder: Path) -> None:
    source = open_source(folder)
    both, other = source.read(CLASSES, SMALL), source.read(LabelSet.of(["eel", "dog"]), SMALL)

    rows = dict(zip(both.names, both.rows.tolist(), strict=True))
    assert {n: r for n, r in zip(other.names, other.rows.tolist(), strict=True) if n in rows} == {
        n: r for n, r in rows.items() if n.startswith("dog")
    }


def test_files_that_are_no_image_are_listed_and_the_rest_is_read(folder: Path) -> None:
    whole = (folder / "cat" / "1.jpg").read_bytes()
    (folder / "cat" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "cat" / "empty.png").touch()
    (folder / "dog" / "notes.txt").write_text("good dogs")
    (folder / "dog" / ".hidden").write_text("x")
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    (folder / "dog" / "bomb.png").write_bytes(bomb.getvalue())

    raw = open_source(folder).read(CLASSES, SMALL)

    assert len(raw) == 20
    reasons = raw.ingest_stats.unreadable
    assert list(reasons) == ["cat/cut.jpg", "cat/empty.png", "dog/bomb.png", "dog/notes.txt"]
    assert "damaged" in reasons["cat/cut.jpg"]
    assert "empty" in reasons["cat/empty.png"]
    assert "pixels" in reasons["dog/bomb.png"]
    assert "not a PNG" in reasons["dog/notes.txt"]


def test_a_pipe_among_the_images_is_passed_over(folder: Path) -> None:
    os.mkfifo(folder / "cat" / "pipe.jpg")

    assert len(open_source(folder).read(CLASSES, SMALL)) == 20


def test_images_of_several_sizes_need_a_side(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"10 sizes; set dataset\.image_side"):
        open_source(folder).read(CLASSES)


def test_a_class_that_has_no_folder_is_answered_with_its_nearest(folder: Path) -> None:
    with pytest.raises(UnknownLabel, match="no class 'cats'; the nearest are cat"):
        open_source(folder).read(LabelSet.of(["cats", "dog"]), SMALL)


def test_a_class_without_readable_images_is_named(folder: Path) -> None:
    (folder / "fox").mkdir()
    (folder / "fox" / "x.jpg").write_text("x")

    with pytest.raises(DatasetError, match="no train images of the class 'fox'"):
        open_source(folder).read(LabelSet.of(["cat", "fox"]), SMALL)


def test_the_hash_follows_content_and_names_and_a_change_is_noticed(folder: Path) -> None:
    before = open_source(folder)
    (folder / "cat" / "1.jpg").rename(folder / "cat" / "one.jpg")
    renamed = open_source(folder)
    (folder / "dog" / "2.jpg").write_bytes((folder / "dog" / "3.jpg").read_bytes())

    assert len({before.sha256, renamed.sha256, open_source(folder).sha256}) == 3
    with pytest.raises(ChecksumMismatch, match="changed"):
        renamed.read(CLASSES, SMALL)


def test_train_and_test_folders_are_the_splits(folder: Path) -> None:
    for label in ("cat", "dog"):
        for split, numbers in (("train", range(8)), ("test", range(8, 10))):
            target = folder / split / label
            target.mkdir(parents=True)
            for number in numbers:
                (folder / label / f"{number}.jpg").rename(target / f"{number}.jpg")

    raw = open_source(folder).read(CLASSES, SMALL)

    assert raw.has_test
    assert raw.splits == ("train",) * 16 + ("test",) * 4
    assert raw.names[16] == "test/cat/8.jpg"
    assert raw.rows[16] == 0


SETTINGS = DatasetSettings(image_side=16, test_fraction=0.3, validation_fraction=0.3)


def test_test_images_are_drawn_by_the_seed_and_recorded_in_the_manifest(folder: Path) -> None:
    first = stage(open_source(folder), CLASSES, SETTINGS)
    other = stage(open_source(folder), CLASSES, DatasetSettings(**{**fields(), "seed": 1}))

    assert first.manifest.counts() == {
        "train": {"cat": 5, "dog": 5},
        "validation": {"cat": 2, "dog": 2},
        "test": {"cat": 3, "dog": 3},
    }
    assert first == stage(open_source(folder), CLASSES, SETTINGS)
    assert [r.source_name for r in first.manifest.split("test")] != [
        r.source_name for r in other.manifest.split("test")
    ]
    assert first.manifest.settings == {
        "seed": 0,
        "validation_fraction": 0.3,
        "test_fraction": 0.3,
        "image_side": 16,
    }


def fields() -> dict[str, Any]:
    return {"image_side": 16, "test_fraction": 0.3, "validation_fraction": 0.3}


@pytest.mark.parametrize(
    "change", [{"image_side": 24}, {"image_mode": "grey"}, {"test_fraction": 0.2}]
)
def test_each_setting_that_changes_images_or_splits_changes_the_version(
    folder: Path, change: dict[str, Any]
) -> None:
    source = open_source(folder)
    versions = {
        stage(source, CLASSES, DatasetSettings(**{**fields(), **given})).manifest.version
        for given in (dict[str, Any](), change)
    }

    assert len(versions) == 2


def test_grey_images_are_stored_with_one_channel(folder: Path) -> None:
    dataset = stage(open_source(folder), CLASSES, DatasetSettings(**fields(), image_mode="grey"))

    with Image.open(io.BytesIO(dataset.objects[dataset.manifest.rows[0].key])) as image:
        assert (image.mode, image.size) == ("L", (16, 16))


@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.01])
def test_a_test_fraction_that_leaves_a_split_empty_is_refused(
    folder: Path, fraction: float
) -> None:
    with pytest.raises(DatasetError, match=r"dataset\.test_fraction"):
        stage(open_source(folder), CLASSES, DatasetSettings(image_side=16, test_fraction=fraction))


def test_images_below_a_classs_folder_are_read_and_what_is_passed_over_is_listed(
    folder: Path,
) -> None:
    (folder / "cat" / "2024" / "05").mkdir(parents=True)
    picture(7000).save(folder / "cat" / "2024" / "05" / "deep.JPG")
    (folder / "cat" / "._deep.JPG").write_bytes(bytes(80))
    (folder / "notes.txt").touch()

    raw = open_source(folder).read(CLASSES, SMALL)

    assert "cat/2024/05/deep.JPG" in raw.names
    assert set(raw.ingest_stats.passed_over) == {"cat/._deep.JPG", "notes.txt"}


def test_a_name_that_is_not_utf_8_is_read_and_shown_escaped(folder: Path) -> None:
    picture(7001).save(folder / "cat" / os.fsdecode(b"caf\xe9.png"))
    (folder / "dog" / "bell\a.png").write_bytes(b"x")
    source = open_source(folder)

    raw = source.read(CLASSES, SMALL)

    assert "cat/caf\\xe9.png" in raw.names
    assert list(raw.ingest_stats.unreadable) == ["dog/bell\\x07.png"]
    manifest = stage(source, CLASSES, DatasetSettings(image_side=16)).manifest
    assert "caf\\\\xe9.png" in manifest.dumps()


@pytest.mark.parametrize("name", ["val", "VALID", "validation"])
def test_a_validation_split_of_the_source_is_kept(folder: Path, name: str) -> None:
    for split, first in (("train", 0), (name, 6)):
        for label in ("cat", "dog"):
            (folder / split / label).mkdir(parents=True)
            for number in range(first, 10 if first else 6):
                (folder / label / f"{number}.jpg").rename(folder / split / label / f"{number}.jpg")
    for label in ("cat", "dog", "eel"):
        for file in (folder / label).iterdir():
            file.unlink()
        (folder / label).rmdir()
    settings = DatasetSettings(image_side=16, test_fraction=0.3)

    manifest = stage(open_source(folder), CLASSES, settings).manifest

    assert {split: counts["cat"] for split, counts in manifest.counts().items()} == {
        "train": 4,
        "validation": 4,
        "test": 2,
    }
    assert {row.source_name.split("/")[0] for row in manifest.split("validation")} == {name}
    assert "validation_fraction" not in manifest.settings


def test_a_huge_file_among_the_images_is_listed_without_being_read(folder: Path) -> None:
    with (folder / "cat" / "huge.png").open("wb") as file:
        file.truncate(200 << 30)

    raw = open_source(folder).read(CLASSES, SMALL)

    assert "more than 67,108,864 bytes" in raw.ingest_stats.unreadable["cat/huge.png"]


def test_a_list_of_other_columns_next_to_class_folders_is_no_list_of_labels(folder: Path) -> None:
    (folder / "labels.csv").write_text("id,breed\n000bec,cat\n")

    raw = open_source(folder).read(CLASSES, SMALL)

    assert len(raw) == 20
    assert list(raw.ingest_stats.passed_over) == ["labels.csv"]


def test_folders_are_mapped_to_class_names_several_to_one(folder: Path) -> None:
    source = Renamed(
        open_source(folder), {"cat": "small_pet", "eel": "small_pet", "dog": "big_pet"}
    )

    raw = source.read(LabelSet.of(["big_pet", "small_pet"]), SMALL)

    assert source.class_names() == ("small_pet", "big_pet")
    assert np.bincount(raw.labels).tolist() == [10, 20]
    assert {
        name.split("/")[0] for name, index in zip(raw.names, raw.labels, strict=True) if index
    } == {
        "cat",
        "eel",
    }
    assert source.sha256 != open_source(folder).sha256
    with pytest.raises(UnknownLabel, match="has no class 'cats'; the nearest are cat"):
        Renamed(open_source(folder), {"cats": "pet"})


def test_a_setting_names_a_folder_in_any_form_of_unicode(folder: Path) -> None:
    (folder / "eel").rename(folder / "cafe\u0301")
    source = Renamed(open_source(folder), {"caf\u00e9": "cafe"})
    assert "cafe" in source.class_names()


def test_a_file_that_cannot_be_opened_is_listed_with_its_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next((folder / "eel").iterdir()).name
    opened = Path.open

    def refused(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == name and path.parent.name == "eel":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refused)
    source = open_source(folder)
    raw = source.read(LabelSet.of(source.class_names()), ImageFormat(16))
    reason = "the image cannot be read: Permission denied"
    assert raw.ingest_stats.unreadable[f"eel/{name}"] == reason
