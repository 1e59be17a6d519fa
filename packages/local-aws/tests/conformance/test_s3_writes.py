"""What S3 checks before it writes, how it lists versions, what it publishes of deletions."""

import base64
import datetime
import hashlib
import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.testing.aws import Aws, eventually, policy, unique
from local_aws.testing.refusals import error_code


@pytest.fixture(scope="module")
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = unique("b")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def digest(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"ContentMD5": digest(b"other")}, "BadDigest"),
        ({"ContentMD5": "no digest"}, "InvalidDigest"),
        ({"ContentMD5": base64.b64encode(b"short").decode()}, "InvalidDigest"),
        ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}, "BadDigest"),
        ({"ChecksumSHA1": base64.b64encode(bytes(20)).decode()}, "BadDigest"),
        ({"ChecksumCRC32": base64.b64encode(bytes(4)).decode()}, "BadDigest"),
    ],
)
def test_a_body_that_was_changed_on_the_way_is_not_stored(
    s3: Any, bucket: str, given: dict[str, str], expected: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html"""
    assert error_code(s3.put_object, Bucket=bucket, Key="k", Body=b"body", **given) == expected
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1, "Body": b"body"}
    assert error_code(s3.upload_part, **part, **given) == expected
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


def test_a_body_with_its_digest_is_stored(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"body", ContentMD5=digest(b"body"))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"


STREAMING = {
    "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request",
}


@pytest.mark.parametrize("length", ["3", "4000000000"])
def test_a_chunked_body_that_ends_too_soon_is_not_stored(
    aws: Aws, s3: Any, bucket: str, length: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html"""
    address = urllib.parse.urlsplit(aws.local.endpoint_url).netloc
    chunks = b"3;chunk-signature=0\r\nabc\r\n"
    answers = []
    for key, body in (("cut", chunks), ("whole", chunks + b"0;chunk-signature=0\r\n\r\n")):
        connection = http.client.HTTPConnection(address, timeout=20)
        headers = {**STREAMING, "x-amz-decoded-content-length": length}
        connection.request("PUT", f"/{bucket}/{key}", body, headers)
        answer = connection.getresponse()
        answers.append((answer.status, b"<Code>IncompleteBody</Code>" in answer.read()))
        connection.close()
    whole = (200, False) if length == "3" else (400, True)
    assert answers == [(400, True), whole]
    stored = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    assert [(one["Key"], one["Size"]) for one in stored] == [("whole", 3)][: whole == (200, False)]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Length: 100", b"half"),
        ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n"),
        ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n-4\r\nmore\r\n0\r\n\r\n"),
    ],
)
def test_an_upload_that_is_cut_off_leaves_the_object_as_it_was(
    aws: Aws, s3: Any, bucket: str, head: str, body: bytes
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"whole")
    address = urllib.parse.urlsplit(aws.local.endpoint_url)
    authorization = STREAMING["Authorization"]
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        assert connection.recv(65_536)
        lines = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {address.netloc}\r\n"
        connection.sendall(f"{lines}Authorization: {authorization}\r\n{head}\r\n\r\n".encode())
        connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 400")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"whole"


def conditions(tag: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    future = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
    holding: list[dict[str, Any]] = [
        {"CopySourceIfMatch": tag},
        {"CopySourceIfNoneMatch": '"other"'},
        {"CopySourceIfModifiedSince": past},
        {"CopySourceIfUnmodifiedSince": future},
        {"CopySourceIfMatch": tag, "CopySourceIfUnmodifiedSince": past},
    ]
    failing: list[dict[str, Any]] = [
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": tag},
        {"CopySourceIfModifiedSince": future},
        {"CopySourceIfUnmodifiedSince": past},
        {"CopySourceIfNoneMatch": tag, "CopySourceIfModifiedSince": past},
    ]
    return holding, failing


def test_a_copy_heeds_the_conditions_on_its_source(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    tag = s3.put_object(Bucket=bucket, Key="source", Body=b"x" * 10)["ETag"]
    source = {"Bucket": bucket, "Key": "source"}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = {"Bucket": bucket, "Key": "parts", "UploadId": upload, "PartNumber": 1}
    holding, failing = conditions(tag)
    for given in failing:
        named = {"CopySource": source, **given}
        assert error_code(s3.copy_object, Bucket=bucket, Key="k", **named) == "PreconditionFailed"
        assert error_code(s3.upload_part_copy, **part, **named) == "PreconditionFailed"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    for given in holding:
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source, **given)
        s3.upload_part_copy(**part, CopySource=source, **given)


def test_a_copy_heeds_the_conditions_on_what_it_replaces(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"new")
    asked = {"Bucket": bucket, "Key": "k", "CopySource": {"Bucket": bucket, "Key": "source"}}
    assert error_code(s3.copy_object, **asked, IfMatch='"any"') == "NoSuchKey"
    s3.copy_object(**asked, IfNoneMatch="*")
    assert error_code(s3.copy_object, **asked, IfNoneMatch="*") == "PreconditionFailed"
    assert error_code(s3.copy_object, **asked, IfMatch='"other"') == "PreconditionFailed"
    s3.copy_object(**asked, IfMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"])


def pages(s3: Any, bucket: str, **more: Any) -> Iterator[dict[str, Any]]:
    """Yield the pages of a listing of versions."""
    after: dict[str, str] = {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, **more, **after)
        yield page
        if not page["IsTruncated"]:
            return
        after = {"KeyMarker": page["NextKeyMarker"]}
        if page.get("NextVersionIdMarker"):
            after["VersionIdMarker"] = page["NextVersionIdMarker"]


def entries(page: dict[str, Any]) -> list[dict[str, str]]:
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]


def filled(s3: Any, bucket: str) -> None:
    """Put three versions of each of five keys, and a delete marker over two of them."""
    for key in "abcde":
        for body in (b"1", b"2", b"3"):
            s3.put_object(Bucket=bucket, Key=f"in/{key}", Body=body)
    for key in "bd":
        s3.delete_object(Bucket=bucket, Key=f"in/{key}")


def test_every_version_is_deleted_page_by_page(s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html"""
    filled(s3, versioned)
    for page in pages(s3, versioned, MaxKeys=4):
        s3.delete_objects(Bucket=versioned, Delete={"Objects": entries(page), "Quiet": True})
    assert entries(s3.list_object_versions(Bucket=versioned)) == []
    s3.delete_bucket(Bucket=versioned)


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
def test_pages_of_versions_hold_each_once_the_latest_first(
    s3: Any, versioned: str, size: int
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html"""
    filled(s3, versioned)
    found = list(pages(s3, versioned, MaxKeys=size))
    listed = [one for page in found for one in entries(page)]
    assert len(listed) == len({(one["Key"], one["VersionId"]) for one in listed}) == 17
    versions = [one for page in found for one in page.get("Versions", [])]
    latest = [one["Key"] for one in versions if one["IsLatest"]]
    assert latest == ["in/a", "in/c", "in/e"]
    sizes = [one["VersionId"] for one in versions if one["Key"] == "in/a"]
    newest = s3.head_object(Bucket=versioned, Key="in/a")["VersionId"]
    assert sizes[0] == newest


def test_versions_are_grouped_by_a_delimiter_in_pages(s3: Any, versioned: str) -> None:
    for key in ("a/1", "a/2", "b/1", "c", "d/1"):
        s3.put_object(Bucket=versioned, Key=key, Body=b"")
    found = list(pages(s3, versioned, MaxKeys=1, Delimiter="/"))
    groups = [one["Prefix"] for page in found for one in page.get("CommonPrefixes", [])]
    assert groups == ["a/", "b/", "d/"]
    assert [one["Key"] for page in found for one in entries(page)] == ["c"]


def test_deletions_are_published_as_what_they_are(aws: Aws, s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
    url, queue = aws.queue()
    lets = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    sqs, events = aws.client("sqs"), aws.client("events")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(lets)})
    direct = {"QueueArn": queue, "Events": ["s3:ObjectRemoved:*"]}
    configuration = {"EventBridgeConfiguration": {}, "QueueConfigurations": [direct]}
    s3.put_bucket_notification_configuration(
        Bucket=versioned, NotificationConfiguration=configuration
    )
    rule = unique("r")
    pattern = {"detail-type": ["Object Deleted"], "detail": {"bucket": {"name": [versioned]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": queue}])
    named = {"Bucket": versioned, "Key": "k"}
    first = s3.put_object(**named, Body=b"1")["VersionId"]
    s3.put_object(**named, Body=b"2")
    marker = s3.delete_object(**named)["VersionId"]
    s3.delete_object(**named, VersionId=first)
    s3.delete_object(**named, VersionId=marker)
    s3.delete_object(**named, VersionId="gone")
    bodies: list[dict[str, Any]] = []

    def received() -> bool | None:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        bodies.extend(json.loads(one["Body"]) for one in answer.get("Messages", []))
        return True if len(bodies) >= 6 else None

    eventually(received)
    details = [one["detail"] for one in bodies if "detail" in one]
    assert sorted((one["deletion-type"], one["object"]["version-id"]) for one in details) == sorted(
        [
            ("Delete Marker Created", marker),
            ("Permanently Deleted", first),
            ("Permanently Deleted", marker),
        ]
    )
    records = [one["Records"][0] for one in bodies if "Records" in one]
    assert sorted((one["eventName"], one["s3"]["object"]["versionId"]) for one in records) == (
        sorted(
            [
                ("ObjectRemoved:DeleteMarkerCreated", marker),
                ("ObjectRemoved:Delete", first),
                ("ObjectRemoved:Delete", marker),
            ]
        )
    )
    events.remove_targets(Rule=rule, Ids=["1"])
    events.delete_rule(Name=rule)
