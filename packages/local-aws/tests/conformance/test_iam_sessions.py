from typing import Any

import pytest

from local_aws.lambda_.functions import base_runtime
from local_aws.testing.aws import Aws, package, policy
from local_aws.testing.callers import IAM_ARN, Caller, allow, denied, refusal

ALL = {"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}


def assume(aws: Aws, role: Caller, **more: Any) -> dict[str, str]:
    given = {"RoleArn": role.arn, "RoleSessionName": "one", **more}
    error: dict[str, str] = refusal(aws.client("sts").assume_role, **given)["Error"]
    return error


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"RoleSessionName": "a/b"}, "ValidationError", "regular expression pattern"),
        ({"RoleSessionName": "a\nb"}, "ValidationError", "regular expression pattern"),
        ({"DurationSeconds": 43_201}, "ValidationError", "less than or equal to 43200"),
        ({"DurationSeconds": 3_601}, "ValidationError", "MaxSessionDuration set for this role"),
        ({"Policy": "{"}, "MalformedPolicyDocument", "Syntax errors"),
        ({"Policy": '{"Statement": "x"}'}, "MalformedPolicyDocument", "Syntax errors"),
    ],
)
def test_a_session_that_sts_refuses(aws: Aws, given: dict[str, Any], code: str, words: str) -> None:
    """docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
    found = assume(aws, Caller(aws), **given)
    assert found["Code"] == code
    assert words in found["Message"]


def test_a_session_of_a_session_lasts_an_hour_at_most(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining"""
    long = Caller(aws, MaxSessionDuration=7_200)
    asked = {"RoleArn": long.arn, "RoleSessionName": "one", "DurationSeconds": 7_200}
    aws.client("sts").assume_role(**asked)
    chained = Caller(aws, allow("sts:AssumeRole")).client("sts")
    assert "role chaining" in refusal(chained.assume_role, **asked)["Error"]["Message"]


def test_tags_of_a_session_need_the_roles_trust_and_count_in_policies(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html"""
    tags = [{"Key": "team", "Value": "a"}]
    assert "sts:TagSession" in assume(aws, Caller(aws), Tags=tags)["Message"]
    ours = {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}
    role = Caller(aws, allow("s3:*", **ours), trust=ALL)
    assert role.client("s3", Tags=tags).list_buckets()
    denied(role.client("s3").list_buckets)
    asked = {"Condition": {"StringEquals": {"aws:RequestTag/team": "a"}}}
    only = Caller(aws, allow("s3:*"), trust=ALL | asked)
    assert assume(aws, only, Tags=[{"Key": "team", "Value": "b"}])["Code"] == "AccessDenied"
    assert only.client("sts", Tags=tags).get_caller_identity()


def test_a_source_identity_needs_the_roles_trust_and_counts_in_policies(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html"""
    found = assume(aws, Caller(aws), SourceIdentity="mary")
    assert "sts:SetSourceIdentity" in found["Message"]
    mary = {"Condition": {"StringEquals": {"aws:SourceIdentity": "mary"}}}
    role = Caller(aws, allow("s3:*", **mary), trust=ALL)
    assert role.client("s3", SourceIdentity="mary").list_buckets()
    denied(role.client("s3", SourceIdentity="john").list_buckets)


def trust(arn: str) -> str:
    """Return a trust policy for one principal."""
    return policy({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})


def delete(aws: Aws, role: Caller) -> None:
    """Delete a role with its own policy."""
    aws.client("iam").delete_role_policy(RoleName=role.name, PolicyName="own")
    aws.client("iam").delete_role(RoleName=role.name)


def create_again(aws: Aws, role: Caller, *statements: dict[str, Any]) -> None:
    """Create another role of the same name."""
    iam = aws.client("iam")
    iam.create_role(RoleName=role.name, AssumeRolePolicyDocument=trust(f"{IAM_ARN}:root"))
    iam.put_role_policy(RoleName=role.name, PolicyName="own", PolicyDocument=policy(*statements))


def test_a_session_of_a_deleted_role_has_no_right_any_more(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids"""
    s3 = aws.client("s3")
    role = Caller(aws, allow("s3:*"))
    s3.create_bucket(Bucket=role.name)
    s3.put_object(Bucket=role.name, Key="k", Body=b"1")
    session, identity = role.client("s3"), role.client("sts")
    read = {"Bucket": role.name, "Key": "k"}
    assert session.get_object(**read)
    delete(aws, role)
    anybody = allow("s3:GetObject", f"arn:aws:s3:::{role.name}/*", Principal="*")
    s3.put_bucket_policy(Bucket=role.name, Policy=policy(anybody))
    assert refusal(session.get_object, **read)["Error"]["Code"] == "InvalidAccessKeyId"
    assert refusal(identity.get_caller_identity)["Error"]["Code"] == "InvalidClientTokenId"
    create_again(aws, role, allow("s3:*"))
    assert refusal(session.get_object, **read)["Error"]["Code"] == "InvalidAccessKeyId"
    assert role.client("s3").get_object(**read)


def test_a_service_takes_a_role_anew_that_was_deleted_and_created_again(aws: Aws) -> None:
    role = Caller(aws, allow("sqs:*"), principal={"Service": "lambda.amazonaws.com"})
    url = aws.client("sqs").create_queue(QueueName=role.name)["QueueUrl"]
    source = "import boto3\ndef handler(event, _):\n    "
    source += f"boto3.client('sqs').send_message(QueueUrl={url!r}, MessageBody='1')\n    return 1\n"
    aws.client("lambda").create_function(
        FunctionName=role.name,
        Runtime=base_runtime(),
        Role=role.arn,
        Handler="app.handler",
        Code={"ZipFile": package({"app.py": source})},
    )
    invoke = aws.client("lambda").invoke
    assert "FunctionError" not in invoke(FunctionName=role.name)
    delete(aws, role)
    iam = aws.client("iam")
    service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    iam.create_role(
        RoleName=role.name,
        AssumeRolePolicyDocument=policy(service | {"Action": "sts:AssumeRole"}),
    )
    iam.put_role_policy(RoleName=role.name, PolicyName="own", PolicyDocument=policy(allow("sqs:*")))
    assert "FunctionError" not in invoke(FunctionName=role.name)


def test_a_policy_that_names_a_deleted_role_does_not_name_the_next_of_that_name(aws: Aws) -> None:
    """docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
    iam, s3, sqs = aws.client("iam"), aws.client("s3"), aws.client("sqs")
    role = Caller(aws, allow("sts:*"))
    target = Caller(aws, allow("s3:*"))
    iam.update_assume_role_policy(RoleName=target.name, PolicyDocument=trust(role.arn))
    s3.create_bucket(Bucket=role.name)
    given = allow("s3:GetObject", f"arn:aws:s3:::{role.name}/*", Principal={"AWS": [role.arn]})
    s3.put_bucket_policy(Bucket=role.name, Policy=policy(given))
    queued = policy(allow("sqs:SendMessage", Principal={"AWS": role.arn}))
    url = sqs.create_queue(QueueName=role.name, Attributes={"Policy": queued})["QueueUrl"]
    ecr, events = aws.client("ecr"), aws.client("events")
    ecr.create_repository(repositoryName=role.name)
    pulled = {"Effect": "Allow", "Action": "ecr:ListImages", "Principal": {"AWS": role.arn}}
    ecr.set_repository_policy(repositoryName=role.name, policyText=policy(pulled))
    bus = events.create_event_bus(Name=role.name)["EventBusArn"]
    sent = allow("events:PutEvents", bus, Principal={"AWS": role.arn}, Sid="own")
    events.put_permission(EventBusName=role.name, Policy=policy(sent))
    unique = iam.get_role(RoleName=role.name)["Role"]["RoleId"]
    delete(aws, role)
    create_again(aws, role, allow("sts:*"))
    kept = iam.get_role(RoleName=target.name)["Role"]["AssumeRolePolicyDocument"]
    assert kept["Statement"][0]["Principal"] == {"AWS": unique}
    assert unique in s3.get_bucket_policy(Bucket=role.name)["Policy"]
    session = role.client("sts")
    denied(session.assume_role, RoleArn=target.arn, RoleSessionName="one")
    denied(role.client("sqs").send_message, QueueUrl=url, MessageBody="1")
    denied(role.client("ecr").list_images, repositoryName=role.name)
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": role.name}
    denied(role.client("events").put_events, Entries=[entry])
    iam.update_assume_role_policy(RoleName=target.name, PolicyDocument=trust(role.arn))
    assert session.assume_role(RoleArn=target.arn, RoleSessionName="one")
