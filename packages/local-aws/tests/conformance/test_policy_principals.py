"""No policy names a role or a user that does not exist: somebody may take the name later."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.testing.aws import ACCOUNT, Aws, policy, unique
from local_aws.testing.refusals import error_code

Put = Callable[[Aws, str], Any]


def statement(principal: str, action: str, **more: Any) -> str:
    return policy({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, **more})


def new_role(aws: Aws, principal: str) -> Any:
    trust = statement(principal, "sts:AssumeRole")
    return aws.client("iam").create_role(RoleName=unique("r"), AssumeRolePolicyDocument=trust)


def changed_role(aws: Aws, principal: str) -> Any:
    name = aws.role_with().rpartition("/")[2]
    return aws.client("iam").update_assume_role_policy(
        RoleName=name, PolicyDocument=statement(principal, "sts:AssumeRole")
    )


def bucket(aws: Aws, principal: str) -> Any:
    name, client = unique("b"), aws.client("s3")
    client.create_bucket(Bucket=name)
    text = statement(principal, "s3:GetObject", Resource=f"arn:aws:s3:::{name}/*")
    return client.put_bucket_policy(Bucket=name, Policy=text)


def key(aws: Aws, principal: str) -> Any:
    own = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    given = {**own, "Principal": {"AWS": [principal]}}
    return aws.client("kms").create_key(Policy=policy(own, given))


def queue(aws: Aws, principal: str) -> Any:
    text = statement(principal, "sqs:SendMessage", Resource="*")
    return aws.client("sqs").create_queue(QueueName=unique("q"), Attributes={"Policy": text})


def topic(aws: Aws, principal: str) -> Any:
    client = aws.client("sns")
    arn = client.create_topic(Name=unique("t"))["TopicArn"]
    text = statement(principal, "sns:Publish", Resource=arn)
    return client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text)


def repository(aws: Aws, principal: str) -> Any:
    client, name = aws.client("ecr"), unique("e")
    client.create_repository(repositoryName=name)
    text = statement(principal, "ecr:BatchGetImage")
    return client.set_repository_policy(repositoryName=name, policyText=text)


def function(aws: Aws, principal: str) -> Any:
    name = aws.function("def handler(event, context):\n    return 1\n")
    return aws.client("lambda").add_permission(
        FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal=principal
    )


SERVICES: dict[Put, str] = {
    new_role: "MalformedPolicyDocument",
    changed_role: "MalformedPolicyDocument",
    bucket: "MalformedPolicy",
    key: "MalformedPolicyDocumentException",
    queue: "InvalidAttributeValue",
    topic: "InvalidParameter",
    repository: "InvalidParameterException",
    function: "InvalidParameterValueException",
}
NOBODY = [
    f"arn:aws:iam::{ACCOUNT}:role/nobody",
    f"arn:aws:iam::{ACCOUNT}:user/nobody",
    f"arn:aws:iam::{ACCOUNT}:role/*",
    "AROAQQQQQQQQQQQQQQQQQ",
]


@pytest.mark.parametrize(("put", "code"), SERVICES.items())
@pytest.mark.parametrize("principal", NOBODY)
def test_a_role_or_user_that_does_not_exist_is_refused(
    aws: Aws, put: Put, code: str, principal: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
    assert error_code(put, aws=aws, principal=principal) == code


@pytest.mark.parametrize("put", SERVICES)
def test_one_that_exists_is_taken(aws: Aws, put: Put) -> None:
    user = aws.client("iam").create_user(UserName=unique("u"), Path="/team/")["User"]["Arn"]
    for principal in (aws.role, user, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"):
        assert put(aws, principal)["ResponseMetadata"]["HTTPStatusCode"] in (200, 201)


def test_one_of_another_account_is_taken(aws: Aws) -> None:
    assert bucket(aws, "arn:aws:iam::999999999999:role/theirs")
    assert new_role(aws, "arn:aws:iam::999999999999:user/theirs")


def test_a_policy_keeps_the_id_of_a_deleted_user_and_cannot_be_put_again(aws: Aws) -> None:
    iam, sqs, name = aws.client("iam"), aws.client("sqs"), unique("u")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    url = queue(aws, arn)["QueueUrl"]
    iam.delete_user(UserName=name)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    (kept,) = json.loads(found["Policy"])["Statement"]
    assert kept["Principal"]["AWS"] != arn
    again = {"QueueUrl": url, "Attributes": {"Policy": found["Policy"]}}
    assert error_code(sqs.set_queue_attributes, **again) == "InvalidAttributeValue"
