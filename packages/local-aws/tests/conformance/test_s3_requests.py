"""What S3 refuses of names, keys, metadata, policies and parts, against its API pages."""

import bz2
import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, new_client, policy, unique

PART = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> str:
    name = unique("requests")
    aws.client("s3").create_bucket(Bucket=name)
    return name


def code(call: Callable[..., Any], **parameters: Any) -> tuple[str, int] | None:
    """Return the error code and status of a call; None where it succeeds."""
    try:
        call(**parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return error.response["Error"]["Code"], status
    return None


@pytest.mark.parametrize(
    "name", ["a..b", "192.168.0.1", "-abc", "abc-", "xn--abc", "abc-s3alias", "under_score"]
)
def test_a_bucket_needs_a_name_as_s3_takes_it(aws: Aws, name: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    s3 = aws.client("s3")
    assert code(s3.create_bucket, Bucket=name) == ("InvalidBucketName", 400)


def test_what_is_too_large_for_a_key_and_its_metadata_is_refused(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
    s3 = aws.client("s3")
    put = {"Bucket": bucket, "Body": b""}
    assert code(s3.put_object, **put, Key="k" * 1024) is None
    assert code(s3.put_object, **put, Key="k" * 1025) == ("KeyTooLongError", 400)
    found = code(s3.put_object, **put, Key="k", Metadata={"m": "x" * 2048})
    assert found == ("MetadataTooLarge", 400)
    tags = {"TagSet": [{"Key": "t", "Value": "1"}, {"Key": "t", "Value": "2"}]}
    put_tags = {"Bucket": bucket, "Key": "k" * 1024, "Tagging": tags}
    assert code(s3.put_object_tagging, **put_tags) == ("InvalidTag", 400)
    many = {"Objects": [{"Key": str(number)} for number in range(1001)]}
    assert code(s3.delete_objects, Bucket=bucket, Delete=many) == ("MalformedXML", 400)


@pytest.mark.parametrize(
    "policy",
    [
        "{no",
        "[]",
        '{"Statement": [{"Effect": "Allow"}]}',
        '{"Statement": {"Effect": "deny", "Principal": "*", "Action": "*", "Resource": "*"}}',
        '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": 5, "Resource": "*"}}',
        '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", '
        '"Condition": 5}}',
    ],
)
def test_a_text_that_is_no_policy_leaves_the_bucket_as_it_was(
    aws: Aws, bucket: str, policy: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html"""
    s3 = aws.client("s3")
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy=policy) == ("MalformedPolicy", 400)
    assert code(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)


@pytest.mark.parametrize("body", [b"", b"{}", b"<CORSConfiguration>"])
def test_a_configuration_that_is_no_xml_is_refused(aws: Aws, bucket: str, body: bytes) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html"""
    s3 = new_client(aws.local.endpoint_url, "s3")

    def replace(params: dict[str, Any], **_: Any) -> None:
        params["body"] = body

    s3.meta.events.register("before-call.s3.PutBucketCors", replace)
    rules = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    given = {"Bucket": bucket, "CORSConfiguration": rules}
    assert code(s3.put_bucket_cors, **given) == ("MalformedXML", 400)


@pytest.mark.parametrize("header", [{"GrantRead": "everybody"}, {"ACL": "public-everything"}])
def test_an_acl_that_is_none_is_refused(aws: Aws, bucket: str, header: dict[str, str]) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html"""
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    given = {"Bucket": bucket, "Key": "k", **header}
    assert code(s3.put_object_acl, **given) == ("InvalidArgument", 400)


def test_a_page_that_was_never_given_and_a_range_in_another_unit(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
    s3 = aws.client("s3")
    page = {"Bucket": bucket, "ContinuationToken": "never"}
    assert code(s3.list_objects_v2, **page) == ("InvalidArgument", 400)
    s3.put_object(Bucket=bucket, Key="r", Body=b"0123")
    assert s3.get_object(Bucket=bucket, Key="r", Range="lines=1-2")["Body"].read() == b"0123"


@pytest.mark.parametrize("count", [-1, 2**31])
def test_a_page_of_no_number_of_keys_is_refused(aws: Aws, bucket: str, count: int) -> None:
    s3 = aws.client("s3")
    for call in (s3.list_objects_v2, s3.list_objects):
        assert code(call, Bucket=bucket, MaxKeys=count) == ("InvalidArgument", 400)


def test_a_quiet_deletion_names_errors_only(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
    given = {"Objects": [{"Key": "absent"}]}
    delete = aws.client("s3").delete_objects
    assert delete(Bucket=bucket, Delete=given)["Deleted"] == [{"Key": "absent"}]
    assert "Deleted" not in delete(Bucket=bucket, Delete={**given, "Quiet": True})


def test_a_delete_marker_has_no_content(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html"""
    s3, name = aws.client("s3"), unique("b")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="k", Body=b"1")
    marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    asked = {"Bucket": name, "Key": "k", "VersionId": marker}
    assert code(s3.get_object, **asked) == ("MethodNotAllowed", 405)


@pytest.mark.parametrize("kind", ["Queue", "Topic", "LambdaFunction"])
def test_a_notification_needs_a_destination_that_lets_s3_in(
    aws: Aws, bucket: str, kind: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html"""
    s3, sqs, sns, functions = map(aws.client, ("s3", "sqs", "sns", "lambda"))
    source = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}
    lets = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Condition": source}
    url, queue = aws.queue()
    topic = sns.create_topic(Name=unique("t"))["TopicArn"]
    name = aws.function("def handler(event, context):\n    return 1\n")
    function = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    # The policy that a topic has at first lets every service of the account in.
    closed = policy({**lets, "Action": "sns:Publish", "Resource": topic, "Effect": "Deny"})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=closed)
    arn = {"Queue": queue, "Topic": topic, "LambdaFunction": function}[kind]

    def refused(arn: str, **more: Any) -> str:
        rules = [{f"{kind}Arn": arn, "Events": ["s3:ObjectCreated:*"]}]
        given = {"Bucket": bucket, "NotificationConfiguration": {f"{kind}Configurations": rules}}
        try:
            s3.put_bucket_notification_configuration(**given, **more)
        except ClientError as error:
            found: dict[str, Any] = dict(error.response["Error"])
            assert found["Code"] == "InvalidArgument"
            assert found["Message"].startswith("Unable to validate the following destination")
            return str(found["ArgumentValue"])
        return ""

    assert "does not exist" in refused(f"{arn}-absent")
    assert "does not exist" in refused(arn.replace("us-east-1", "nowhere-1"))
    assert re.search("Permissions on the destination|Not authorized to invoke", refused(arn))
    assert refused(arn, SkipDestinationValidation=True) == ""
    policies = {"Action": ["sqs:SendMessage", "sns:Publish"], "Resource": "*"}
    text = policy({**lets, **policies})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)
    functions.add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )
    assert refused(arn) == ""


def test_an_upload_in_parts_is_checked_and_read_by_its_parts(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""
    s3 = aws.client("s3")
    place = {"Bucket": bucket, "Key": "parts"}
    made = s3.create_multipart_upload(**place, ChecksumAlgorithm="SHA256")
    place["UploadId"] = made["UploadId"]
    parts = []
    for number, body in ((1, b"a" * PART), (2, b"b"), (3, b"not named")):
        sent = s3.upload_part(**place, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append(
            {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]}
        )

    def completed(*named: dict[str, Any]) -> tuple[str, int] | None:
        given = {"Parts": list(named)}
        return code(s3.complete_multipart_upload, **place, MultipartUpload=given)

    assert completed(parts[1], parts[0]) == ("InvalidPartOrder", 400)
    assert completed(parts[0], {**parts[1], "PartNumber": 4}) == ("InvalidPart", 400)
    assert completed(parts[0], parts[1]) is None
    late = code(s3.upload_part, **place, PartNumber=1, Body=b"x")
    assert late == ("NoSuchUpload", 404)
    del place["UploadId"]
    second = s3.get_object(**place, PartNumber=2)
    assert second["Body"].read() == b"b"
    assert second["ContentRange"] == f"bytes {PART}-{PART}/{PART + 1}"
    assert second["PartsCount"] == 2
    head = s3.head_object(**place, ChecksumMode="ENABLED")
    assert head["ChecksumType"] == "COMPOSITE" and head["ChecksumSHA256"].endswith("-2")


@pytest.mark.parametrize(("kind", "pack"), [("GZIP", gzip.compress), ("BZIP2", bz2.compress)])
def test_a_query_unpacks_only_so_much_of_an_object(
    aws: Aws, bucket: str, kind: str, pack: Callable[[bytes], bytes]
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_SelectObjectContent.html"""
    s3 = aws.client("s3")
    asked = {
        "Bucket": bucket,
        "Key": "packed",
        "Expression": "SELECT * FROM s3object",
        "ExpressionType": "SQL",
        "InputSerialization": {"CSV": {}, "CompressionType": kind},
        "OutputSerialization": {"CSV": {}},
    }
    for body, expected in (
        (pack(b"a,b\n"), None),
        (pack(bytes(100 << 20)), ("InvalidRequest", 400)),
        (pack(b"a,b\n" * 100)[:-10], ("TruncatedInput", 400)),
    ):
        s3.put_object(Bucket=bucket, Key="packed", Body=body)
        assert code(s3.select_object_content, **asked) == expected
