import io
import tarfile
from pathlib import Path

import pytest

from local_aws.sagemaker.archives import UnsafeArchive, pack, unpack


def archive_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_a_packed_folder_unpacks_to_the_same_files(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "source"
    (source / "code").mkdir(parents=True)
    (source / "model.onnx").write_bytes(b"weights")
    (source / "code/inference.py").write_bytes(b"pass")

    pack(source, tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", target)

    assert (target / "model.onnx").read_bytes() == b"weights"
    assert (target / "code/inference.py").read_bytes() == b"pass"


@pytest.mark.parametrize(
    "bad",
    [
        member("../outside"),
        member("/etc/outside"),
        member("a/../../outside"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("hard", tarfile.LNKTYPE, "model.onnx"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
    ],
    ids=lambda info: info.name,
)
def test_a_member_that_reaches_outside_or_is_no_file_is_refused(
    tmp_path: Path, target: Path, bad: tarfile.TarInfo
) -> None:
    archive = archive_of(tmp_path / "bad.tar.gz", (bad, b""))

    with pytest.raises(UnsafeArchive, match=bad.name.rsplit("/", maxsplit=1)[-1]):
        unpack(archive, target)

    assert list(target.iterdir()) == []
    assert not (tmp_path / "outside").exists()


def test_too_many_bytes_or_members_are_refused(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path / "big.tar.gz", (member("a"), b"12345"), (member("b"), b"6"))

    with pytest.raises(UnsafeArchive, match="5 bytes"):
        unpack(archive, target, max_bytes=5)
    with pytest.raises(UnsafeArchive, match="1 members"):
        unpack(archive, target, max_members=1)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_refused(tmp_path: Path, target: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)

    with pytest.raises(UnsafeArchive, match="cannot be unpacked"):
        unpack(path, target)


def test_a_truncated_archive_is_refused(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path / "cut.tar.gz", (member("a"), b"x" * 5000))
    archive.write_bytes(archive.read_bytes()[:40])

    with pytest.raises(UnsafeArchive):
        unpack(archive, target)
