"""A plain GetObject is answered before moto, and as moto answers it."""

import http.client
import urllib.parse
from datetime import timedelta
from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_code

SCOPE = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, Signature=x"
# Of each answer its own.
OWN = {"x-amzn-requestid", "Date"}


def fetch(
    aws: Aws, path: str, query: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(aws.local.endpoint_url).netloc, timeout=30
    )
    connection.request(
        "GET",
        f"{urllib.parse.quote(path)}?{query}",
        headers={
            "Authorization": SCOPE,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.headers.items() if name not in OWN}
    body = answer.read()
    connection.close()
    return answer.status, found, body


@pytest.fixture(scope="module")
def stored(aws: Aws) -> tuple[str, str, str]:
    s3, name = aws.client("s3"), unique("reads")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    put = s3.put_object(
        Bucket=name,
        Key="vélo 1+.png",
        Body=b"0123456789",
        ContentType="image/png",
        Metadata={"taken": "today"},
        Tagging="a=b",
        CacheControl="no-store",
        ChecksumAlgorithm="SHA256",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key,
    )
    s3.put_object(Bucket=name, Key="vélo 1+.png", Body=b"another")
    return f"/{name}/vélo 1+.png", put["VersionId"], put["ETag"]


@pytest.mark.parametrize(
    ("newest", "headers"),
    [
        (True, {}),
        (False, {}),
        (False, {"Range": "bytes=0-65535"}),
        (False, {"Range": "bytes=2-3"}),
        (False, {"x_amz_checksum_mode": "ENABLED"}),
        (False, {"x_amz_checksum_mode": "ENABLED", "Range": "bytes=0-9"}),
        (False, {"x_amz_checksum_mode": "ENABLED", "Range": "bytes=1-9"}),
        (True, {"x_amz_checksum_mode": "ENABLED"}),
    ],
)
def test_it_has_the_headers_and_the_body_that_moto_answers(
    aws: Aws, stored: tuple[str, str, str], newest: bool, headers: dict[str, str]
) -> None:
    path, version, _ = stored
    query = "" if newest else f"versionId={version}"
    # What moto alone answers: another parameter, which says the operation's name.
    ours, theirs = (fetch(aws, path, given, **headers) for given in (query, f"{query}&x-id=Get"))
    assert ours == theirs
    assert ours[0] == (206 if "Range" in headers else 200)


def test_a_condition_on_the_etag_is_heeded(aws: Aws, stored: tuple[str, str, str]) -> None:
    path, version, etag = stored
    query = f"versionId={version}"
    assert fetch(aws, path, query, If_Match=etag)[2] == b"0123456789"
    assert fetch(aws, path, query, If_Match='"other"')[0] == 412


def test_conditions_of_a_read_are_weighed_together(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    s3, name = aws.client("s3"), unique("reads")
    s3.create_bucket(Bucket=name)
    tag = s3.put_object(Bucket=name, Key="k", Body=b"x")["ETag"]
    at = s3.head_object(Bucket=name, Key="k")["LastModified"]
    past, asked = at - timedelta(days=1), {"Bucket": name, "Key": "k"}
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"IfMatch": tag, "IfUnmodifiedSince": past}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": '"other"'}, "412"),
        ({"IfUnmodifiedSince": past}, "412"),
        ({"IfNoneMatch": tag, "IfModifiedSince": past}, "304"),
        ({"IfNoneMatch": "*"}, "304"),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": at}, None),
        ({"IfModifiedSince": at}, "304"),
    ]
    for conditions, expected in cases:
        assert error_code(s3.head_object, **asked, **conditions) == expected
        found = error_code(s3.get_object, **asked, **conditions)
        assert found == {"412": "PreconditionFailed"}.get(expected or "", expected)
