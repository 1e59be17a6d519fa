"""Who may do what: roles, trust, policies of resources, keys, boundaries, passed roles."""

import json
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.control import LocalAws
from local_aws.errors import LocalAwsError
from local_aws.testing.aws import Aws, plain_client, policy, send_plain, unique
from local_aws.testing.callers import Caller, allow, denied, refusal

KMS_USE = ["kms:GenerateDataKey", "kms:Decrypt"]


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> str:
    name = f"b-{uuid.uuid4().hex[:8]}"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name)
    for key in ("in/a", "secret/a"):
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    return name


def test_a_role_reads_and_lists_what_it_may_and_nothing_else(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""
    s3 = Caller(
        aws,
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/in/*"),
        allow(
            "s3:ListBucket",
            f"arn:aws:s3:::{bucket}",
            Condition={"StringLike": {"s3:prefix": "in/*"}},
        ),
    ).client("s3")
    assert s3.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket=bucket, Prefix="in/")["KeyCount"] == 1
    found = denied(s3.get_object, Bucket=bucket, Key="secret/a")
    assert found["Code"] == "AccessDenied"
    assert f'on resource: "arn:aws:s3:::{bucket}/secret/a"' in found["Message"]
    denied(s3.head_object, Bucket=bucket, Key="secret/a")
    denied(s3.list_objects_v2, Bucket=bucket, Prefix="secret/")
    denied(s3.list_objects_v2, Bucket=bucket)
    denied(s3.put_object, Bucket=bucket, Key="in/b", Body=b"y")
    denied(s3.copy_object, Bucket=bucket, Key="in/b", CopySource=f"{bucket}/secret/a")


def test_several_objects_are_deleted_only_where_each_may_be(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
    name = f"b-{uuid.uuid4().hex[:8]}"
    admin = aws.client("s3")
    admin.create_bucket(Bucket=name)
    for key in ("in/a", "in/b", "keep"):
        admin.put_object(Bucket=name, Key=key, Body=b"x")
    s3 = Caller(aws, allow("s3:DeleteObject", f"arn:aws:s3:::{name}/in/*")).client("s3")

    def delete(*keys: str) -> dict[str, Any]:
        deleted: dict[str, Any] = s3.delete_objects(
            Bucket=name, Delete={"Objects": [{"Key": key} for key in keys]}
        )
        return deleted

    assert [item["Key"] for item in delete("in/a")["Deleted"]] == ["in/a"]
    assert {item["Code"] for item in delete("in/b", "keep")["Errors"]} == {"AccessDenied"}
    assert admin.list_objects_v2(Bucket=name)["KeyCount"] == 2


def test_a_large_object_is_written_in_parts_with_the_same_rights(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""
    admin, key = aws.client("s3"), aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = f"b-{uuid.uuid4().hex[:8]}"
    admin.create_bucket(Bucket=name)
    objects = allow("s3:PutObject", f"arn:aws:s3:::{name}/*")
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    encrypts = Caller(aws, objects, allow("kms:GenerateDataKey", key)).client("s3")
    both = Caller(aws, objects, allow(KMS_USE, key)).client("s3")
    upload = encrypts.create_multipart_upload(Bucket=name, Key="k", **encrypted)["UploadId"]
    part = {"Bucket": name, "Key": "k", "UploadId": upload, "PartNumber": 1, "Body": b"x"}
    assert "kms:Decrypt" in denied(encrypts.upload_part, **part)["Message"]
    tag = both.upload_part(**part)["ETag"]
    both.complete_multipart_upload(
        Bucket=name,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]},
    )
    assert admin.get_object(Bucket=name, Key="k")["Body"].read() == b"x"


def test_not_found_is_answered_only_to_who_may_list(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    reader = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    blind = Caller(aws, reader).client("s3")
    assert "s3:ListBucket" in denied(blind.get_object, Bucket=bucket, Key="none")["Message"]
    seeing = Caller(aws, reader, allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")).client("s3")
    assert refusal(seeing.get_object, Bucket=bucket, Key="none")["Error"]["Code"] == "NoSuchKey"


def test_encrypted_objects_need_the_key_as_well(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html"""
    admin, key = aws.client("s3"), aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = f"b-{uuid.uuid4().hex[:8]}"
    admin.create_bucket(Bucket=name)
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    admin.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    admin.put_object(Bucket=name, Key="k", Body=b"x")
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{name}/*")
    without = Caller(aws, objects).client("s3")
    assert (
        f"kms:Decrypt on resource: {key}"
        in denied(without.get_object, Bucket=name, Key="k")["Message"]
    )
    assert (
        "kms:GenerateDataKey"
        in denied(without.put_object, Bucket=name, Key="l", Body=b"")["Message"]
    )
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    with_key = Caller(aws, objects, allow(KMS_USE, key, Condition=via))
    assert with_key.client("s3").get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    with_key.client("s3").put_object(Bucket=name, Key="l", Body=b"y")
    denied(with_key.client("kms").generate_data_key, KeyId=key, KeySpec="AES_256")


def test_a_key_policy_that_keeps_the_account_out_keeps_its_roles_out(aws: Aws) -> None:
    """https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html"""
    user = Caller(aws, allow("kms:*"))
    other = Caller(aws)
    keeper = allow("kms:*", Principal={"AWS": other.arn})
    key = aws.client("kms").create_key(Policy=policy(keeper))["KeyMetadata"]["Arn"]
    message = denied(user.client("kms").encrypt, KeyId=key, Plaintext=b"x")["Message"]
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")
    assert other.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_policies_of_buckets_queues_topics_and_functions_count(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html"""
    caller = Caller(aws)
    who = {"AWS": caller.arn}
    name = f"b-{uuid.uuid4().hex[:8]}"
    admin = aws.client("s3")
    admin.create_bucket(Bucket=name)
    admin.put_object(Bucket=name, Key="k", Body=b"x")
    reading = allow("s3:GetObject", f"arn:aws:s3:::{name}/*", Principal=who)
    admin.put_bucket_policy(Bucket=name, Policy=policy(reading))
    assert caller.client("s3").get_object(Bucket=name, Key="k")["Body"].read() == b"x"

    queue = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    denied(caller.client("sqs").send_message, QueueUrl=queue, MessageBody="m")
    sending = allow("sqs:SendMessage", Principal=who)
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(sending)})
    assert caller.client("sqs").send_message(QueueUrl=queue, MessageBody="m")["MessageId"]

    topic = aws.client("sns").create_topic(Name=name)["TopicArn"]
    publishing = allow("sns:Publish", topic, Principal=who)
    aws.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=policy(publishing)
    )
    assert caller.client("sns").publish(TopicArn=topic, Message="m")["MessageId"]

    function = aws.function("def handler(event, context):\n    return 1\n")
    denied(caller.client("lambda").invoke, FunctionName=function)
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal=caller.arn,
    )
    assert caller.client("lambda").invoke(FunctionName=function)["Payload"].read() == b"1"


def test_a_bucket_that_denies_outdoes_the_role(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"""
    caller = Caller(aws, allow("s3:*"))
    name = f"b-{uuid.uuid4().hex[:8]}"
    aws.client("s3").create_bucket(Bucket=name)
    denial = allow("s3:PutObject", f"arn:aws:s3:::{name}/*", Principal={"AWS": caller.arn})
    aws.client("s3").put_bucket_policy(Bucket=name, Policy=policy(denial | {"Effect": "Deny"}))
    message = denied(caller.client("s3").put_object, Bucket=name, Key="k", Body=b"")["Message"]
    assert message.endswith("with an explicit deny in a resource-based policy")
    aws.client("s3").put_object(Bucket=name, Key="k", Body=b"")


def test_a_request_without_tls_is_distinguished_from_one_with_it(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    name = f"b-{uuid.uuid4().hex[:8]}"
    s3, plain = aws.client("s3"), plain_client(aws.local.endpoint_url, "s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert plain.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    arns = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    without_tls = {
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": arns,
        "Principal": "*",
        "Condition": condition,
    }
    s3.put_bucket_policy(Bucket=name, Policy=policy(without_tls))
    assert "explicit deny" in denied(plain.get_object, Bucket=name, Key="k")["Message"]
    denied(plain.put_object, Bucket=name, Key="k", Body=b"y")
    denied(plain.list_objects_v2, Bucket=name)
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"


def test_a_topic_and_a_queue_that_want_tls_refuse_a_request_without_it(aws: Aws) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    only_tls = policy(deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    name, url = f"q-{uuid.uuid4().hex[:8]}", aws.local.endpoint_url
    topic = aws.client("sns").create_topic(Name=name, Attributes={"Policy": only_tls})["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName=name, Attributes={"Policy": only_tls})
    denied(plain_client(url, "sns").publish, TopicArn=topic, Message="m")
    denied(plain_client(url, "sqs").send_message, QueueUrl=queue["QueueUrl"], MessageBody="m")
    assert aws.client("sns").publish(TopicArn=topic, Message="m")["MessageId"]


def test_a_roles_policies_see_a_request_without_tls(aws: Aws) -> None:
    secure = {"Bool": {"aws:SecureTransport": "true"}}
    role = Caller(aws, allow("s3:ListAllMyBuckets", Condition=secure))
    s3 = role.client("s3")
    assert "Buckets" in s3.list_buckets()
    s3.meta.events.register("before-send", send_plain)
    denied(s3.list_buckets)


def test_boundaries_and_session_policies_take_away(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"""
    boundary = aws.client("iam").create_policy(
        PolicyName=f"p-{uuid.uuid4().hex[:8]}", PolicyDocument=policy(allow("s3:*"))
    )["Policy"]["Arn"]
    caller = Caller(aws, allow("*"), PermissionsBoundary=boundary)
    assert "permissions boundary" in denied(caller.client("sqs").list_queues)["Message"]
    assert caller.client("s3").list_buckets()
    narrowed = caller.client("s3", Policy=policy(allow("s3:GetObject")))
    assert "no session policy" in denied(narrowed.list_buckets)["Message"]


def test_only_trusted_principals_take_a_role(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html"""
    for_lambda = Caller(aws, principal={"Service": "lambda.amazonaws.com"})
    assert refusal(for_lambda.client, service="s3")["Error"]["Code"] == "AccessDenied"
    first = Caller(aws, allow("sts:AssumeRole"))
    second = Caller(aws, trust={"Condition": {"StringEquals": {"sts:ExternalId": "xyz"}}})
    assume = first.client("sts").assume_role
    denied(assume, RoleArn=second.arn, RoleSessionName="two")
    assert assume(RoleArn=second.arn, RoleSessionName="two", ExternalId="xyz")["Credentials"]


def test_services_take_only_roles_that_trust_them(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-service.html"""
    stranger = Caller(aws, allow("*"), principal={"Service": "ec2.amazonaws.com"}).arn
    code = aws.package({"app.py": "def handler(event, context): return 1"})
    found = refusal(
        aws.client("lambda").create_function,
        FunctionName="never",
        Runtime="python3.12",
        Handler="app.handler",
        Role=stranger,
        Code={"ZipFile": code},
    )["Error"]
    assert found["Message"] == "The role defined for the function cannot be assumed by Lambda."
    passing = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    found = refusal(
        aws.client("stepfunctions").create_state_machine,
        name="never",
        definition=json.dumps(passing),
        roleArn=stranger,
    )["Error"]
    assert "states.amazonaws.com" in found["Message"]
    found = refusal(
        aws.client("sagemaker").create_model,
        ModelName="never",
        ExecutionRoleArn=stranger,
        PrimaryContainer={"Image": "i"},
    )["Error"]
    assert found["Message"].startswith(f"Could not assume role {stranger}.")


def test_a_role_is_handed_on_only_by_who_may_pass_it(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    create = {
        "name": f"m-{uuid.uuid4().hex[:8]}",
        "definition": json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
        "roleArn": aws.role,
    }
    maker = Caller(aws, allow("states:*")).client("stepfunctions")
    message = denied(maker.create_state_machine, **create)["Message"]
    assert f"is not authorized to perform: iam:PassRole on resource: {aws.role}" in message
    to_states = {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}}
    passer = Caller(aws, allow("states:*"), allow("iam:PassRole", aws.role, Condition=to_states))
    assert passer.client("stepfunctions").create_state_machine(**create)["stateMachineArn"]


def test_a_role_in_an_attribute_of_a_topic_is_handed_on_as_well(aws: Aws) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/topics-attrib.html"""
    name = f"t-{uuid.uuid4().hex[:8]}"
    topic = aws.client("sns").create_topic(Name=name)["TopicArn"]
    field = "SQSSuccessFeedbackRoleArn"
    change = {"TopicArn": topic, "AttributeName": field, "AttributeValue": aws.role}
    lacks = Caller(aws, allow("sns:*")).client("sns")
    said = f"is not authorized to perform: iam:PassRole on resource: {aws.role}"
    assert said in denied(lacks.set_topic_attributes, **change)["Message"]
    made = {"Name": f"{name}-other", "Attributes": {field: aws.role}}
    assert said in denied(lacks.create_topic, **made)["Message"]
    lacks.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="d")
    passer = Caller(aws, allow("sns:*"), allow("iam:PassRole", aws.role)).client("sns")
    passer.set_topic_attributes(**change)


READER = """
import os, boto3
def handler(event, context):
    s3 = boto3.client("s3")
    return s3.get_object(Bucket=event["bucket"], Key=event["key"])["Body"].read().decode()
"""


def test_a_function_acts_and_logs_with_its_role(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"""
    lambdas = {"Service": "lambda.amazonaws.com"}
    logs = allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
    reads = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/in/*")
    role = Caller(aws, reads, principal=lambdas)
    name = aws.function(READER, Role=role.arn)
    assert aws.invoke(name, {"bucket": bucket, "key": "in/a"})[0] == "x"
    error, _ = aws.invoke(name, {"bucket": bucket, "key": "secret/a"})
    caller = f"arn:aws:sts::123456789012:assumed-role/{role.name}/{name}"
    assert f"User: {caller} is not authorized to perform: s3:GetObject" in error["errorMessage"]

    groups = aws.client("logs").describe_log_groups
    assert not groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    aws.client("iam").put_role_policy(
        RoleName=role.name, PolicyName="own", PolicyDocument=policy(reads, logs)
    )
    aws.invoke(name, {"bucket": bucket, "key": "in/a"})
    assert groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]

    def logged() -> int:
        found = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")
        return len([e for e in found["events"] if e["message"].startswith("START ")])

    for actions, more in (("logs:PutLogEvents", 1), ("logs:CreateLogStream", 0)):
        document = policy(reads, allow(actions))
        before = logged()
        aws.client("iam").put_role_policy(
            RoleName=role.name, PolicyName="own", PolicyDocument=document
        )
        aws.invoke(name, {"bucket": bucket, "key": "in/a"})
        assert logged() == before + more  # the stream is there


def test_a_recreated_role_has_only_its_own_policies(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage_delete.html"""
    lambdas = {"Service": "lambda.amazonaws.com"}
    role = Caller(aws, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), principal=lambdas)
    name = aws.function(READER, Role=role.arn)
    assert aws.invoke(name, {"bucket": bucket, "key": "in/a"})[0] == "x"
    iam = aws.client("iam")
    trust = iam.get_role(RoleName=role.name)["Role"]["AssumeRolePolicyDocument"]
    iam.delete_role_policy(RoleName=role.name, PolicyName="own")
    iam.delete_role(RoleName=role.name)
    iam.create_role(RoleName=role.name, AssumeRolePolicyDocument=json.dumps(trust))
    error, _ = aws.invoke(name, {"bucket": bucket, "key": "in/a"})
    assert "is not authorized to perform: s3:GetObject" in error["errorMessage"]


def test_a_state_machine_acts_with_its_role(aws: Aws) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html"""
    function = aws.function("def handler(event, context):\n    return 1\n")
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}"
    queue = aws.client("sqs").create_queue(QueueName=function)["QueueUrl"]
    role = Caller(
        aws, allow("lambda:InvokeFunction", arn), principal={"Service": "states.amazonaws.com"}
    )

    def task(resource: str, **parameters: str) -> str:
        state = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}
        return aws.state_machine({"StartAt": "T", "States": {"T": state}}, roleArn=role.arn)

    invoke, send = "arn:aws:states:::lambda:invoke", "arn:aws:states:::sqs:sendMessage"
    assert aws.run(task(invoke, FunctionName=arn))["status"] == "SUCCEEDED"
    other = aws.run(task(invoke, FunctionName=f"{arn}:live"))
    assert other["error"] == "Lambda.AWSLambdaException"
    assert f"assumed-role/{role.name}/" in other["cause"]
    assert f"lambda:InvokeFunction on resource: {arn}:live because no" in other["cause"]
    sent = aws.run(task(send, QueueUrl=queue, MessageBody="m"))
    assert sent["status"] == "FAILED"
    assert "is not authorized to perform: sqs:sendmessage" in sent["cause"]


def test_an_administrator_may_do_everything(aws: Aws, bucket: str) -> None:
    assert aws.client("s3").get_object(Bucket=bucket, Key="secret/a")["Body"].read() == b"x"


def test_the_switch_turns_it_off_and_takes_no_other_word(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_AWS_IAM", "off")
    with LocalAws.start(tmp_path / "off", 0, {}) as local:
        role = Caller(type(aws)(local, ""))
        assert role.client("s3").list_buckets()["Buckets"] == []
    monkeypatch.setenv("LOCAL_AWS_IAM", "no")
    with pytest.raises(LocalAwsError, match="LOCAL_AWS_IAM must be on or off, not 'no'"):
        LocalAws.start(tmp_path / "no", 0, {})


def unknown(aws: Aws, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=aws.local.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="ASIAQQQQQQQQQQQQQQQQ",
        aws_secret_access_key="x",
        aws_session_token="y",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


FIRST_CALLS = {
    "sts": ("get_caller_identity", {}, "InvalidClientTokenId"),
    "s3": ("list_buckets", {}, "InvalidAccessKeyId"),
    "lambda": ("invoke", {"FunctionName": "any"}, "UnrecognizedClientException"),
    "sagemaker": ("list_endpoints", {}, "UnrecognizedClientException"),
}


@pytest.mark.parametrize("service", FIRST_CALLS)
def test_a_session_key_that_nobody_was_given_is_refused(aws: Aws, service: str) -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html"""
    operation, arguments, code = FIRST_CALLS[service]
    found = refusal(getattr(unknown(aws, service), operation), **arguments)
    assert found["Error"]["Code"] == code
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_session_ends_by_the_clock(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
    caller = Caller(aws, allow("*"))
    s3, sts = caller.client("s3"), caller.client("sts")
    functions, machines = caller.client("lambda"), caller.client("stepfunctions")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"]
    aws.advance(3601)
    assert refusal(s3.list_objects_v2, Bucket=bucket)["Error"]["Code"] == "ExpiredToken"
    assert refusal(sts.get_caller_identity)["Error"]["Code"] == "ExpiredToken"
    for call in (lambda: functions.invoke(FunctionName="any"), machines.list_state_machines):
        assert refusal(call)["Error"]["Code"] == "ExpiredTokenException"
    assert caller.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"]


def test_the_credentials_of_functions_and_executions_are_renewed_before_they_end(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"""
    name = aws.function(
        "import boto3, os\ndef handler(event, context):\n"
        "    boto3.client('sts').get_caller_identity()\n"
        "    return os.environ['AWS_ACCESS_KEY_ID']\n"
    )
    invoke = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": name},
        "End": True,
    }
    machine = aws.state_machine({"StartAt": "Invoke", "States": {"Invoke": invoke}})
    first = aws.invoke(name)[0]
    assert aws.run(machine)["status"] == "SUCCEEDED"
    aws.advance(13 * 3600)
    assert aws.invoke(name)[0] != first
    assert aws.run(machine)["status"] == "SUCCEEDED"


def test_training_acts_with_its_own_role_and_no_other(aws: Aws, bucket: str) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html"""
    sagemaker = aws.client("sagemaker")
    role = aws.role_with(
        allow("s3:PutObject", f"arn:aws:s3:::{bucket}/out/*"),
        allow("ecr:*"),
        services=["sagemaker"],
    )
    name = f"t-{uuid.uuid4().hex[:8]}"
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/secret/"}}
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={
            "TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/toy-model:1",
            "TrainingInputMode": "File",
        },
        RoleArn=role,
        InputDataConfig=[{"ChannelName": "train", "DataSource": data}],
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )

    def ended() -> dict[str, Any] | None:
        job = sagemaker.describe_training_job(TrainingJobName=name)
        return job if job["TrainingJobStatus"] in ("Completed", "Failed") else None

    job = aws.eventually(ended)
    assert job["TrainingJobStatus"] == "Failed"
    assert "s3:ListBucket" in job["FailureReason"] or "s3:GetObject" in job["FailureReason"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"Principal": "*"}, "should not specify a principal"),
        ({"NotPrincipal": {"AWS": "*"}}, "should not specify a principal"),
        ({"Sid": "read files"}, "must be alpha-numeric"),
        ({"Sid": "read-files"}, "must be alpha-numeric"),
    ],
)
def test_a_policy_of_a_role_names_no_principal_and_has_plain_ids(
    aws: Aws, more: dict[str, Any], says: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html"""
    iam, name = aws.client("iam"), unique("role")
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
    put = {"RoleName": name, "PolicyName": "p"}
    with pytest.raises(ClientError, match=says):
        iam.put_role_policy(**put, PolicyDocument=policy({**allow, **more}))
    with pytest.raises(ClientError, match="prohibited field Resource"):
        iam.update_assume_role_policy(
            RoleName=name, PolicyDocument=policy({**trust, "Resource": "*"})
        )
    iam.put_role_policy(**put, PolicyDocument=policy({**allow, "Sid": "ReadFiles2"}))
