"""Bodies that are sent to S3 in signed chunks, or in chunks with a trailer.

Each chunk has its size in hexadecimal digits, perhaps a signature, and its bytes; one of size 0
ends them, and a trailer with a checksum may follow. Signatures are not checked.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

import re
from typing import Any

from moto.s3.exceptions import S3ClientError

from local_aws.core.patching import patch

_RESPONSE = "moto.s3.responses.S3Response"
_LENGTH = "x-amz-decoded-content-length"
# A signature has 64 digits.
_MAX_LINE_BYTES = 1024
_SIZE = re.compile(rb"[0-9a-fA-F]{1,12}")


@patch(
    f"{_RESPONSE}._handle_encoded_body", why="copies all chunks before it for each one of a body"
)
@patch(
    f"{_RESPONSE}._handle_v4_chunk_signatures",
    why="allocates the length that a header gives, and fills with zeros what was not sent",
)
def decode_body(original: Any, response: Any, body: Any, *_: Any) -> bytes:
    """Return the content of a chunked body; one that is not whole is refused with its action."""
    del original
    content = body if isinstance(body, bytes) else body.read()
    try:
        return decoded(content, response.request.headers.get(_LENGTH))
    except S3ClientError as error:
        # Nobody handles an error here, where the request is only read.
        response.local_aws_incomplete = error
        return b""


@patch(f"{_RESPONSE}._key_response", why="stores a chunked body that is not whole")
def key_response(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """Answer a request for an object, whose body is whole."""
    if (error := getattr(response, "local_aws_incomplete", None)) is not None:
        raise error
    return original(response, request, full_url)


def decoded(body: bytes, length: str | None) -> bytes:
    """Return the content of chunks; `length` is what a header says that it has, if it does.

    Raises S3ClientError for chunks that are damaged, end too soon, or have another length.
    """
    parts, position = [], 0
    while True:
        end = body.find(b"\r\n", position, position + _MAX_LINE_BYTES)
        size = _SIZE.fullmatch(body[position : max(end, 0)].partition(b";")[0].strip())
        if size is None:
            raise _incomplete()
        position, count = end + 2, int(size[0], 16)
        if count == 0:
            break
        if body[position + count : position + count + 2] != b"\r\n":
            raise _incomplete()
        parts.append(body[position : position + count])
        position += count + 2
    content = b"".join(parts)
    if length is not None and length.strip() != str(len(content)):
        raise _incomplete()
    return content


def _incomplete() -> S3ClientError:
    return S3ClientError("IncompleteBody", "The request body terminated unexpectedly")
