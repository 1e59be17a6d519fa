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


def test_what_was_versioned_stays_while_versioning_is_suspended(s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/VersionSuspendedBehavior.html"""
    asked = {"Bucket": versioned, "Key": "k"}
    first = s3.put_object(**asked, Body=b"1")["VersionId"]
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(**asked, Body=b"2")
    s3.put_object(**asked, Body=b"3")
    assert shown(s3, versioned) == ["null", first]
    assert s3.get_object(**asked, VersionId=first)["Body"].read() == b"1"
    assert s3.get_object(**asked, VersionId="null")["Body"].read() == b"3"
    marker = s3.delete_object(**asked)
    assert (marker["DeleteMarker"], marker["VersionId"]) == (True, "null")
    s3.delete_object(**asked)
    assert shown(s3, versioned) == ["marker null", first]
    assert error_code(s3.get_object, **asked) == "NoSuchKey"
    s3.put_object(**asked, Body=b"4")
    assert shown(s3, versioned) == ["null", first]
    s3.delete_object(**asked, VersionId="null")
    assert s3.get_object(**asked)["Body"].read() == b"1"


def shown(s3: Any, bucket: str) -> list[str]:
    """Return the versions of a bucket's only key, the latest first."""
    page = s3.list_object_versions(Bucket=bucket)
    found = [(one["IsLatest"], one["VersionId"]) for one in page.get("Versions", [])]
    markers = page.get("DeleteMarkers", [])
    found += [(one["IsLatest"], f"marker {one['VersionId']}") for one in markers]
    return [name for _, name in sorted(found, reverse=True)]


def test_a_version_of_a_marker_says_so_and_others_stay(s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html"""
    asked = {"Bucket": versioned, "Key": "k"}
    first = s3.put_object(**asked, Body=b"1")["VersionId"]
    marker = s3.delete_object(**asked)["VersionId"]
    s3.delete_object(**asked, VersionId="no-such-version")
    assert s3.delete_object(**asked, VersionId=marker)["DeleteMarker"] is True
    assert shown(s3, versioned) == [first]
    refused = error_code(
        s3.put_bucket_versioning,
        Bucket=versioned,
        VersioningConfiguration={"Status": "Resumed"},
    )
    assert refused == "MalformedXML"


def test_a_condition_that_s3_does_not_have_is_refused(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    for given in ({"IfNoneMatch": tag}, {"IfMatch": "*"}, {"IfMatch": tag, "IfNoneMatch": "*"}):
        put = {"Bucket": bucket, "Key": "k", "Body": b"2"}
        assert error_code(s3.put_object, **put, **given) == "NotImplemented"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_an_object_that_changed_is_not_deleted(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html"""
    tags = {key: s3.put_object(Bucket=bucket, Key=key, Body=b"1")["ETag"] for key in "ab&"}
    asked = {"Bucket": bucket, "Key": "a"}
    assert error_code(s3.delete_object, **asked, IfMatch='"other"') == "PreconditionFailed"
    given = [{"Key": "a", "ETag": '"other"'}, {"Key": "&", "ETag": '"other"'}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": given})
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [
        ("a", "PreconditionFailed"),
        ("&", "PreconditionFailed"),
    ]
    assert "Deleted" not in answer
    given = [*given, {"Key": "b", "ETag": tags["b"]}, {"Key": "absent"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": given})
    assert [one["Key"] for one in answer["Deleted"]] == ["b", "absent"]
    assert [one["Key"] for one in answer["Errors"]] == ["a", "&"]
    s3.delete_object(**asked, IfMatch="*")
    assert error_code(s3.delete_object, **asked, IfMatch="*") == "NoSuchKey"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"Tagging": "&".join(f"k{number}=v" for number in range(11))}, "BadRequest"),
    ({"Tagging": "a=1&a=2"}, "InvalidArgument"),
    ({"Tagging": "aws:a=1"}, "InvalidTag"),
    ({"ACL": "nobodys"}, "InvalidArgument"),
    ({"StorageClass": "BEST"}, "InvalidStorageClass"),
    ({"ServerSideEncryption": "rot13"}, "InvalidArgument"),
    ({"Metadata": {"a": "x" * 2049}}, "MetadataTooLarge"),
    ({"ExpectedBucketOwner": "999999999999"}, "AccessDenied"),
]


@pytest.mark.parametrize(("given", "expected"), REFUSED)
def test_what_is_refused_with_an_object_stores_nothing(
    s3: Any, bucket: str, given: dict[str, Any], expected: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"1")
    asked = {"Bucket": bucket, "Key": "k"}
    assert error_code(s3.put_object, **asked, Body=b"2", **given) == expected
    copied = {**asked, "CopySource": f"{bucket}/source", "MetadataDirective": "REPLACE"}
    assert error_code(s3.copy_object, **copied, TaggingDirective="REPLACE", **given) == expected
    assert error_code(s3.create_multipart_upload, **asked, **given) == expected
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["source"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_checksum_is_one_of_its_algorithm_and_tells_its_type(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html"""
    asked = {"Bucket": bucket, "Key": "k", "Body": b"body"}
    for given in (
        {"ChecksumSHA256": "AAAA"},
        {"ChecksumCRC32C": "no base64"},
        {"ChecksumCRC32": "AAAAAA==", "ChecksumCRC32C": "AAAAAA=="},
    ):
        assert error_code(s3.put_object, **asked, **given) == "InvalidRequest"
    answer = s3.put_object(**asked, ChecksumAlgorithm="SHA256")
    assert answer["ChecksumType"] == "FULL_OBJECT"
    found = {"Bucket": bucket, "Key": "k", "ObjectAttributes": ["Checksum"]}
    assert s3.get_object_attributes(**found)["Checksum"] == {
        "ChecksumSHA256": answer["ChecksumSHA256"],
        "ChecksumType": "FULL_OBJECT",
    }
    found["ObjectAttributes"] = ["Colour"]
    assert error_code(s3.get_object_attributes, **found) == "InvalidArgument"


def test_a_copy_has_directives_and_ranges_that_there_are(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123")
    asked = {"Bucket": bucket, "Key": "k", "CopySource": f"{bucket}/source"}
    for name in ("MetadataDirective", "TaggingDirective"):
        assert error_code(s3.copy_object, **asked, **{name: "KEEP"}) == "InvalidArgument"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = {**asked, "UploadId": upload, "PartNumber": 1}
    for wrong in ("0-3", "bytes=0-4", "bytes=2-1", "bytes=0-"):
        refused = error_code(s3.upload_part_copy, **part, CopySourceRange=wrong)
        assert refused == "InvalidArgument"
    assert s3.upload_part_copy(**part, CopySourceRange="bytes=1-3")["CopyPartResult"]["ETag"]


EXPIRATION = {"Expiration": {"Days": 7}}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"Expiration": {"Days": 0}}], "InvalidArgument"),
        ([{"ID": "a", **EXPIRATION}, {"ID": "a", **EXPIRATION}], "InvalidArgument"),
        ([{"ID": "a" * 256, **EXPIRATION}], "InvalidArgument"),
        ([{**EXPIRATION, "Status": "On"}], "MalformedXML"),
        ([{}], "InvalidRequest"),
        ([{"Transitions": [{"Days": 10, "StorageClass": "STANDARD_IA"}]}], "InvalidArgument"),
        ([{"Transitions": [{"Days": 10, "StorageClass": "COLD"}]}], "MalformedXML"),
        (
            [{**EXPIRATION, "Transitions": [{"Days": 9, "StorageClass": "GLACIER"}]}],
            "InvalidArgument",
        ),
        ([{"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}], "InvalidArgument"),
        ([EXPIRATION], None),
    ],
)
def test_a_rule_of_a_lifecycle_that_s3_refuses(
    s3: Any, bucket: str, rules: list[dict[str, Any]], expected: str | None
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html"""
    given = [{"Status": "Enabled", "Filter": {"Prefix": ""}, **rule} for rule in rules]
    asked = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": given}}
    assert error_code(s3.put_bucket_lifecycle_configuration, **asked) == expected
