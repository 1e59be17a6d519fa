import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from scones_core.archives import ArchiveLimits, members, read_files
from scones_core.errors import ArchiveError

LIMITS = ArchiveLimits(members=50, member_bytes=1 << 20, total_bytes=4 << 20)
CONTENT = {"a.txt": b"one", "sub/b.bin": bytes(range(256)) * 40, "empty": b""}
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
}


def tar_of(
    content: dict[str, bytes],
    *,
    kind: int = tarfile.PAX_FORMAT,
    pax: dict[str, str] | None = None,
    prefix: str = "",
) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind, pax_headers=pax or {}) as archive:
        for name, body in content.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return file.getvalue()


def tar_with(kind: bytes, name: str = "odd", **fields: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type = kind
        for key, value in fields.items():
            setattr(info, key, value)
        archive.addfile(info)
    return file.getvalue()


def zip_of(content: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, body in content.items():
            archive.writestr(name, body)
    return file.getvalue()


def read(body: bytes, limits: ArchiveLimits = LIMITS) -> dict[str, bytes]:
    return {member.name: member.read() for member in members(io.BytesIO(body), limits)}


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./", "././"])
def test_a_tar_gives_its_files_however_it_was_packed(packed: str, kind: int, prefix: str) -> None:
    assert read(PACK[packed](tar_of(CONTENT, kind=kind, prefix=prefix))) == CONTENT


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_gives_its_files(compression: int) -> None:
    assert read(zip_of({"folder/": b"", **CONTENT}, compression)) == CONTENT


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_members_cannot_be_unpacked_within_bounds_is_refused(compression: int) -> None:
    with pytest.raises(ArchiveError, match="pack it with deflate"):
        read(zip_of(CONTENT, compression))


def test_a_tar_with_global_pax_headers_and_long_names_is_read() -> None:
    long = {"d" * 90 + "/" + "e" * 150 + ".png": b"x"}
    assert read(tar_of(long, pax={"comment": "packed again"})) == long


def test_a_tar_from_before_posix_is_read() -> None:
    body = bytearray(tar_of({"a": b"one"}, kind=tarfile.USTAR_FORMAT))
    body[257:265] = bytes(8)
    body[148:156] = b" " * 8
    body[148:156] = b"%06o\0 " % sum(body[:512])
    assert read(bytes(body)) == {"a": b"one"}


def test_a_zip_of_windows_own_tools_has_backslashes_between_folders() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data\\", b"")
        archive.writestr("data\\a.txt", b"a")
    assert read(buffer.getvalue()) == {"data/a.txt": b"a"}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "but empty"),
        (b"Rar!\x1a\x07\x01\0" + bytes(600), "but a RAR archive: unpack it"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "but a 7z archive: unpack it"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "but a Zstandard file: unpack it"),
        (b"<!DOCTYPE html><html>404", "but a web page: download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", "but a Git LFS pointer: fetch"),
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "but a picture, PNG"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "but HDF5: export its images"),
    ],
)
def test_what_is_given_in_place_of_an_archive_is_named(body: bytes, named: str) -> None:
    with pytest.raises(ArchiveError, match=f"not a tar or zip archive {named}"):
        read(body)


def test_members_may_be_passed_over_without_reading_them() -> None:
    for body in (gzip.compress(tar_of(CONTENT)), zip_of(CONTENT)):
        assert [member.name for member in members(io.BytesIO(body), LIMITS)] == list(CONTENT)


def test_named_files_are_read_each_within_its_own_size() -> None:
    body = tar_of(CONTENT)
    assert read_files(io.BytesIO(body), {"a.txt": 3, "none": 9}, LIMITS) == {"a.txt": b"one"}
    with pytest.raises(ArchiveError, match=r"'a.txt' has 3 bytes; at most 2"):
        read_files(io.BytesIO(body), {"a.txt": 2}, LIMITS)


def test_a_name_that_stands_twice_is_refused_where_it_is_wanted() -> None:
    body = tar_of({"a": b"one"})[:1024] + tar_of({"a": b"two"})
    with pytest.raises(ArchiveError, match="'a' twice"):
        read_files(io.BytesIO(body), {"a": 9}, LIMITS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a tar or zip"),
        (b"hello" * 300, "not a tar or zip"),
        (gzip.compress(tar_of(CONTENT))[:60], "damaged"),
        (gzip.compress(tar_of(CONTENT))[:-9] + bytes(9), "damaged"),
        (lzma.compress(tar_of(CONTENT))[:-20], "damaged"),
        (tar_of(CONTENT)[:1600], "ends|damaged"),
        (zip_of(CONTENT)[:-30], "damaged"),
        (tar_with(tarfile.SYMTYPE, linkname="/etc/passwd"), "not a file"),
        (tar_with(tarfile.LNKTYPE, linkname="a"), "not a file"),
        (tar_with(tarfile.FIFOTYPE), "not a file"),
        (tar_with(tarfile.CHRTYPE), "not a file"),
        (tar_of({"../a": b""}), "outside"),
        (tar_of({"/a": b""}), "outside"),
        (tar_of({"b\\..\\a": b""}), "outside"),
        (zip_of({"../a": b""}), "outside"),
        (zip_of({"/a": b""}), "outside"),
        (tar_of({str(n): b"" for n in range(51)}), "more than 50 members"),
        (zip_of({str(n): b"" for n in range(51)}), "more than 50 members"),
        (tar_of({"big": bytes((1 << 20) + 1)}), "at most 1,048,576"),
        (zip_of({"big": bytes((1 << 20) + 1)}), "at most 1,048,576"),
        (gzip.compress(tar_of({str(n): bytes(1 << 20) for n in range(7)})), "unpacks to more"),
        (zip_of({str(n): bytes(1 << 20) for n in range(7)}), "unpacks to more"),
    ],
    # The bytes of an archive hold its time, so that they name no test.
    ids=itertools.count(),
)
def test_what_is_damaged_too_large_or_unsafe_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        read(body)


def test_a_link_in_a_zip_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveError, match="not a file"):
        read(file.getvalue())


def test_an_encrypted_zip_is_refused_by_that() -> None:
    body = bytearray(zip_of({"a": b"x"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + at] |= 1
    with pytest.raises(ArchiveError, match="encrypted"):
        read(bytes(body))


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.SOLARIS_XHDTYPE,
    ],
)
@pytest.mark.parametrize("size", [(1 << 16) + 1, 1 << 33])
def test_a_header_that_claims_much_is_refused_before_it_is_read(kind: bytes, size: int) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, size
    body = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(3 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="header of"):
            read(body)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_headers_that_follow_each_other_without_end_are_refused() -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 512
    header = info.tobuf(tarfile.USTAR_FORMAT) + b"9 a=bcde\n".ljust(512, b"\0")
    with pytest.raises(ArchiveError):
        read(gzip.compress(header * 3000))


@pytest.mark.parametrize(
    "pax",
    [
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a"},
        {"GNU.sparse.map": "0,1"},
        {"GNU.sparse.size": "1", "GNU.sparse.numblocks": "1"},
    ],
)
def test_a_sparse_file_is_refused_before_its_map_is_read(pax: dict[str, str]) -> None:
    info = tarfile.TarInfo("a")
    info.size, info.pax_headers = 3 << 20, pax
    sparse_map = b"9999999999\n" + b"1\n" * (3 << 19)
    body = gzip.compress(info.tobuf(tarfile.PAX_FORMAT) + sparse_map[: 3 << 20] + bytes(1024))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="'a' is a sparse file"):
            read(body, ArchiveLimits(members=50, member_bytes=4 << 20, total_bytes=4 << 20))
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_a_zips_directory_is_bounded() -> None:
    names = {f"{number:0200}": b"" for number in range(12_000)}
    tight = ArchiveLimits(members=50, member_bytes=9, total_bytes=9)
    with pytest.raises(ArchiveError, match="directory"):
        read(zip_of(names), tight)


def test_a_zip_whose_size_was_understated_is_refused() -> None:
    body = bytearray(zip_of({"a": bytes(1000)}))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = body.index(signature) + at
        body[start : start + 4] = struct.pack("<I", 10)
    with pytest.raises(ArchiveError):
        read(bytes(body))


def test_a_long_name_is_cut_in_the_message() -> None:
    with pytest.raises(ArchiveError) as caught:
        read(tar_of({"../" + "n" * 30_000: b""}, kind=tarfile.GNU_FORMAT))
    assert len(str(caught.value)) < 250


def test_altered_archives_are_read_or_refused() -> None:
    rng = random.Random(0)
    for original in (tar_of(CONTENT), gzip.compress(tar_of(CONTENT)), zip_of(CONTENT)):
        for _ in range(300):
            body = bytearray(original)
            for _ in range(rng.randint(1, 4)):
                body[rng.randrange(len(body))] = rng.randrange(256)
            with contextlib.suppress(ArchiveError):
                read(bytes(body))
