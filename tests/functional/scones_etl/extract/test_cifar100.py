import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones_core.errors import (
    ChecksumMismatch,
    DatasetError,
    MalformedDataset,
    UnknownLabel,
)
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_etl.extract.cifar import CifarArchive
from scones_etl.extract.source import RawDataset
from scones_etl.pipeline import stage
from tests.functional.scones_etl.conftest import FINE, Archives, dumps

VEHICLES = LabelSet.of(["bicycle", "motorcycle"])

# All classes of CIFAR-100, in the order of the archive.
NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
ALL_FINE = NAMES.split()


def read(path: Path, classes: LabelSet = VEHICLES) -> RawDataset:
    return CifarArchive.open(path).read(classes)


def test_an_archive_gives_balanced_images_of_the_asked_classes(archive: Path) -> None:
    started = time.monotonic()
    raw = read(archive)
    seconds = time.monotonic() - started

    splits = np.array(raw.splits)
    for split in ("train", "test"):
        bicycles, motorcycles = np.bincount(raw.labels[splits == split], minlength=2)
        assert bicycles == motorcycles > 0
    assert raw.images.shape == (len(raw.labels), 32, 32, 3)
    assert raw.images.dtype == np.uint8
    assert raw.images.std() > 10
    assert all(name.endswith(".png") for name in raw.names)
    assert seconds < 5


@pytest.mark.parametrize("python", [2, 3])
def test_planes_become_pixels_and_rows_names_and_labels_stay_together(
    archives: Archives, python: int
) -> None:
    raw = read(archives.write(python=python))

    table = archives.train
    at = raw.names.index(table["filenames"][5])
    assert (raw.splits[at], raw.rows[at], raw.labels[at]) == ("train", 5, 1)
    np.testing.assert_array_equal(
        raw.images[at], table["data"][5].reshape(3, 32, 32).transpose(1, 2, 0)
    )


def test_labels_follow_the_order_that_was_asked_for(archives: Archives) -> None:
    path = archives.write()

    turned = read(path, LabelSet.of(["motorcycle", "bicycle"]))

    np.testing.assert_array_equal(turned.labels, 1 - read(path).labels)


def test_any_other_class_can_be_read(archives: Archives) -> None:
    raw = read(archives.write(), LabelSet.of(["rose", "bicycle", "motorcycle"]))

    assert np.bincount(raw.labels).tolist() == [28, 28, 28]


def test_five_vehicles_of_all_hundred_classes_are_staged(archives: Archives) -> None:
    archives.meta["fine_label_names"] = ALL_FINE
    random = np.random.default_rng(0)
    for table, per_class in ((archives.train, 10), (archives.test, 2)):
        labels = random.permutation(np.repeat(np.arange(100), per_class))
        pixels = random.integers(0, 100, (len(labels), 3072))
        # Of each class the first pixel is its number.
        pixels[:, 0] = labels
        table["fine_labels"], table["coarse_labels"] = labels.tolist(), [0] * len(labels)
        table["filenames"] = [f"{ALL_FINE[label]}_{row}.png" for row, label in enumerate(labels)]
        table["data"] = pixels.astype(np.uint8)
    wanted = LabelSet.of(["bicycle", "motorcycle", "bus", "pickup_truck", "streetcar"])

    raw = read(archives.write(), wanted)
    manifest = stage(CifarArchive.open(archives.write()), wanted, DatasetSettings()).manifest

    numbers = [ALL_FINE.index(name) for name in wanted]
    assert [numbers[label] for label in raw.labels] == raw.images[:, 0, 0, 0].tolist()
    assert np.bincount(raw.labels).tolist() == [12] * 5
    assert manifest.counts()["train"] == dict.fromkeys(wanted, 9)
    assert manifest.counts()["test"] == dict.fromkeys(wanted, 2)


def test_an_unknown_class_is_answered_with_its_nearest(archives: Archives) -> None:
    with pytest.raises(UnknownLabel, match=r"no class 'motorbike'; the nearest are .*motorcycle"):
        read(archives.write(), LabelSet.of(["bicycle", "motorbike"]))


def test_a_class_without_rows_is_named(archives: Archives) -> None:
    with pytest.raises(DatasetError, match="no train images of the class 'bus'"):
        read(archives.write(), LabelSet.of(["bicycle", "bus"]))


def without_last(values: Any) -> Any:
    return values[:-1]


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("fine_labels", without_last),
        ("fine_labels", lambda labels: [*labels[:-1], 8]),
        ("fine_labels", lambda labels: [*labels[:-1], -1]),
        ("fine_labels", lambda labels: [*labels[:-1], True]),
        ("fine_labels", lambda labels: [*labels[:-1], "3"]),
        ("fine_labels", lambda _: None),
        ("filenames", without_last),
        ("filenames", lambda names: [*names[:-1], 7]),
        ("filenames", lambda names: [*names[:-1], "\x1b[2J"]),
        ("data", without_last),
        ("data", lambda data: data.astype(np.int16)),
        ("data", lambda data: data.astype(np.int8)),
        ("data", lambda data: data[:, :3071]),
        ("data", lambda data: data.reshape(-1, 3, 32, 32)),
        ("data", lambda data: data.tolist()),
    ],
)
def test_a_table_whose_parts_do_not_fit_is_refused(
    archives: Archives, key: str, change: Callable[[Any], Any]
) -> None:
    archives.train[key] = change(archives.train[key])

    with pytest.raises(MalformedDataset, match="gz: train"):
        read(archives.write())


@pytest.mark.parametrize("names", [[], None, ["bicycle", "bicycle", "motorcycle"], [1, 2]])
def test_class_names_that_are_none_are_refused(
    archives: Archives, names: list[int | str] | None
) -> None:
    archives.meta["fine_label_names"] = names

    with pytest.raises(MalformedDataset, match="gz: meta"):
        read(archives.write())


class Gadget:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("member", ["train", "test", "meta"])
def test_a_command_in_a_pickle_is_not_run(archives: Archives, member: str) -> None:
    marker = archives.folder / "ran"
    evil = pickle.dumps({"fine_label_names": Gadget(f"touch {marker}")}, protocol=2)

    members: dict[str, Any] = {member: evil}

    with pytest.raises(MalformedDataset, match="system"):
        read(archives.write(**members))

    assert not marker.exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_archive_is_refused(archives: Archives, kept: float) -> None:
    path = archives.write()
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])

    with pytest.raises(MalformedDataset, match="cannot be read as an archive"):
        read(path)


def test_an_altered_byte_is_noticed(archives: Archives) -> None:
    path = archives.write()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))

    with pytest.raises(MalformedDataset):
        read(path)


def test_nothing_is_unpacked_to_the_disk(archives: Archives) -> None:
    path = archives.write()

    read(path)

    assert list(archives.folder.iterdir()) == [path]


def test_an_archive_that_changes_after_it_was_hashed_is_refused(archives: Archives) -> None:
    source = CifarArchive.open(archives.write())
    before = source.sha256
    archives.train["batch_label"] = "another"
    archives.write()

    with pytest.raises(ChecksumMismatch, match="changed"):
        source.read(VEHICLES)
    assert source.sha256 == before


def test_the_hash_is_of_what_was_read(archives: Archives) -> None:
    path = archives.write()
    source, expected = CifarArchive.open(path), CifarArchive.open(path).sha256
    source.read(VEHICLES)
    path.write_bytes(b"")

    assert source.sha256 == expected


@pytest.mark.parametrize("order", [("train", "test", "meta"), ("meta", "test", "train")])
@pytest.mark.parametrize(
    "classes", [("rose", "apple"), ("rose", "bicycle"), ("motorcycle", "bicycle", "rose")]
)
def test_every_pixel_comes_to_its_place_in_whatever_order_the_archive_has(
    archives: Archives, order: tuple[str, str, str], classes: tuple[str, ...]
) -> None:
    archives.train, archives.test = archives.table(500, 3), archives.table(200, 4)
    for part in (archives.train, archives.test):
        part["fine_labels"][-1] = FINE.index("apple")
    members = {name: dumps(getattr(archives, name)) for name in order}
    path = archives.pack("ordered.tar.gz", "cifar-100-python", members)

    raw = read(path, LabelSet.of(classes))

    wanted = [FINE.index(name) for name in classes]
    planes = np.concatenate(
        [
            part["data"][np.isin(part["fine_labels"], wanted)]
            for part in (archives.train, archives.test)
        ]
    )
    np.testing.assert_array_equal(raw.images, planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def test_an_archive_that_vanishes_is_named(archives: Archives) -> None:
    path = archives.write()
    source = CifarArchive.open(path)
    path.unlink()

    with pytest.raises(DatasetError, match=str(path)):
        source.read(VEHICLES)
