import gzip
import io
import tarfile

import pytest

from scones_core.errors import MalformedDataset
from scones_etl.archive import read_members, unused

LIMITS = {"d/train": 1000, "d/meta": 100}


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = ""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def packed(*members: tuple[tarfile.TarInfo, bytes], tail: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue() + tail)


def file(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, len(content)), content


FOLDER = (member("d", kind=tarfile.DIRTYPE), b"")
GOOD = (FOLDER, file("d/train", b"t" * 1000), file("d/meta", b"m"))


def read(data: bytes) -> dict[str, bytes]:
    memory = unused(sum(LIMITS.values()))
    return read_members(
        io.BytesIO(data), LIMITS, "the archive", lambda found, _: bytes(found), memory
    )


def test_the_named_members_are_read_and_others_passed_over():
    assert read(packed(*GOOD, file("d/file.txt~", b"x"))) == {
        "d/train": b"t" * 1000,
        "d/meta": b"m",
    }


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (file("d/../../etc/passwd", b"x"), "outside"),
        (file("/etc/passwd", b"x"), "outside"),
        ((member("d/link", kind=tarfile.SYMTYPE, link="/etc/passwd"), b""), "neither"),
        ((member("d/hard", kind=tarfile.LNKTYPE, link="d/meta"), b""), "neither"),
        ((member("d/fifo", kind=tarfile.FIFOTYPE), b""), "neither"),
        ((member("d/device", kind=tarfile.CHRTYPE), b""), "neither"),
        (file("d/meta", b"other"), "twice"),
        (file("d/large", bytes(2_000_000)), "2,000,000 bytes"),
    ],
    ids=["parent", "absolute", "symlink", "hardlink", "fifo", "device", "twice", "large"],
)
def test_a_member_that_does_not_belong_there_is_refused(extra, why):
    with pytest.raises(MalformedDataset, match=rf"the archive is no intact archive: .*{why}"):
        read(packed(*GOOD, extra))


def test_a_link_in_place_of_a_file_is_refused():
    link = (member("d/train", kind=tarfile.SYMTYPE, link="/etc/passwd"), b"")

    with pytest.raises(MalformedDataset, match="neither"):
        read(packed(link, file("d/meta", b"m")))


def test_a_member_above_its_limit_is_refused():
    with pytest.raises(MalformedDataset, match="1,001 bytes"):
        read(packed(file("d/train", b"t" * 1001), file("d/meta", b"m")))


def test_a_missing_member_is_named():
    with pytest.raises(MalformedDataset, match="has no d/meta"):
        read(packed(file("d/train", b"t")))


def test_too_many_members_are_refused():
    with pytest.raises(MalformedDataset, match="more than 64 members"):
        read(packed(*GOOD, *(file(f"d/{n}", b"") for n in range(70))))


def test_a_bomb_behind_the_last_member_is_refused():
    with pytest.raises(MalformedDataset, match="unpacks to more than 1,050,776 bytes"):
        read(packed(*GOOD, tail=bytes(5_000_000)))


def test_an_extended_header_that_claims_gigabytes_is_refused():
    header = member("d/pax", 8 << 30, kind=tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT)

    with pytest.raises(MalformedDataset, match="no intact archive"):
        read(gzip.compress(header + bytes(4096)))


def test_every_truncation_is_refused():
    data = packed(*GOOD)

    for length in range(0, len(data), 7):
        with pytest.raises(MalformedDataset):
            read(data[:length])


def test_a_flipped_bit_in_the_stored_checksum_is_noticed():
    data = bytearray(packed(*GOOD))
    data[-8] ^= 1

    with pytest.raises(MalformedDataset, match="CRC"):
        read(bytes(data))


def test_what_is_no_gzip_is_refused():
    with pytest.raises(MalformedDataset, match="no intact archive"):
        read(b"<html>Not found</html>")


def test_what_begins_as_a_gzip_and_is_none_is_refused():
    with pytest.raises(MalformedDataset, match="no intact archive"):
        read(b"\x1f\x8b\x08" + bytes(40))
