"""CIFAR however it was packed again: the same members with the same content are one dataset."""

import io
import os
import pickle
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from tarfile import TarFile
from typing import Any

import numpy as np
import pytest

from scones_core.errors import ChecksumMismatch, DatasetError, MalformedDataset
from scones_core.labels import LabelSet
from scones_etl.extract.resolve import open_source
from tests.functional.scones_etl.conftest import Archives

CLASSES = LabelSet.of(["class3", "class7"])
NAME = "cifar-10-batches-py"


@pytest.fixture
def folder(archives: Archives, tmp_path: Path) -> Path:
    """CIFAR-10 as it lies there unpacked."""
    with tarfile.open(archives.write_cifar10()) as archive:
        archive.extractall(tmp_path, filter="data")
    for path in (tmp_path / NAME, *(tmp_path / NAME).iterdir()):
        os.utime(path, (1e9, 1e9))  # A zip knows no time before 1980.
    return tmp_path / NAME


def added(
    tar: TarFile, name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    tar.addfile(info, io.BytesIO(content))


GNU_TAR = {
    "plain": [NAME],
    "dot": [f"./{NAME}"],
    "parent": ["."],
    "pax": ["--format=pax", NAME],
    "inside": ["-C", NAME, "."],
}


@pytest.mark.parametrize("arguments", GNU_TAR.values(), ids=GNU_TAR)
def test_an_archive_of_gnu_tar_is_read(
    archives: Archives, folder: Path, arguments: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected = open_source(archives.write_cifar10()).read(CLASSES)
    (folder.parent / "cifar-10-python.tar.gz").unlink()
    packed = tmp_path_factory.mktemp("packed") / "again.tgz"
    subprocess.run(["tar", "czf", packed, *arguments], cwd=folder.parent, check=True)

    raw = open_source(packed).read(CLASSES)

    np.testing.assert_array_equal(raw.images, expected.images)
    assert raw.splits == expected.splits


@pytest.mark.parametrize("kind", ["zip", "tar", "xztar", "bztar", "gztar"])
def test_an_archive_of_every_kind_is_read(folder: Path, tmp_path: Path, kind: str) -> None:
    packed = shutil.make_archive(str(tmp_path / "again"), kind, folder.parent, NAME)

    assert open_source(tmp_path / packed).kind == "cifar10"
    assert len(open_source(tmp_path / packed).read(CLASSES)) == 12


def test_an_unpacked_folder_and_the_folder_above_it_are_read(folder: Path) -> None:
    (folder.parent / "cifar-10-python.tar.gz").unlink()

    inside, above = open_source(folder), open_source(folder.parent)

    assert len(inside.read(CLASSES)) == 12
    assert above.sha256 == inside.sha256
    (folder / "test_batch").write_bytes((folder / "data_batch_1").read_bytes())
    with pytest.raises(ChecksumMismatch, match="changed"):
        inside.read(CLASSES)


def test_files_that_a_mac_leaves_next_to_the_members_are_ignored(
    folder: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "mac.tgz", "w:gz") as tar:
        added(tar, "._" + NAME, bytes(200))
        for path in sorted(folder.iterdir()):
            added(tar, f"{NAME}/._{path.name}", bytes(200))
            tar.add(path, f"{NAME}/{path.name}")

    assert len(open_source(tmp_path / "mac.tgz").read(CLASSES)) == 12


@pytest.mark.parametrize("protocol", range(6))
def test_tables_of_every_pickle_protocol_are_read(
    archives: Archives, tmp_path: Path, protocol: int
) -> None:
    names = [f"class{number}" for number in range(10)]
    rows = 300
    members = {"batches.meta": pickle.dumps({"label_names": names}, protocol=protocol)}
    for number, batch in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        table = {
            "labels": [row % 10 for row in range(rows)],
            "filenames": [f"{batch}_{row}.png" for row in range(rows)],
            "data": np.random.default_rng(number).integers(0, 256, (rows, 3072), np.uint8),
        }
        members[batch] = pickle.dumps(table, protocol=protocol)
    path = archives.pack("new.tgz", NAME, members)

    raw = open_source(path).read(CLASSES)

    assert len(raw) == 6 * rows // 5
    first = np.random.default_rng(0).integers(0, 256, (rows, 3072), np.uint8)[3]
    np.testing.assert_array_equal(raw.images[0], first.reshape(3, 32, 32).transpose(1, 2, 0))


@pytest.mark.parametrize(
    "change",
    [
        lambda table: {**table, "labels": np.array(table["labels"])},
        lambda table: {**table, "labels": list(np.array(table["labels"]))},
        lambda table: {**table, "labels": tuple(table["labels"])},
        lambda table: {**table, "filenames": np.array(table["filenames"])},
        lambda table: {name: table[name] for name in ("labels", "data")},
        lambda table: {**table, "data": np.asfortranarray(table["data"])},
    ],
    ids=["array", "numbers", "tuple", "names", "no names", "fortran"],
)
def test_tables_that_were_cut_with_numpy_are_read(
    archives: Archives, folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    members = {path.name: path.read_bytes() for path in folder.iterdir()}
    expected = open_source(archives.write_cifar10()).read(CLASSES)
    for name in members.keys() - {"batches.meta"}:
        table = pickle.loads(members[name], encoding="bytes")  # noqa: S301 - made by this test
        texts = {key.decode() if isinstance(key, bytes) else key: v for key, v in table.items()}
        members[name] = pickle.dumps(change(texts), protocol=4)

    raw = open_source(archives.pack("cut.tgz", NAME, members)).read(CLASSES)

    np.testing.assert_array_equal(raw.images, expected.images)
    np.testing.assert_array_equal(raw.labels, expected.labels)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["data_batch_1.bin", "batches.meta.txt"], "is the binary version of CIFAR; download"),
        (["train.bin", "test.bin"], "is the binary version"),
        (["data_batch_1.mat"], "is the Matlab version"),
        (["cifar-10-python.tar.gz"], "holds another archive, cifar-10-python.tar.gz; unpack it"),
        (["train-images-idx3-ubyte.gz"], "is an archive of MNIST's files; unpack it"),
        (["x_train.npy", "y.npy"], "none of CIFAR's members.* but x_train.npy, y.npy"),
        ([], "and is empty"),
    ],
)
def test_what_an_archive_is_instead_of_cifar_is_named(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in names:
            archive.writestr(f"folder/{name}", b"x")

    with pytest.raises(MalformedDataset, match=message):
        open_source(tmp_path / "x.zip")


def test_a_folder_with_nothing_but_an_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"x")

    with pytest.raises(DatasetError, match=r"It holds photos\.zip: unpack it, or give it itself"):
        open_source(tmp_path)


@pytest.mark.parametrize("kind", ["zip", "tar", "xztar", "gztar"])
def test_an_archive_of_pictures_is_to_be_unpacked(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in" / "van").mkdir(parents=True)
    (tmp_path / "in" / "van" / "1.JPG").write_bytes(b"x")
    packed = shutil.make_archive(str(tmp_path / "photos"), kind, tmp_path / "in")

    with pytest.raises(MalformedDataset, match="unpack it and give the folder") as caught:
        open_source(tmp_path / packed)
    assert "again" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_batch": None}, "has no test_batch; is it another archive"),
        ({"again/test_batch": b"x"}, "it has test_batch twice"),
        ({"../test_batch": b"x"}, "points outside"),
        ({"batches.meta": bytes((1 << 20) + 1)}, "batches.meta has 1,048,577 bytes"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    members = {path.name: path.read_bytes() for path in folder.iterdir()} | change
    with tarfile.open(tmp_path / "odd.tgz", "w:gz") as tar:
        for name, content in members.items():
            if content is not None:
                added(tar, f"{NAME}/{name}" if "../" not in name else name, content)

    with pytest.raises(DatasetError, match=message):
        open_source(tmp_path / "odd.tgz").read(CLASSES)


def test_a_link_in_place_of_a_member_is_refused(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "odd.tgz", "w:gz") as tar:
        tar.add(folder / "batches.meta", "batches.meta")
        added(tar, "data_batch_1", kind=tarfile.SYMTYPE, link="/etc/passwd")

    with pytest.raises(MalformedDataset, match="not a file or folder"):
        open_source(tmp_path / "odd.tgz").read(CLASSES)


def test_a_zip_that_is_encrypted_says_so(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "batches.meta", "batches.meta")
    body = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + at] |= 1
    path.write_bytes(body)

    with pytest.raises(MalformedDataset, match="encrypted"):
        open_source(path)


@pytest.mark.parametrize("make", ["fifo", "device"])
def test_a_source_that_never_ends_is_refused_at_once(tmp_path: Path, make: str) -> None:
    path = tmp_path / "endless"
    if make == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")

    with pytest.raises(DatasetError, match="not a regular file or folder"):
        open_source(path)
