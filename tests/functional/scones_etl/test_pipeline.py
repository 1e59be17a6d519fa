import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.manifest import Manifest
from scones_core.settings import DatasetSettings
from scones_etl.extract.cifar import CifarArchive
from scones_etl.extract.synthetic import Synthetic
from scones_etl.pipeline import StagedDataset, stage
from tests.functional.scones_etl.conftest import Archives

VEHICLES = LabelSet.of(["bicycle", "motorcycle"])
SETTINGS = DatasetSettings()


@pytest.fixture
def source(archive: Path) -> CifarArchive:
    return CifarArchive.open(archive)


@pytest.fixture
def dataset(source: CifarArchive) -> StagedDataset:
    return stage(source, VEHICLES, SETTINGS)


def test_every_image_is_the_pixels_of_its_source_row_under_its_own_hash(
    source: CifarArchive, dataset: StagedDataset
) -> None:
    raw = source.read(VEHICLES)
    at = {(s, int(r)): n for n, (s, r) in enumerate(zip(raw.splits, raw.rows, strict=True))}

    for row in dataset.manifest.rows:
        png = dataset.objects[row.key]
        index = at["test" if row.split == "test" else "train", row.source_row]
        assert hashlib.sha256(png).hexdigest() == row.sha256
        assert row.key.endswith(f"/{row.split}/{row.label}/{row.sha256[:16]}.png")
        assert VEHICLES.index(row.label) == raw.labels[index]
        assert row.source_name == raw.names[index]
        with Image.open(io.BytesIO(png)) as image:
            np.testing.assert_array_equal(np.asarray(image), raw.images[index])


def test_each_source_image_is_in_one_split_or_counted_as_dropped(
    source: CifarArchive, dataset: StagedDataset
) -> None:
    rows = dataset.manifest.rows

    assert len(rows) + dataset.removed.total == len(source.read(VEHICLES))
    assert len({row.sha256 for row in rows}) == len(rows)
    assert len(dataset.objects) == len(rows) + 3
    counts = dataset.manifest.counts()
    assert counts["validation"]["bicycle"] == round(
        0.1 * (counts["train"]["bicycle"] + counts["validation"]["bicycle"])
    )


def test_the_lists_name_every_image_of_their_channel(dataset: StagedDataset) -> None:
    prefix = f"dataset/{dataset.manifest.version}"
    for split in ("train", "validation", "test"):
        lines = dataset.objects[f"{prefix}/{split}_lst/{split}.lst"].decode().splitlines()
        fields = [line.split("\t") for line in lines]

        assert len({number for number, _, _ in fields}) == len(fields)
        assert {f"{prefix}/{split}/{path}" for _, _, path in fields} == {
            row.key for row in dataset.manifest.split(split)
        }
        assert all(VEHICLES.names[int(c)] == path.split("/")[0] for _, c, path in fields)


def test_the_same_input_gives_the_same_bytes_and_version(
    source: CifarArchive, dataset: StagedDataset
) -> None:
    again = stage(source, VEHICLES, SETTINGS)

    assert again == dataset
    assert again.manifest.dumps() == dataset.manifest.dumps()


@pytest.mark.parametrize("change", [{"seed": 1}, {"validation_fraction": 0.2}])
def test_other_settings_give_another_version(
    source: CifarArchive, dataset: StagedDataset, change: dict[str, Any]
) -> None:
    other = stage(source, VEHICLES, DatasetSettings(**change))

    assert other.manifest.version != dataset.manifest.version


def test_the_manifest_says_where_the_images_came_from(
    source: CifarArchive, dataset: StagedDataset
) -> None:
    body = Manifest.loads(dataset.manifest.dumps())

    assert body.source == {"kind": "cifar100", "name": source.path.name, "sha256": source.sha256}
    assert body.settings == {"seed": 0, "validation_fraction": 0.1}
    assert body.classes == ("bicycle", "motorcycle")


def test_progress_counts_every_image(source: CifarArchive) -> None:
    seen = []

    dataset = stage(source, VEHICLES, SETTINGS, progress=lambda *step: seen.append(step))

    total = len(dataset.manifest.rows)
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_train_images_that_are_test_images_are_dropped_and_counted(archives: Archives) -> None:
    archives.train["data"][0] = archives.test["data"][0]
    archives.train["data"][3] = archives.train["data"][2]

    dataset = stage(CifarArchive.open(archives.write()), VEHICLES, SETTINGS)

    assert (dataset.removed.leaked, dataset.removed.conflicting) == (1, 2)
    left = {row.source_row for row in dataset.manifest.rows if row.split != "test"}
    assert left.isdisjoint({0, 2, 3})


def test_a_class_name_that_would_leave_its_folder_is_refused() -> None:
    with pytest.raises(DatasetError, match="cannot be part of an S3 key"):
        stage(Synthetic(), LabelSet.of(["bicycle", "../../x"]), SETTINGS)


def test_recordio_is_written_when_it_is_asked_for_and_holds_the_listed_images(
    source: CifarArchive, dataset: StagedDataset
) -> None:
    other = stage(source, VEHICLES, DatasetSettings(recordio=True))

    assert other.manifest.settings["recordio"] is True
    assert other.manifest.version != dataset.manifest.version
    prefix = f"dataset/{other.manifest.version}"
    for split in ("train", "validation", "test"):
        rec = other.objects[f"{prefix}/{split}_rec/{split}.rec"]
        idx = other.objects[f"{prefix}/{split}_idx/{split}.idx"].decode().splitlines()
        lst = other.objects[f"{prefix}/{split}_lst/{split}.lst"].decode().splitlines()
        assert len(idx) == len(lst) == len(other.manifest.split(split))
        for place, line in zip(idx, lst, strict=True):
            number, at = map(int, place.split("\t"))
            assert line.split("\t")[0] == str(number)
            label, path = line.split("\t")[1:]
            png = other.objects[f"{prefix}/{split}/{path}"]
            magic, length = struct.unpack_from("<II", rec, at)
            assert (magic, length >> 29, length) == (0xCED7230A, 0, 24 + len(png))
            assert struct.unpack_from("<IfQQ", rec, at + 8) == (0, float(label), number, 0)
            assert rec[at + 32 : at + 32 + len(png)] == png


def test_more_test_images_than_a_model_keeps_answers_for_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scones_etl.pipeline.PREDICTION_VALUES", 7)
    source = Synthetic(train_per_class=10, test_per_class=2)
    with pytest.raises(DatasetError, match=r"4 test images of 2 classes .* have at most 3"):
        stage(source, LabelSet.of(["bicycle", "motorcycle"]), DatasetSettings())
