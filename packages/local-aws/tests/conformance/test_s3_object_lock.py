"""Object Lock: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html"""

import datetime
from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.callers import Caller, allow, denied
from local_aws.testing.refusals import error_code

DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture(scope="module")
def bucket(s3: Any) -> str:
    name = unique("locked")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def retention(mode: str, days: int) -> dict[str, Any]:
    until = datetime.datetime.now(datetime.UTC) + days * DAY
    return {"Mode": mode, "RetainUntilDate": until}


def protected(s3: Any, bucket: str, mode: str) -> dict[str, str]:
    """Return a version that is protected for ten days."""
    key = unique("k")
    version = s3.put_object(Bucket=bucket, Key=key, Body=b"kept")["VersionId"]
    named = {"Bucket": bucket, "Key": key, "VersionId": version}
    s3.put_object_retention(**named, Retention=retention(mode, 10))
    return named


def is_there(s3: Any, named: dict[str, str]) -> bool:
    listed = s3.list_object_versions(Bucket=named["Bucket"], Prefix=named["Key"])
    return named["VersionId"] in [one["VersionId"] for one in listed.get("Versions", ())]


def delete_several(client: Any, named: dict[str, str], **more: Any) -> list[str]:
    """Delete a version as one of several objects; return the codes of what is refused."""
    one = {"Key": named["Key"], "VersionId": named["VersionId"]}
    answer = client.delete_objects(Bucket=named["Bucket"], Delete={"Objects": [one]}, **more)
    return [error["Code"] for error in answer.get("Errors", ())]


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_protected_version_is_not_deleted(s3: Any, bucket: str, mode: str) -> None:
    named = protected(s3, bucket, mode)
    for bypass in ({}, {"BypassGovernanceRetention": False}):
        assert error_code(s3.delete_object, **named, **bypass) == "AccessDenied"
        assert delete_several(s3, named, **bypass) == ["AccessDenied"]
    assert is_there(s3, named)


def test_governance_is_bypassed_on_request_and_compliance_never(s3: Any, bucket: str) -> None:
    bypass = {"BypassGovernanceRetention": True}
    governed = [protected(s3, bucket, "GOVERNANCE") for _ in range(2)]
    s3.delete_object(**governed[0], **bypass)
    assert delete_several(s3, governed[1], **bypass) == []
    assert not any(is_there(s3, named) for named in governed)
    named = protected(s3, bucket, "COMPLIANCE")
    assert error_code(s3.delete_object, **named, **bypass) == "AccessDenied"
    assert delete_several(s3, named, **bypass) == ["AccessDenied"]
    assert is_there(s3, named)


def test_a_bypass_needs_its_own_permission(aws: Aws, s3: Any, bucket: str) -> None:
    deletes = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"]
    without = Caller(aws, allow(deletes)).client("s3")
    named, bypass = protected(s3, bucket, "GOVERNANCE"), {"BypassGovernanceRetention": True}
    assert "BypassGovernance" in denied(without.delete_object, **named, **bypass)["Message"]
    assert delete_several(without, named, **bypass) == ["AccessDenied"]
    shorter = retention("GOVERNANCE", 1)
    denied(without.put_object_retention, **named, Retention=shorter, **bypass)
    assert is_there(s3, named)
    may = Caller(aws, allow([*deletes, "s3:BypassGovernanceRetention"])).client("s3")
    may.put_object_retention(**named, Retention=shorter, **bypass)
    may.delete_object(**named, **bypass)
    assert not is_there(s3, named)


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_retention_is_made_longer_and_no_shorter(s3: Any, bucket: str, mode: str) -> None:
    named = protected(s3, bucket, mode)
    for less in (retention(mode, 9), retention(mode, -1), {}):
        assert error_code(s3.put_object_retention, **named, Retention=less) == "AccessDenied"
    longer = retention(mode, 11)
    s3.put_object_retention(**named, Retention=longer)
    found = s3.head_object(**named)
    assert found["ObjectLockMode"] == mode
    assert abs(found["ObjectLockRetainUntilDate"] - longer["RetainUntilDate"]) < DAY / 2


def test_compliance_is_weakened_by_nobody(s3: Any, bucket: str) -> None:
    named, weaker = protected(s3, bucket, "COMPLIANCE"), retention("GOVERNANCE", 20)
    for bypass in ({}, {"BypassGovernanceRetention": True}):
        given = {**named, "Retention": weaker, **bypass}
        assert error_code(s3.put_object_retention, **given) == "AccessDenied"
    governed = protected(s3, bucket, "GOVERNANCE")
    s3.put_object_retention(**governed, Retention=retention("COMPLIANCE", 20))
    assert s3.head_object(**governed)["ObjectLockMode"] == "COMPLIANCE"


def test_versioning_of_a_locked_bucket_is_not_suspended(s3: Any, bucket: str) -> None:
    suspended = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}}
    assert error_code(s3.put_bucket_versioning, **suspended) == "InvalidBucketState"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_the_retention_of_a_version_is_read_by_who_may(aws: Aws, s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html"""
    named = protected(s3, bucket, "GOVERNANCE")
    found = s3.get_object_retention(**named)["Retention"]
    until = s3.head_object(**named)["ObjectLockRetainUntilDate"]
    assert (found["Mode"], found["RetainUntilDate"]) == ("GOVERNANCE", until)
    denied(Caller(aws, allow("s3:GetObject*Version")).client("s3").get_object_retention, **named)
    free = {"Bucket": bucket, "Key": unique("free")}
    s3.put_object(**free, Body=b"")
    assert error_code(s3.get_object_retention, **free) == "NoSuchObjectLockConfiguration"
