import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones_core.labels import LabelSet
from scones_core.manifest import Manifest, ManifestRow
from scones_etl.mxnet_files import image_record, list_files, record, record_files

# 0xced7230a, little-endian, spelt out.
MAGIC = b"\x0a\x23\xd7\xce"


def read_record(rec: bytes, at: int) -> tuple[bytes, int]:
    """Return a record's data and where the next one begins, by the format's definition alone."""
    data = b""
    while True:
        magic, word = struct.unpack_from("<II", rec, at)
        assert magic == 0xCED7230A
        flag, length = word >> 29, word & 0x1FFFFFFF
        data += rec[at + 8 : at + 8 + length]
        padded = -(-length // 4) * 4
        assert rec[at + 8 + length : at + 8 + padded] == bytes(padded - length)
        at += 8 + padded
        if flag in (0, 3):
            return data, at
        assert flag in (1, 2)
        data += MAGIC


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", MAGIC + b"\0\0\0\0"),
        (b"abcd", MAGIC + b"\x04\0\0\0abcd"),
        (b"abcde", MAGIC + b"\x05\0\0\0abcde\0\0\0"),
        (MAGIC, MAGIC + b"\0\0\0\x20" + MAGIC + b"\0\0\0\x60"),
        (
            b"abcd" + MAGIC + b"ef",
            MAGIC + b"\x04\0\0\x20abcd" + MAGIC + b"\x02\0\0\x60ef\0\0",
        ),
        (
            b"abcd" + MAGIC + b"efgh" + MAGIC,
            MAGIC + b"\x04\0\0\x20abcd" + MAGIC + b"\x04\0\0\x40efgh" + MAGIC + b"\0\0\0\x60",
        ),
        (b"a" + MAGIC, MAGIC + b"\x05\0\0\0a" + MAGIC + b"\0\0\0"),
    ],
    ids=["empty", "aligned", "padded", "only magic", "magic", "two magics", "unaligned magic"],
)
def test_a_record_is_laid_out_as_the_format_says(data: bytes, expected: bytes) -> None:
    assert record(data) == expected
    assert read_record(expected, 0) == (data, len(expected))


@given(st.lists(st.sampled_from([MAGIC, b"\0", b"ab", b"abcd", MAGIC[:2], MAGIC[2:]])))
def test_any_data_comes_back_however_often_it_holds_the_magic_number(parts: list[bytes]) -> None:
    data = b"".join(parts)

    assert read_record(record(data), 0) == (data, len(record(data)))


def test_an_image_has_a_header_of_24_bytes() -> None:
    assert image_record(258, 3, b"PNG!") == (
        MAGIC
        + b"\x1c\0\0\0"
        + b"\0\0\0\0"
        + b"\0\0\x40\x40"
        + b"\x02\x01\0\0\0\0\0\0"
        + bytes(8)
        + b"PNG!"
    )


def test_the_index_says_where_each_record_begins() -> None:
    images = [(0, b"one"), (1, b"twotwo"), (0, MAGIC * 3), (2, b"last")]

    rec, idx = record_files(images)

    places = [tuple(map(int, line.split("\t"))) for line in idx.decode().splitlines()]
    assert [number for number, _ in places] == [0, 1, 2, 3]
    end = 0
    for (number, at), (label, image) in zip(places, images, strict=True):
        assert at == end
        data, end = read_record(rec, at)
        assert struct.unpack_from("<IfQQ", data) == (0, label, number, 0)
        assert data[24:] == image
    assert end == len(rec)


CLASSES = ("motorcycle", "bicycle")
SOURCE = {"kind": "cifar100", "name": "x.tar.gz", "sha256": "0" * 64}
SETTINGS = {"seed": 0, "validation_fraction": 0.1}


def row(split: str, label: str, digit: str) -> ManifestRow:
    key = f"dataset/V/{split}/{label}/{digit * 16}.png"
    return ManifestRow(key, split, label, digit * 64, int(digit), f"{digit}.png")


ROWS = (
    row("train", "bicycle", "1"),
    row("train", "motorcycle", "2"),
    row("validation", "bicycle", "3"),
    row("test", "motorcycle", "4"),
)


def test_each_split_has_a_list_with_tabs_class_index_and_path_in_the_channel() -> None:
    lists = list_files(Manifest("V", LabelSet(CLASSES).names, SOURCE, SETTINGS, ROWS))

    assert lists == {
        "dataset/V/train_lst/train.lst": (
            b"0\t1\tbicycle/1111111111111111.png\n1\t0\tmotorcycle/2222222222222222.png\n"
        ),
        "dataset/V/validation_lst/validation.lst": b"0\t1\tbicycle/3333333333333333.png\n",
        "dataset/V/test_lst/test.lst": b"0\t0\tmotorcycle/4444444444444444.png\n",
    }
