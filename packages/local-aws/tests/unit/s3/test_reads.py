from collections.abc import Iterator
from typing import Any

import pytest
from moto.s3.models import FakeBucket, s3_backends

import local_aws.s3.patches  # noqa: F401 (declares what `patched_moto` applies)
from local_aws.s3.reads import with_reads

pytestmark = pytest.mark.usefixtures("patched_moto")
SCOPE = "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/s3/aws4_request, Signature=x"


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    s3 = s3_backends["123456789012"]["aws"]
    s3.reset()
    s3.create_bucket("kept", "us-east-1")
    s3.put_object("kept", "a b/é", b"0123456789")
    yield s3.buckets["kept"]
    s3.reset()


def read(
    path: str = "/kept/a b/é", query: str = "", key: str = "test", **headers: str
) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body; "moto" as the status of what is handed on."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query,
        "HTTP_HOST": "127.0.0.1:5055",
        "HTTP_AUTHORIZATION": SCOPE.format(key),
        "HTTP_X_AMZ_DATE": "20260101T000000Z",
        **headers,
    }
    found: list[Any] = []
    body = with_reads(lambda _, start: start("moto", []) or [b""])(
        environ, lambda *given: found.extend(given)
    )
    return found[0], dict(found[1]), b"".join(body)


def test_a_plain_read_is_answered_with_the_object(bucket: FakeBucket) -> None:
    status, headers, body = read()
    assert (status, body, headers["content-length"]) == ("200 OK", b"0123456789", "10")
    assert headers["ETag"] == bucket.keys["a b/é"].etag


@pytest.mark.parametrize(
    ("asked", "content", "said"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=0-65535", b"0123456789", "bytes 0-9/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
    ],
)
def test_a_range_is_answered_with_that_part(
    bucket: FakeBucket, asked: str, content: bytes, said: str
) -> None:
    status, headers, body = read(HTTP_RANGE=asked)
    assert (status, body) == ("206 Partial Content", content)
    assert (headers["content-range"], headers["content-length"]) == (said, str(len(content)))


def test_a_version_is_answered_by_its_id(bucket: FakeBucket) -> None:
    s3_backends["123456789012"]["aws"].put_bucket_versioning("kept", "Enabled")
    s3 = s3_backends["123456789012"]["aws"]
    first = s3.put_object("kept", "v", b"1").version_id
    s3.put_object("kept", "v", b"2")
    assert read("/kept/v", f"versionId={first}")[2] == b"1"
    assert read("/kept/v")[2] == b"2"
    s3.delete_object("kept", "v")
    assert read("/kept/v")[0] == "moto"


@pytest.mark.parametrize(
    "unusual",
    [
        {"HTTP_RANGE": "bytes=-3"},
        {"HTTP_RANGE": "bytes=0-1,3-4"},
        {"HTTP_RANGE": "bytes=10-"},
        {"HTTP_RANGE": "items=0-1"},
        {"HTTP_IF_MATCH": '"other"'},
        {"HTTP_IF_NONE_MATCH": '"other"'},
        {"HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_CUSTOMER_KEY": "x"},
        {"HTTP_ORIGIN": "http://page"},
        {"HTTP_HOST": "kept.s3.localhost"},
        {"HTTP_AUTHORIZATION": ""},
        {"REQUEST_METHOD": "HEAD"},
        {"query": "tagging"},
        {"query": "versionId=none-such"},
        {"query": "partNumber=1"},
        {"path": "/kept/none"},
        {"path": "/kept/"},
        {"path": "/none/a"},
        {"key": "AKIAUNKNOWN"},
    ],
)
def test_what_is_unusual_or_refused_is_left_to_moto(
    bucket: FakeBucket, unusual: dict[str, str]
) -> None:
    assert read(**unusual)[0] == "moto"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("policy", b"{}"), ("logging", {"TargetBucket": "kept"})],
)
def test_a_bucket_with_more_to_heed_is_left_to_moto(
    bucket: FakeBucket, attribute: str, value: bytes | dict[str, str]
) -> None:
    setattr(bucket, attribute, value)
    assert read()[0] == "moto"
