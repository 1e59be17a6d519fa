"""What S3 answers to requests that it cannot read, and to preflight requests of browsers.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import http.client
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from local_aws.testing.aws import Aws, unique

KEY = "Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
TAGS = b"<Tagging><TagSet/></Tagging>"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def error(self) -> tuple[int, str, str]:
        found = re.search(r"<Code>(.*?)</Code><Message>(.*?)</Message>", self.text)
        return (self.status, found[1], found[2]) if found else (self.status, "", "")


@dataclass(frozen=True)
class Bucket:
    aws: Aws
    name: str

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request below the bucket as it is: boto3 would refuse to send most of these."""
        connection = http.client.HTTPConnection(
            urlsplit(self.aws.local.endpoint_url).netloc, timeout=30
        )
        try:
            signed = {"Authorization": f"AWS4-HMAC-SHA256 {KEY}", **(headers or {})}
            connection.request(method, f"/{self.name}{path}", body, signed)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        return Answer(answer.status, dict(answer.getheaders()), text)


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> Bucket:
    name, s3 = unique("malformed"), aws.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"body")
    return Bucket(aws, name)


@pytest.fixture(scope="module")
def upload(bucket: Bucket) -> str:
    s3: Any = bucket.aws.client("s3")
    found: str = s3.create_multipart_upload(Bucket=bucket.name, Key="m")["UploadId"]
    return found


@pytest.mark.parametrize("name", ["max-keys", "max-uploads", "max-parts", "part-number-marker"])
@pytest.mark.parametrize("value", ["abc", "", "99999999999", "1.5"])
def test_a_count_that_is_no_number_is_refused(
    bucket: Bucket, upload: str, name: str, value: str
) -> None:
    path = {"max-keys": "?versions", "max-uploads": "?uploads"}.get(name, f"/m?uploadId={upload}")
    found = bucket.ask("GET", f"{path}&{name}={value}").error
    said = f"Provided {name} not an integer or within integer range"
    assert found == (400, "InvalidArgument", said)


@pytest.mark.parametrize(
    ("path", "name"),
    [("?list-type=2&max-keys=-1", "maxKeys"), ("?uploads&max-uploads=-1", "maxUploads")],
)
def test_a_count_below_0_is_refused(bucket: Bucket, path: str, name: str) -> None:
    said = f"Argument {name} must be an integer between 0 and 2147483647"
    assert bucket.ask("GET", path).error == (400, "InvalidArgument", said)


@pytest.mark.parametrize("count", ["abc", "0", "10001"])
def test_a_list_of_buckets_has_up_to_10000(aws: Aws, count: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html"""
    said = "Argument max-buckets must be an integer between 1 and 10000"
    found = Bucket(aws, "").ask("GET", f"?max-buckets={count}").error
    assert found == (400, "InvalidArgument", said)


@pytest.mark.parametrize("number", ["abc", "", "0", "-1", "10001", "1000000000"])
def test_a_part_has_a_number_up_to_10000(bucket: Bucket, upload: str, number: str) -> None:
    said = "Part number must be an integer between 1 and 10000, inclusive"
    written = bucket.ask("PUT", f"/m?uploadId={upload}&partNumber={number}", b"x")
    assert written.error == (400, "InvalidArgument", said)
    assert bucket.ask("GET", f"/k?partNumber={number}").error == (400, "InvalidArgument", said)


def test_a_part_that_an_object_has_not_is_not_satisfiable(bucket: Bucket) -> None:
    assert bucket.ask("GET", "/k?partNumber=1").text == "body"
    status, code, _ = bucket.ask("GET", "/k?partNumber=2").error
    assert (status, code) == (416, "InvalidPartNumber")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "?tagging"),
        ("PUT", "?lifecycle"),
        ("PUT", "?ownershipControls"),
        ("PUT", "?publicAccessBlock"),
        ("PUT", "?inventory&id=a"),
        ("POST", "?delete"),
        ("POST", "/k?restore"),
        ("POST", "/k?select&select-type=2"),
    ],
)
def test_a_document_of_another_kind_is_malformed(bucket: Bucket, method: str, path: str) -> None:
    status, code, _ = bucket.ask(method, path, b"<other></other>").error
    assert (status, code) == (400, "MalformedXML")


def test_a_form_without_a_key_is_refused(bucket: Bucket) -> None:
    status, code, said = bucket.ask("POST", "?other", b"x").error
    assert (status, code) == (400, "InvalidArgument")
    assert said.startswith("Bucket POST must contain a field named 'key'.")


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_what_belongs_to_an_object_needs_the_object(bucket: Bucket, method: str) -> None:
    status, code, _ = bucket.ask(method, "/absent?tagging", TAGS).error
    assert (status, code) == (404, "NoSuchKey")


def test_what_belongs_to_an_object_with_a_lock_needs_the_object(aws: Aws) -> None:
    name = unique("locked")
    aws.client("s3").create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    body = b"<LegalHold><Status>ON</Status></LegalHold>"
    status, code, _ = Bucket(aws, name).ask("PUT", "/absent?legal-hold", body).error
    assert (status, code) == (404, "NoSuchKey")


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_a_date_that_is_none_is_not_there(bucket: Bucket, name: str) -> None:
    assert bucket.ask("GET", "/k", headers={name: "yesterday"}).text == "body"


@pytest.mark.parametrize("value", ["%0d%0a", "a%0aSet-Cookie:b", "%00", "%01", "%e2%82%ac"])
def test_what_no_header_can_hold_is_refused(bucket: Bucket, value: str) -> None:
    found = bucket.ask("GET", f"/k?response-content-type={value}").error
    assert found[:2] == (400, "InvalidArgument")


ASKED = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-amz-date"}


def test_a_bucket_without_rules_lets_no_page_in(bucket: Bucket) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors-troubleshooting.html"""
    origin = {"Origin": bucket.aws.local.endpoint_url}
    needed = "Insufficient information. Origin request header needed."
    assert bucket.ask("OPTIONS", "/k").error == (400, "BadRequest", needed)
    assert bucket.ask("OPTIONS", "/k", headers=origin).error[:2] == (400, "BadRequest")
    closed = "CORSResponse: CORS is not enabled for this bucket."
    found = bucket.ask("OPTIONS", "/k", headers={**origin, **ASKED}).error
    assert found == (403, "AccessForbidden", closed)


def test_the_first_rule_that_fits_lets_a_page_in(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html"""
    name, s3, origin = unique("cors"), aws.client("s3"), aws.local.endpoint_url
    s3.create_bucket(Bucket=name)
    rules = [
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]},
        {
            "AllowedOrigins": ["http://127.*"],
            "AllowedMethods": ["PUT", "POST"],
            "AllowedHeaders": ["X-Amz-*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 30,
        },
    ]
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
    bucket = Bucket(aws, name)
    found = bucket.ask("OPTIONS", "/k", headers={"Origin": origin, **ASKED})
    assert (found.status, found.headers["Access-Control-Allow-Origin"]) == (200, origin)
    assert found.headers["Access-Control-Allow-Methods"] == "PUT, POST"
    assert found.headers["Access-Control-Allow-Headers"] == "x-amz-date"
    assert found.headers["Access-Control-Expose-Headers"] == "ETag"
    assert found.headers["Access-Control-Max-Age"] == "30"
    for other in (
        {**ASKED, "Access-Control-Request-Method": "DELETE"},
        {**ASKED, "Access-Control-Request-Headers": "x-other"},
    ):
        refused = bucket.ask("OPTIONS", "/k", headers={"Origin": origin, **other}).error
        assert refused[:2] == (403, "AccessForbidden")
