import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scones_core.errors import ChecksumMismatch, DatasetError, MalformedDataset, UnknownLabel
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_etl.extract.resolve import open_source
from scones_etl.pipeline import stage

DIGITS = LabelSet.of(["7", "3"])


def write(
    folder: Path, prefix: str, count: int, *, packed: bool = False, labels: bytes | None = None
) -> NDArray[np.uint8]:
    """Write a pair by the format's own words: zeros, type, axes, sizes, values."""
    values = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    digits = bytes(n % 10 for n in range(count)) if labels is None else labels
    sizes = count.to_bytes(4, "big")
    side = (28).to_bytes(4, "big")
    pair = {
        f"{prefix}images-idx3-ubyte": b"\0\0\x08\x03" + sizes + side + side + values.tobytes(),
        f"{prefix}labels-idx1-ubyte": b"\0\0\x08\x01" + len(digits).to_bytes(4, "big") + digits,
    }
    for name, content in pair.items():
        path = folder / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(content) if packed else content)
    return values


@pytest.mark.parametrize("packed", [True, False])
def test_both_pairs_are_the_splits_and_digits_the_classes(tmp_path: Path, packed: bool) -> None:
    train = write(tmp_path, "train-", 40, packed=packed)
    test = write(tmp_path, "t10k-", 20, packed=packed)

    raw = open_source(tmp_path).read(DIGITS)

    assert raw.splits == ("train",) * 8 + ("test",) * 4
    assert raw.rows.tolist() == [3, 7, 13, 17, 23, 27, 33, 37, 3, 7, 13, 17]
    assert raw.labels.tolist() == [1, 0] * 6
    assert raw.names[0] == "train-00003"
    for channel in range(3):
        np.testing.assert_array_equal(raw.images[1, :, :, channel], train[7])
        np.testing.assert_array_equal(raw.images[-1, :, :, channel], test[17])


def test_packing_does_not_change_the_hash(tmp_path: Path) -> None:
    for name in ("packed", "plain"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "train-", 20, packed=name == "packed")

    assert open_source(tmp_path / "packed").sha256 == open_source(tmp_path / "plain").sha256


def test_one_pair_alone_is_split_by_the_seed(tmp_path: Path) -> None:
    write(tmp_path, "t10k-", 200)
    settings = DatasetSettings(image_mode="grey")

    for source in (open_source(tmp_path), open_source(tmp_path / "t10k-images-idx3-ubyte")):
        counts = stage(source, DIGITS, settings).manifest.counts()
        assert {split: count["7"] for split, count in counts.items()} == {
            "train": 14,
            "validation": 2,
            "test": 4,
        }


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-", "test-"),
        ("emnist-digits-train-", "emnist-digits-test-"),
        ("kmnist_train.", "x-T10K-"),
    ],
)
def test_relatives_of_mnist_keep_their_test_split(tmp_path: Path, train: str, test: str) -> None:
    write(tmp_path, train, 40)
    write(tmp_path, test, 20)

    assert open_source(tmp_path).read(DIGITS).splits == ("train",) * 8 + ("test",) * 4


def test_two_datasets_in_one_folder_have_no_test_split(tmp_path: Path) -> None:
    for prefix in ("a-train-", "b-train-", "a-test-"):
        write(tmp_path, prefix, 20)

    assert not open_source(tmp_path).read(DIGITS).has_test


def test_a_class_that_is_no_digit_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, "train-", 20)

    with pytest.raises(UnknownLabel, match="'ten'"):
        open_source(tmp_path).read(LabelSet.of(["1", "ten"]))


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "train-", 20)
    (tmp_path / "train-labels-idx1-ubyte").unlink()

    with pytest.raises(DatasetError, match="put train-labels-idx1-ubyte there"):
        open_source(tmp_path)


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "train-", 20)
    write(tmp_path, "train-", 20, packed=True)

    with pytest.raises(DatasetError, match="twice"):
        open_source(tmp_path)


@pytest.mark.parametrize("labels", [bytes(19), bytes([10] * 20)], ids=["one too few", "above nine"])
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: bytes) -> None:
    write(tmp_path, "train-", 20, labels=labels)

    with pytest.raises(MalformedDataset, match="labels"):
        open_source(tmp_path).read(DIGITS)


@pytest.mark.parametrize(
    "header",
    [b"", b"\0\0\x0d\x03" + bytes(12), b"\0\0\x08\x01" + bytes(12), b"\0\0\x08\x03" + b"\xff" * 12],
    ids=["empty", "float", "axes", "huge"],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, header: bytes) -> None:
    write(tmp_path, "train-", 20)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(header + path.read_bytes()[len(header) :] if header else b"")

    with pytest.raises(MalformedDataset, match="train-images"):
        open_source(tmp_path).read(DIGITS)


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "train-", 20, packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(MalformedDataset, match="damaged gzip"):
        open_source(tmp_path)


def test_a_change_between_opening_and_reading_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "train-", 20)
    source = open_source(tmp_path)
    write(tmp_path, "train-", 30)

    with pytest.raises(ChecksumMismatch, match="changed"):
        source.read(DIGITS)
