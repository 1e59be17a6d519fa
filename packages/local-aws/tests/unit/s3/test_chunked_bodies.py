"""The content of bodies in chunks."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.s3.exceptions import S3ClientError

from local_aws.s3.chunked_bodies import decoded

SIGNED = b";chunk-signature=" + b"0" * 64


def chunked(*chunks: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """Return a body of these chunks."""
    sized = (b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return b"".join(sized) + b"0" + extension + b"\r\n" + trailer + b"\r\n"


@given(st.lists(st.binary(min_size=1, max_size=40)), st.sampled_from([b"", SIGNED]))
def test_chunks_are_joined_without_signatures_and_trailer(
    chunks: list[bytes], extension: bytes
) -> None:
    content = b"".join(chunks)
    trailer = b"x-amz-checksum-crc32:AAAAAA==\r\n"
    body = chunked(*chunks, extension=extension, trailer=trailer)
    assert decoded(body, str(len(content))) == decoded(body, None) == content


@pytest.mark.parametrize(
    ("body", "length"),
    [
        (b"", "0"),
        (b"3\r\nabc\r\n", "3"),
        (b"3\r\nab", "3"),
        (b"ffffffff\r\nabc\r\n0\r\n\r\n", "3"),
        (b"-3\r\nabc\r\n0\r\n\r\n", "3"),
        (b"0x3\r\nabc\r\n0\r\n\r\n", "3"),
        (b"zz\r\nabc\r\n0\r\n\r\n", "3"),
        (b"3" * 100_000, "3"),
        (chunked(b"abc"), "4"),
        (chunked(b"abc"), "99999999999999"),
        (chunked(b"abc"), "many"),
    ],
)
def test_a_body_that_is_not_whole_is_refused(body: bytes, length: str) -> None:
    with pytest.raises(S3ClientError, match="IncompleteBody"):
        decoded(body, length)


def test_a_body_of_many_small_chunks_takes_no_time() -> None:
    before = time.thread_time()
    assert decoded(chunked(*[b"a"] * 500_000), None) == b"a" * 500_000
    assert time.thread_time() - before < 5
