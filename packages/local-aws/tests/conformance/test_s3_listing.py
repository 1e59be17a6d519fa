"""Pages of listings: keys and common prefixes count alike, and each is on one page.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
"""

from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_code

KEYS = ("a/1", "a/2", "b", "c/1", "c/2", "d")


@pytest.fixture(scope="module")
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture(scope="module")
def bucket(s3: Any) -> str:
    return made(s3, *KEYS)


def made(s3: Any, *keys: str) -> str:
    name = unique("listing")
    s3.create_bucket(Bucket=name)
    for key in keys:
        s3.put_object(Bucket=name, Key=key, Body=b"")
    return name


def names(page: dict[str, Any]) -> list[str]:
    common = [one["Prefix"] for one in page.get("CommonPrefixes", [])]
    return sorted([*common, *(one["Key"] for one in page.get("Contents", []))])


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_common_prefix_is_on_one_page_and_counts_as_one_key(
    s3: Any, bucket: str, operation: str, size: int
) -> None:
    pages = s3.get_paginator(operation).paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
    )
    found = [names(page) for page in pages]
    assert [name for page in found for name in page] == ["a/", "b", "c/", "d"]
    assert {len(page) for page in found[:-1]} == {size}


def test_the_marker_of_a_listing_is_a_name_and_stands_where_there_is_a_delimiter(
    s3: Any, bucket: str
) -> None:
    page = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=1)
    assert (page["Marker"], page["NextMarker"]) == ("", "a/")
    assert "NextMarker" not in s3.list_objects(Bucket=bucket, MaxKeys=1)
    for marker in ("a/", "a/1"):
        assert names(s3.list_objects(Bucket=bucket, Delimiter="/", Marker=marker))[0] == "b"


def test_a_listing_after_a_key_has_the_common_prefix_of_the_keys_behind_it(
    s3: Any, bucket: str
) -> None:
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="a/1")
    assert names(page) == ["a/", "b", "c/", "d"]
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="a/2")
    assert names(page) == ["b", "c/", "d"]


def test_a_prefix_whose_objects_were_deleted_is_not_listed(s3: Any) -> None:
    name = made(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in ("gone/1", "here/1", "here/2"):
        s3.put_object(Bucket=name, Key=key, Body=b"")
    for key in ("gone/1", "here/1"):
        s3.delete_object(Bucket=name, Key=key)
    for operation in (s3.list_objects, s3.list_objects_v2):
        assert names(operation(Bucket=name, Delimiter="/")) == ["here/"]


def test_names_are_decoded_once_whatever_they_hold(s3: Any) -> None:
    keys = ("a%2Fb/x", "a+b/x", "a b/x", "é/x", "last \U0010ffff/x")
    name = made(s3, *keys)
    for operation in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(operation).paginate(
            Bucket=name, Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        assert {one for page in pages for one in names(page)} == {key[:-1] for key in keys}
        page = getattr(s3, operation)(Bucket=name, Prefix="a%2Fb/")
        assert (names(page), page["Prefix"]) == (["a%2Fb/x"], "a%2Fb/")


def test_a_page_has_a_thousand_keys_at_most(s3: Any, bucket: str) -> None:
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert s3.list_objects(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert error_code(s3.list_objects_v2, Bucket=bucket, EncodingType="x") == "InvalidArgument"
