import gzip

import pytest

from local_aws.sagemaker.jobs.transform_records import (
    BadGzip,
    TooMuchData,
    assembled,
    payloads,
    unzipped,
)


def split(content: bytes, *, several: bool = False, max_bytes: int = 100) -> list[bytes]:
    chunks = [content[at : at + 3] for at in range(0, len(content), 3)]
    return list(payloads(chunks, by_line=True, several=several, max_bytes=max_bytes))


def test_a_file_is_one_request() -> None:
    assert list(payloads([b"a\n", b"b"], by_line=False, several=True, max_bytes=4)) == [b"a\nb"]


def test_lines_are_requests_of_their_own_wherever_chunks_end() -> None:
    assert split(b"first\r\nsecond\n\n third\n") == [b"first", b"second", b" third"]
    assert split(b"without an end") == [b"without an end"]
    assert split(b"") == []


def test_lines_share_a_request_as_long_as_it_may_be() -> None:
    assert split(b"aa\nbb\ncc\ndd", several=True, max_bytes=5) == [b"aa\nbb", b"cc\ndd"]
    assert split(b"aaaa\nb\nc", several=True, max_bytes=4) == [b"aaaa", b"b\nc"]


def test_what_is_larger_than_a_request_is_refused() -> None:
    with pytest.raises(TooMuchData):
        split(b"aaaaaa\nb", max_bytes=5)
    with pytest.raises(TooMuchData):
        list(payloads([b"aaa", b"aaa"], by_line=False, several=True, max_bytes=5))


def test_answers_are_put_together_in_their_order() -> None:
    assert assembled([b"a", b"b\n"], by_line=True) == b"a\nb\n"
    assert assembled([b"a", b"b\n"], by_line=False) == b"ab\n"


def test_a_gzip_is_unpacked_piece_by_piece_and_must_be_whole() -> None:
    packed = gzip.compress(b"x" * 200_000)
    assert b"".join(unzipped([packed[:50], packed[50:]])) == b"x" * 200_000
    assert max(len(piece) for piece in unzipped([packed])) <= 1 << 16
    with pytest.raises(BadGzip, match="ends early"):
        list(unzipped([packed[:-20]]))
    with pytest.raises(BadGzip, match="is no gzip"):
        list(unzipped([b"plain text"]))
