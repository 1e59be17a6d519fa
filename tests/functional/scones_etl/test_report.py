import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_etl.extract.cifar import CifarArchive
from scones_etl.extract.resolve import open_source
from scones_etl.pipeline import StagedDataset, stage
from scones_etl.report import report, write_report
from tests.functional.scones_etl.conftest import Archives

VEHICLES = LabelSet.of(["bicycle", "motorcycle"])


def staged(archives: Archives) -> StagedDataset:
    return stage(CifarArchive.open(archives.write()), VEHICLES, DatasetSettings())


def test_the_report_counts_what_the_manifest_lists(archives: Archives) -> None:
    found = report(staged(archives))

    assert found["balance"] == {
        "images": 56,
        "by_split": {
            "train": {"bicycle": 18, "motorcycle": 18},
            "validation": {"bicycle": 2, "motorcycle": 2},
            "test": {"bicycle": 8, "motorcycle": 8},
        },
        "by_class": {"bicycle": 28, "motorcycle": 28},
        "share": {"bicycle": 0.5, "motorcycle": 0.5},
        "ratio": 1.0,
    }
    assert found["sizes"] == {"source": {"32x32": 56}, "stored": {"32x32": 56}}
    assert found["unreadable"] == {"count": 0, "files": {}}
    assert found["duplicates"]["count"] == found["near_duplicates"]["count"] == 0


def test_equal_images_are_named_and_nearly_equal_ones_paired_but_kept(archives: Archives) -> None:
    pixels = archives.train["data"]
    pixels[3] = pixels[0]
    smooth = np.repeat(np.arange(0, 256, 8, dtype=np.uint8), 32)
    archives.test["data"][0] = np.tile(smooth, 3)
    pixels[6] = np.tile(smooth, 3) + 1

    dataset = staged(archives)
    found = report(dataset)

    assert found["duplicates"]["groups"] == [
        [f"train/{archives.train['filenames'][n]}" for n in (0, 3)]
    ]
    assert found["duplicates"]["removed"] == {"repeated": 1, "leaked": 0, "conflicting": 0}
    (pair,) = found["near_duplicates"]["pairs"]
    assert {image["source_name"] for image in pair["images"]} == {
        archives.train["filenames"][6],
        archives.test["filenames"][0],
    }
    assert {image["key"] for image in pair["images"]} <= {row.key for row in dataset.manifest.rows}


def test_unreadable_files_and_uneven_classes_are_reported(tmp_path: Path) -> None:
    for label, count in (("cat", 12), ("dog", 6)):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng(count * 100 + number).integers(0, 256, (8, 9, 3))
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(tmp_path / "pets" / label / f"{number}.png")
    (tmp_path / "pets" / "cat" / "broken.png").write_bytes(b"\x89PNG")
    settings = DatasetSettings(image_side=16, validation_fraction=0.25)

    found = report(stage(open_source(tmp_path / "pets"), LabelSet.of(["cat", "dog"]), settings))

    assert list(found["unreadable"]["files"]) == ["cat/broken.png"]
    assert found["balance"]["ratio"] == 2.0
    assert found["sizes"] == {"source": {"9x8": 18}, "stored": {"16x16": 18}}


def test_the_report_is_written_with_a_sheet_for_each_class(
    archives: Archives, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "tractor.png").touch()

    content = write_report(staged(archives), folder)

    assert {path.name for path in folder.iterdir()} == {
        "report.json",
        "bicycle.png",
        "motorcycle.png",
    }
    assert json.loads((folder / "report.json").read_text()) == content
    with Image.open(folder / "bicycle.png") as sheet:
        assert sheet.size == (662, 200)


def test_the_same_dataset_gives_the_same_files(archives: Archives, tmp_path: Path) -> None:
    dataset = staged(archives)
    for name in ("one", "two"):
        write_report(dataset, tmp_path / name)

    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()


def test_a_folder_that_cannot_be_written_is_an_error(archives: Archives, tmp_path: Path) -> None:
    (tmp_path / "report").touch()

    with pytest.raises(DatasetError, match="report"):
        write_report(staged(archives), tmp_path / "report")
