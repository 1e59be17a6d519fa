"""What the project relies on of S3."""

import base64
import hashlib
import http.client
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_response


@pytest.fixture(scope="module")
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = unique("b")
    s3.create_bucket(Bucket=name)
    return name


def fetch(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_versioned_bucket_keeps_what_was_overwritten_and_deleted(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html"""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2")["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == second
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"1"
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert deleted["DeleteMarker"]
    assert error_response(s3.get_object, Bucket=bucket, Key="k")["Error"]["Code"] == "NoSuchKey"
    found = s3.list_object_versions(Bucket=bucket)
    assert {version["VersionId"] for version in found["Versions"]} == {first, second}
    s3.delete_object(Bucket=bucket, Key="k", VersionId=deleted["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_a_deletion_of_a_missing_key_leaves_a_delete_marker_in_a_versioned_bucket(
    s3: Any, bucket: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html"""
    assert "VersionId" not in s3.delete_object(Bucket=bucket, Key="absent")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = s3.delete_object(Bucket=bucket, Key="absent")
    assert one["DeleteMarker"]
    many = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "other"}]})["Deleted"][0]
    found = s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in found
    markers = [(m["Key"], m["VersionId"], m["IsLatest"]) for m in found["DeleteMarkers"]]
    assert markers == [
        ("absent", one["VersionId"], True),
        ("other", many["DeleteMarkerVersionId"], True),
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert error_response(s3.head_object, Bucket=bucket, Key="absent")["Error"]["Code"] == "404"
    s3.delete_object(Bucket=bucket, Key="absent", VersionId=one["VersionId"])
    left = s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
    assert [marker["Key"] for marker in left] == ["other"]


def test_a_conditional_put_takes_the_first_writer_and_the_one_that_saw_the_last(
    s3: Any, bucket: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
    tag = s3.put_object(Bucket=bucket, Key="lock", Body=b"a", IfNoneMatch="*")["ETag"]
    answer = error_response(s3.put_object, Bucket=bucket, Key="lock", Body=b"b", IfNoneMatch="*")
    assert answer["Error"]["Code"] == "PreconditionFailed"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
    s3.put_object(Bucket=bucket, Key="lock", Body=b"c", IfMatch=tag)
    answer = error_response(s3.put_object, Bucket=bucket, Key="lock", Body=b"d", IfMatch=tag)
    assert answer["Error"]["Code"] == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="lock")["Body"].read() == b"c"


def test_of_many_conditional_writers_one_is_the_first(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
    codes = []

    def write() -> None:
        try:
            s3.put_object(Bucket=bucket, Key="lock", Body=b"x", IfNoneMatch="*")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=write) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert codes == ["PreconditionFailed"] * 15


def test_checksums_are_stored_returned_and_compared_with_the_body(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html"""
    body = b"pixels" * 1000
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumSHA256=digest)
    found = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["ChecksumSHA256"] == digest
    wrong = base64.b64encode(bytes(32)).decode()
    answer = error_response(s3.put_object, Bucket=bucket, Key="l", Body=body, ChecksumSHA256=wrong)
    assert answer["Error"]["Code"] == "BadDigest"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_large_object_comes_in_parts(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""
    size = 5 * 1024 * 1024
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    common = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**common, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in ((1, b"a" * size), (2, b"b" * 10))
    ]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    done = s3.complete_multipart_upload(**common, MultipartUpload={"Parts": parts})
    assert done["ETag"].strip('"').endswith("-2")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == size + 10


def test_an_upload_that_is_given_up_leaves_nothing(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html"""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_listing_comes_in_pages_and_folders(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
    keys = [f"{folder}/{number}" for folder in ("a", "b") for number in range(5)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 3}
    )
    found = [[item["Key"] for item in page["Contents"]] for page in pages]
    assert [len(page) for page in found] == [3, 3, 3, 1]
    assert [key for page in found for key in page] == keys
    folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]
    assert [folder["Prefix"] for folder in folders] == ["a/", "b/"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="b/2")["Contents"]
    assert [item["Key"] for item in after] == ["b/3", "b/4"]


def test_a_presigned_url_serves_who_has_it_and_nothing_else(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html"""
    named = {"Bucket": bucket, "Key": "a/ü k"}
    put = s3.generate_presigned_url("put_object", Params=named)
    assert fetch(put, "PUT", b"body")[0] == 200
    get = s3.generate_presigned_url("get_object", Params=named)
    assert fetch(get) == (200, b"body")
    assert s3.get_object(**named)["Body"].read() == b"body"


def test_a_range_gives_that_part_and_one_outside_is_refused(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (found["Body"].read(), found["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=-3")["Body"].read() == b"789"
    answer = error_response(s3.get_object, Bucket=bucket, Key="k", Range="bytes=20-30")
    assert answer["Error"]["Code"] == "InvalidRange"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_an_object_names_the_key_that_it_is_encrypted_with(aws: Aws, s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html"""
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    made = s3.put_object(Bucket=bucket, Key="k", Body=b"x", BucketKeyEnabled=True, **encrypted)
    found = s3.head_object(Bucket=bucket, Key="k")
    for answer in (made, found):
        assert answer["ServerSideEncryption"] == "aws:kms"
        assert answer["SSEKMSKeyId"] == key


def test_metadata_and_odd_keys_come_back_as_they_were_sent(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
    metadata = {"with_underscore": "1", "with-dash": "2"}
    for key in ("a/b c", "a//b", "ü%2F+", "a=b&c?d#e", "trailing/"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata=metadata)
        found = s3.get_object(Bucket=bucket, Key=key)
        assert found["Body"].read() == key.encode()
        assert found["Metadata"] == metadata
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 5


def test_a_copy_takes_the_body_and_a_batch_deletes(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ContentType="image/png")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    found = s3.get_object(Bucket=bucket, Key="b")
    assert (found["Body"].read(), found["ContentType"]) == (b"x", "image/png")
    objects = [{"Key": key} for key in ("a", "b", "none")]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert len(deleted["Deleted"]) == 3 and "Errors" not in deleted
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
