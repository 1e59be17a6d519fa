import gzip
import io
import tarfile
import tracemalloc
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


def test_files_are_unpacked_by_a_python_without_extraction_filters(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As 3.11.2 is, which Debian 12 has: its `extract` takes no `filter`."""
    monkeypatch.delattr(tarfile, "data_filter")
    monkeypatch.setattr(tarfile.TarFile, "extraction_filter", None, raising=False)
    monkeypatch.delattr(tarfile.TarFile, "extract")
    whole = archive_of(tmp_path / "m.tar.gz", (member("code/run.py"), b"print()"))
    unpack(whole, target)
    assert (target / "code" / "run.py").read_bytes() == b"print()"


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


def raw_archive(path: Path, *blocks: bytes) -> Path:
    """Write blocks that tarfile itself does not write, as a gzipped tar."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        for block in blocks:
            file.write(block)
        file.write(b"\0" * 1024)
    return path


def header(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 512)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g", b"X"])
def test_a_header_that_is_larger_than_64_kb_is_refused_unread(
    tmp_path: Path, target: Path, kind: bytes
) -> None:
    claimed = 1024**3
    archive = raw_archive(tmp_path / "a.tar.gz", header("long", kind, claimed), b"x" * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeArchive, match="header of 1073741824 bytes"):
            unpack(archive, target)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_a_name_that_needs_a_header_of_its_own_is_unpacked(tmp_path: Path, target: Path) -> None:
    name = "/".join(["folder" * 5] * 6) + "/model.onnx"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=form) as tar:
            info = member(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
        unpack(tmp_path / "a.tar.gz", target)
        assert (target / name).read_bytes() == b"x"
        (target / name).unlink()


def test_a_long_row_of_headers_is_refused(tmp_path: Path, target: Path) -> None:
    record = b"12 comment=x\n"
    one = header("x", b"x", len(record)) + padded(record)
    archive = raw_archive(tmp_path / "a.tar.gz", *[one] * 5_000)
    with pytest.raises(UnsafeArchive):
        unpack(archive, target)


@pytest.mark.parametrize(
    "record", [b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n", b"22 GNU.sparse.size=10\n"]
)
def test_a_sparse_file_is_refused(tmp_path: Path, target: Path, record: bytes) -> None:
    blocks = [header("x", b"x", len(record)), padded(record), header("a", b"0", 4), padded(b"1\n")]
    with pytest.raises(UnsafeArchive):
        unpack(raw_archive(tmp_path / "a.tar.gz", *blocks), target)


def test_an_old_sparse_file_is_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(UnsafeArchive):
        unpack(raw_archive(tmp_path / "a.tar.gz", header("a", b"S", 4), padded(b"1234")), target)


def test_a_long_name_is_cut_in_the_message(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path / "a.tar.gz", (member("../" + "x" * 50_000), b""))
    with pytest.raises(UnsafeArchive) as caught:
        unpack(archive, target)
    assert len(str(caught.value)) < 300


def test_a_damaged_gzip_is_refused(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path / "a.tar.gz", (member("a"), b"x" * 5_000))
    content = bytearray(archive.read_bytes())
    content[30:40] = b"\xff" * 10
    archive.write_bytes(content)
    with pytest.raises(UnsafeArchive):
        unpack(archive, target)
