import contextlib
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scones_core.errors import MalformedDataset
from scones_etl.extract import pickles


def load(data: bytes | memoryview, where: str) -> Any:
    return pickles.load(data, where)


PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def array_pickle(
    code: bytes = b"u1", shape: bytes = b"K\x03K\x04\x86", order: bytes = b"\x89"
) -> bytes:
    """Return an array as Python 2 and numpy 1 wrote it: strings of bytes, the old module."""
    raw = PIXELS.tobytes()
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\nU" + bytes([len(code)]) + code + b"K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + order
        + b"U"
        + bytes([len(raw)])
        + raw
        + b"tb."
    )


def python_2_lists(count: int = 300) -> bytes:
    """Return a dict of strings and of labels as Python 2 pickled it, a thousand items at once."""

    def string(number: int) -> bytes:
        text = b"image_s_%d.png" % number
        put = b"q%c" % number if number < 256 else b"r" + number.to_bytes(4, "little")
        return b"U%c%s%s" % (len(text), text, put)

    names = b"".join(map(string, range(count)))
    labels = b"".join(b"K%c" % (number % 100) for number in range(count))
    again = b"h\x07j" + (count - 1).to_bytes(4, "little")
    parts = b"U\x09filenames](", names, b"eU\x06labels](", labels, b"M\xe8\x03eU\x05again](", again
    return b"\x80\x02}(" + b"".join(parts) + b"eu."


class Gadget:
    def __init__(self, function: Callable[..., Any], *arguments: str) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        return self.call


def test_an_array_of_python_2_comes_back_with_its_pixels() -> None:
    array = pickles.uint8_array(load(array_pickle(), "x"), "x")

    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, PIXELS)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_an_array_of_todays_numpy_comes_back_with_its_pixels(protocol: int) -> None:
    data = pickle.dumps({"data": PIXELS}, protocol=protocol)

    table = load(data, "x")

    np.testing.assert_array_equal(pickles.uint8_array(table["data"], "x"), PIXELS)


def test_long_lists_of_python_2_read_as_the_standard_library_reads_them() -> None:
    data = python_2_lists()

    found = load(data, "x")

    assert found == pickle.loads(data, encoding="bytes")  # noqa: S301
    assert found[b"again"] == [b"image_s_7.png", b"image_s_299.png"]


def test_every_truncation_of_long_lists_is_refused() -> None:
    data = python_2_lists()

    for length in range(0, len(data), 3):
        with pytest.raises(MalformedDataset):
            load(data[:length], "x")


def test_no_altered_byte_of_long_lists_reads_otherwise_than_in_the_standard_library() -> None:
    data = python_2_lists(270)

    for at in range(0, len(data), 5):
        altered = data[:at] + bytes([data[at] ^ 0x05]) + data[at + 1 :]
        with contextlib.suppress(MalformedDataset):
            found = load(altered, "x")
            # The one in pure Python: an altered memo index may take the other 32 GB.
            assert found == vars(pickle)["_loads"](altered, encoding="bytes")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickled_call_is_refused_and_not_made(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    data = pickle.dumps({"data": Gadget(os.system, f"touch {marker}")}, protocol=protocol)

    with pytest.raises(MalformedDataset, match=r"the file cannot be read: .*system"):
        load(data, "the file")

    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cbuiltins\neval\nX\x03\x00\x00\x001+1\x85R.",
        b"\x80\x02c__builtin__\neval\nX\x03\x00\x00\x001+1\x85R.",
        b"\x80\x02cnumpy\nload\nX\x01\x00\x00\x00x\x85R.",
        b"\x80\x02cnumpy.core.multiarray\nscalar\nX\x01\x00\x00\x00x\x85R.",
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        b"(ios\nsystem\n.",
        b"\x80\x02\x82\x01.",
        b"Pabc\n.",
    ],
    ids=["eval", "eval2", "load", "scalar", "dotted", "inst", "extension", "persistent"],
)
def test_names_that_image_data_never_needs_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedDataset):
        load(data, "x")


def test_a_dtype_is_never_shown_to_numpy() -> None:
    table = load(array_pickle(code=b"O8"), "x")

    assert isinstance(table, pickles.PickledArray)
    with pytest.raises(MalformedDataset, match="no uint8 array"):
        pickles.uint8_array(table, "x")


@pytest.mark.parametrize(
    "data",
    [
        array_pickle(code=b"i1"),
        array_pickle(shape=b"K\x03K\x05\x86"),
        array_pickle(shape=b"K\x03J\xfc\xff\xff\xff\x86"),
        array_pickle(shape=b"U\x01aK\x04\x86"),
        array_pickle(shape=b"K\x00\x8b\x00\x10\x00\x00" + b"\x11" * 4096 + b"\x86"),
        array_pickle(shape=b"(" + b"K\x01" * 99 + b"K\x0ct"),
        b"\x80\x02]K\x01a.",
        b"\x80\x02cnumpy\nndarray\n.",
    ],
    ids=[
        "int8",
        "too short",
        "negative",
        "text shape",
        "huge",
        "many axes",
        "list",
        "type",
    ],
)
def test_what_is_no_plain_uint8_array_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedDataset):
        pickles.uint8_array(load(data, "x"), "x")


def test_a_huge_memo_index_costs_no_memory() -> None:
    assert load(b"\x80\x02Nr\xff\xff\xff\x7f.", "x") is None


def test_text_that_is_encoded_over_and_over_is_stopped() -> None:
    text = b"X" + (1000).to_bytes(4, "little") + b"a" * 1000
    once = b"h\x00h\x01X\x06\x00\x00\x00latin1\x86R0"
    data = b"\x80\x02c_codecs\nencode\nq\x000" + text + b"q\x010" + once * 100 + b"N."

    with pytest.raises(MalformedDataset, match="more than its own length"):
        load(data, "x")


def test_only_latin1_is_encoded() -> None:
    data = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R."

    with pytest.raises(MalformedDataset, match="latin1"):
        load(data, "x")


def test_every_truncation_is_refused() -> None:
    data = array_pickle()

    for length in range(len(data)):
        with pytest.raises(MalformedDataset):
            load(data[:length], "x")


def test_no_altered_byte_escapes_as_another_error() -> None:
    data = array_pickle()

    for at in range(len(data)):
        for flip in (0x01, 0x20, 0xFF):
            altered = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            with contextlib.suppress(MalformedDataset):
                assert pickles.uint8_array(load(altered, "x"), "x").size == PIXELS.size


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("rows", [1, 400])
def test_an_array_of_every_protocol_comes_back_with_its_pixels(protocol: int, rows: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (rows, 3072), np.uint8)

    table = load(pickle.dumps({"data": pixels}, protocol=protocol), "x")

    np.testing.assert_array_equal(pickles.uint8_array(table["data"], "x"), pixels)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_an_array_in_fortrans_order_is_read(protocol: int) -> None:
    data = pickle.dumps(np.asfortranarray(PIXELS), protocol=protocol)

    np.testing.assert_array_equal(pickles.uint8_array(load(data, "x"), "x"), PIXELS)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2, 300), [1, 2, 300]),
        (np.array([1, 2, 300]), [1, 2, 300]),
        (np.array([1, 2, 300], ">i4"), [1, 2, 300]),
        (np.array([1, 2, 200], np.uint8), [1, 2, 200]),
        (list(np.array([1, 2, 300])), [1, 2, 300]),
        (np.array(["a.png", "\u00fc.png"]), ["a.png", "\u00fc.png"]),
        (np.array([b"a.png", b"b.png"]), [b"a.png", b"b.png"]),
        (np.array(["a.png", "b.png"], object), ["a.png", "b.png"]),
    ],
    ids=["tuple", "int64", "big-endian", "uint8", "numbers", "texts", "bytes", "objects"],
)
def test_numbers_and_names_are_read_as_numpy_pickles_them(
    protocol: int, value: Any, expected: list[Any]
) -> None:
    table = load(pickle.dumps({"labels": value}, protocol=protocol), "x")

    assert pickles.plain_list(table["labels"], 3) == expected


@pytest.mark.parametrize("value", [np.zeros(4, np.int64), np.zeros((2, 2), np.int64), np.zeros(2)])
def test_arrays_of_more_values_axes_or_other_types_are_no_lists(value: NDArray[Any]) -> None:
    table = load(pickle.dumps({"labels": value}, protocol=4), "x")

    assert not isinstance(pickles.plain_list(table["labels"], 3), list)


def test_a_number_of_numpys_that_is_no_integer_is_refused() -> None:
    with pytest.raises(MalformedDataset, match="a number that is not an integer"):
        load(pickle.dumps([np.float64(1.5)], protocol=4), "x")


TWICE = b"\x80\x02})q\x00" + b"".join(b"0h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TWICE + b"Ns.", "key of a dict"),
        (b"\x80\x02}()\x85\x85Nu.", "key of a dict"),
        (b"\x80\x02(]Nd.", "key of a dict"),
        (b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns.", "more values than its length allows"),
        (b"\x80\x05\x96" + (1 << 31).to_bytes(8, "little") + b".", "truncated"),
        (b"\x80\x05\x8e" + (1 << 40).to_bytes(8, "little") + b".", "x cannot be read"),
        (b"\x80\x04" + b"\x8f" * 50, "opcode"),
        (b"\x80\x04(\x91.", "opcode"),
        (b"\x80\x02]" + b"2" * 50 + b".", "opcode"),
        (b"\x80\x02" + b"]" * 200_000 + b".", "more values than its length allows"),
        (b"\x80\x02(" + b"K\x01" * 200_000 + b"l.", "more values than its length allows"),
        (b"\x80\x02(" + b"U\x00q\x00" * 200_000 + b"l.", "more values than its length allows"),
        (b"\x80\x02cnumpy\nndarray\n}(U\x01aK\x01ub.", "state of something else"),
        (b"\x80\x02cnumpy\ndtype\n}(U\x01aK\x01ub.", "state of something else"),
        (b"\x80\x02K\x01K\x02K\x03s.", "item of something else"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00a)\x85\x86R.", "latin1"),
        (b"\x80\x05\x97.", "opcode"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "opcode"),
    ],
)
def test_a_pickle_that_would_hang_crash_or_fill_memory_is_refused_at_once(
    data: bytes, message: str
) -> None:
    before = time.thread_time()
    with pytest.raises(MalformedDataset, match=message):
        load(data, "x")
    assert time.thread_time() - before < 2
