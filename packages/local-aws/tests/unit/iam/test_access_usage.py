"""Which statements a role needed, and which of their actions nobody asked for."""

from typing import Any

from local_aws.iam.access_usage import Usage
from local_aws.iam.policy_evaluation import Access

ROLE = "arn:aws:iam::123456789012:role/r"
READ = {
    "Sid": "Read",
    "Effect": "Allow",
    "Action": ["s3:Get*", "s3:ListBucket"],
    "Resource": "arn:aws:s3:::b/*",
}
ANY = {"Sid": "Any", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
NEVER = {"Sid": "Never", "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}
TAGGED = {
    "Sid": "Tagged",
    "Effect": "Allow",
    "Action": "kms:Decrypt",
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:ResourceTag/x": "1"}},
}
POLICY = {"Statement": [READ, ANY, NEVER, TAGGED]}


def read(key: str, bucket: str = "b") -> Access:
    return Access("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", {})


def uses(*accesses: Access) -> dict[str, Any]:
    usage = Usage()
    for access in accesses:
        usage.add(ROLE, [POLICY], access)
    return {use["sid"]: use for use in usage.of(ROLE, [POLICY])}


def test_a_statement_is_needed_where_no_other_one_allows_an_access_as_well() -> None:
    found = uses(read("k"))
    assert found["Read"]["used"] == found["Any"]["used"] == ["s3:GetObject"]
    assert found["Read"]["alone"] == found["Any"]["alone"] == []
    assert uses(read("k", "other"))["Any"]["alone"] == ["s3:GetObject"]


def test_unused_actions_are_reported_as_the_policy_spells_them() -> None:
    assert uses(read("k"))["Read"]["unused"] == ["s3:ListBucket"]
    assert uses()["Read"]["unused"] == ["s3:Get*", "s3:ListBucket"]


def test_what_a_condition_looks_at_counts() -> None:
    access = Access("kms:Decrypt", "*", {"aws:resourcetag/x": "1"})
    assert uses(access)["Tagged"]["alone"] == ["kms:Decrypt"]


def test_denying_statements_are_not_reported() -> None:
    assert set(uses(read("k"))) == {"Read", "Any", "Tagged"}


def test_an_access_that_a_resources_policy_allows_needs_no_statement() -> None:
    stranger = Access("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q", {})
    assert all(not use["used"] for use in uses(stranger).values())


def test_a_changed_policy_is_evaluated_again() -> None:
    usage = Usage()
    usage.add(ROLE, [POLICY], read("k"))
    (only,) = usage.of(ROLE, [{"Statement": READ | {"Sid": "Other"}}])
    assert only["used"] == []


def test_an_access_that_was_seen_before_counts_for_a_policy_that_came_since() -> None:
    usage, changed = Usage(), [{"Statement": READ | {"Sid": "Other"}}]
    usage.add(ROLE, [POLICY], read("k"))
    usage.add(ROLE, changed, read("k"))
    (only,) = usage.of(ROLE, changed)
    assert only["alone"] == ["s3:GetObject"]


def test_more_accesses_than_are_remembered_lose_nothing() -> None:
    usage = Usage()
    usage.add(ROLE, [POLICY], read("k", "first"))
    for number in range(5_000):
        usage.add(ROLE, [POLICY], read(str(number)))
    assert usage.of(ROLE, [POLICY])[1]["alone"] == ["s3:GetObject"]
