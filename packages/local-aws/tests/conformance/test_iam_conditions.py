"""Conditions of policies: tags of resources and requests, boundaries, namespaces."""

import http.client
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from local_aws.testing.aws import ACCOUNT, Aws, policy, unique
from local_aws.testing.callers import IAM_ARN, Caller, allow, denied

TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}


def test_a_condition_on_a_resources_tag_distinguishes_resources(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html"""
    ours = {"StringEquals": {"aws:ResourceTag/project": "ours"}}
    caller = Caller(aws, allow(["lambda:InvokeFunction", "sqs:SendMessage"], Condition=ours))
    source = "def handler(event, context):\n    return 1\n"
    tagged = aws.function(source, Tags={"project": "ours"})
    other = aws.function(source, Tags={"project": "theirs"})
    invoke = caller.client("lambda").invoke
    assert invoke(FunctionName=tagged)["StatusCode"] == 200
    assert denied(invoke, FunctionName=other)["Code"] == "AccessDeniedException"
    sqs, send = aws.client("sqs"), caller.client("sqs").send_message
    open_to_us = sqs.create_queue(QueueName=tagged, tags={"project": "ours"})["QueueUrl"]
    closed = sqs.create_queue(QueueName=other)["QueueUrl"]
    assert send(QueueUrl=open_to_us, MessageBody="m")["MessageId"]
    denied(send, QueueUrl=closed, MessageBody="m")


def test_roles_are_made_and_changed_only_with_the_boundary_that_a_condition_asks_for(
    aws: Aws,
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"""
    boundary = f"{IAM_ARN}:policy/bounds-{uuid.uuid4().hex[:8]}"
    aws.client("iam").create_policy(
        PolicyName=boundary.rpartition("/")[2], PolicyDocument=policy(allow("s3:*"))
    )
    only = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    maker = Caller(aws, allow(["iam:CreateRole", "iam:PutRolePolicy"], Condition=only))
    iam, free = maker.client("iam"), Caller(aws)
    name, trust = f"made-{uuid.uuid4().hex[:8]}", policy(TRUST)
    asked = {"RoleName": name, "AssumeRolePolicyDocument": trust}
    denied(iam.create_role, **asked)
    iam.create_role(**asked, PermissionsBoundary=boundary)
    given = {"PolicyName": "own", "PolicyDocument": policy(allow("s3:*"))}
    iam.put_role_policy(RoleName=name, **given)
    denied(iam.put_role_policy, RoleName=free.name, **given)


def test_a_condition_on_the_tags_of_a_request_counts(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html"""
    ours = {"StringEquals": {"aws:RequestTag/project": "ours"}}
    caller = Caller(
        aws, allow(["kms:CreateKey", "kms:TagResource", "iam:*Role", "sqs:*"], Condition=ours)
    )
    key, role, queue = (caller.client(service) for service in ("kms", "iam", "sqs"))
    assert key.create_key(Tags=[{"TagKey": "project", "TagValue": "ours"}])["KeyMetadata"]
    denied(key.create_key, Tags=[{"TagKey": "project", "TagValue": "theirs"}])
    denied(key.create_key)
    name, trust = f"tagged-{uuid.uuid4().hex[:8]}", policy(TRUST)
    denied(role.create_role, RoleName=name, AssumeRolePolicyDocument=trust)
    tags = [{"Key": "project", "Value": "ours"}]
    assert role.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags)["Role"]
    assert queue.create_queue(QueueName=name, tags={"project": "ours"})["QueueUrl"]
    denied(queue.create_queue, QueueName=f"{name}2")


def test_tags_of_what_is_made_need_the_right_to_tag_as_well(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html"""
    name, tag = f"tagged-{uuid.uuid4().hex[:8]}", {"Key": "project", "Value": "ours"}
    maker = Caller(aws, allow(["sqs:CreateQueue", "sagemaker:CreateModelPackageGroup"]))
    queues, models = maker.client("sqs"), maker.client("sagemaker")
    assert queues.create_queue(QueueName=name)["QueueUrl"]
    refused = denied(queues.create_queue, QueueName=f"{name}2", tags={"project": "ours"})
    assert "perform: sqs:tagqueue on" in refused["Message"].lower()
    group = denied(models.create_model_package_group, ModelPackageGroupName=name, Tags=[tag])
    assert "sagemaker:AddTags" in group["Message"]
    keys = Caller(aws, allow("kms:CreateKey")).client("kms")
    error = denied(keys.create_key, Tags=[{"TagKey": "project", "TagValue": "ours"}])
    assert (
        "kms:TagResource on resource: arn:aws:kms:us-east-1:123456789012:key/" in error["Message"]
    )


def test_a_key_is_known_by_its_aliases(aws: Aws) -> None:
    """https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html"""
    unnamed = {"Null": {"kms:ResourceAliases": "true"}}
    named = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/ours-*"}}
    tagging = allow(["kms:CreateKey", "kms:TagResource"], Condition=unnamed)
    keys = Caller(aws, tagging, allow("kms:DescribeKey", Condition=named)).client("kms")
    tags = [{"TagKey": "project", "TagValue": "ours"}]
    made = keys.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    keys.tag_resource(KeyId=made, Tags=tags)
    denied(keys.describe_key, KeyId=made)
    aws.client("kms").create_alias(AliasName=f"alias/ours-{made[:8]}", TargetKeyId=made)
    assert keys.describe_key(KeyId=made)["KeyMetadata"]["KeyId"] == made
    denied(keys.tag_resource, KeyId=made, Tags=tags)


def test_a_scalable_target_is_identified_by_its_service(aws: Aws) -> None:
    """https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html"""
    endpoints = {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
    target = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/*"
    register = "application-autoscaling:RegisterScalableTarget"
    scaling = Caller(aws, allow(register, target, Condition=endpoints)).client(
        "application-autoscaling"
    )
    bounds = {"MinCapacity": 1, "MaxCapacity": 2}
    denied(
        scaling.register_scalable_target,
        ServiceNamespace="dynamodb",
        ResourceId="table/t",
        ScalableDimension="dynamodb:table:ReadCapacityUnits",
        **bounds,
    )
    made = scaling.register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/e-{uuid.uuid4().hex[:8]}/variant/v",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        **bounds,
    )
    assert made["ScalableTargetARN"].startswith(target[:-1])


def group(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    """Return a new group's service, the action that reads it, and what names it there."""
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=name, Tags=[tag])
    return "sagemaker", "describe_model_package_group", {"ModelPackageGroupName": name}


def topic(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    arn = aws.client("sns").create_topic(Name=name, Tags=[tag])["TopicArn"]
    return "sns", "get_topic_attributes", {"TopicArn": arn}


def state_machine(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    arn = aws.state_machine({"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}})
    tags = [{key.lower(): value for key, value in tag.items()}]
    aws.client("stepfunctions").tag_resource(resourceArn=arn, tags=tags)
    return "stepfunctions", "describe_state_machine", {"stateMachineArn": arn}


def key(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    tags = [{f"Tag{key}": value for key, value in tag.items()}]
    made = aws.client("kms").create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    return "kms", "describe_key", {"KeyId": made}


def table(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[tag],
    )
    return "dynamodb", "describe_table", {"TableName": name}


def repository(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    aws.client("ecr").create_repository(repositoryName=name, tags=[tag])
    return "ecr", "list_images", {"repositoryName": name}


def bus(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    aws.client("events").create_event_bus(Name=name, Tags=[tag])
    return "events", "describe_event_bus", {"Name": name}


def log_group(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    aws.client("logs").create_log_group(logGroupName=name, tags={tag["Key"]: tag["Value"]})
    return "logs", "describe_log_streams", {"logGroupName": name}


def role(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    trust = policy(TRUST)
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=[tag])
    return "iam", "get_role", {"RoleName": name}


def user(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    aws.client("iam").create_user(UserName=name)
    aws.client("iam").tag_user(UserName=name, Tags=[tag])
    return "iam", "get_user", {"UserName": name}


def budget(aws: Aws, name: str, tag: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    limit = {"Amount": "1", "Unit": "USD"}
    aws.client("budgets").create_budget(
        AccountId=ACCOUNT,
        Budget={
            "BudgetName": name,
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": limit,
        },
        ResourceTags=[tag],
    )
    return "budgets", "describe_budget", {"AccountId": ACCOUNT, "BudgetName": name}


TAGGED = [group, topic, state_machine, key, table, repository, bus, log_group, role, user, budget]


@pytest.mark.parametrize("create", TAGGED, ids=lambda made: made.__name__)
def test_tags_of_other_resources_count_as_well(
    aws: Aws, create: Callable[[Aws, str, dict[str, str]], tuple[str, str, dict[str, str]]]
) -> None:
    ours = {"StringEquals": {"aws:ResourceTag/project": "ours"}}
    caller = Caller(aws, allow("*", Condition=ours))
    theirs = {"StringEquals": {"aws:ResourceTag/project": "theirs"}}
    bounded = Caller(aws, allow("*"), DENY | {"Condition": theirs})
    for project in ("ours", "theirs"):
        name = f"{project}-{uuid.uuid4().hex[:8]}"
        service, action, known_by = create(aws, name, {"Key": "project", "Value": project})
        for one in (caller, bounded):
            read = getattr(one.client(service), action)
            if project == "ours":
                assert read(**known_by)["ResponseMetadata"]["HTTPStatusCode"] == 200
            else:
                denied(read, **known_by)


@pytest.mark.parametrize(
    ("key", "header"), [("aws:UserAgent", "User-Agent"), ("aws:Referer", "Referer")]
)
@pytest.mark.parametrize("service", ["sqs", "s3", "lambda"])
def test_a_condition_on_a_header_counts(aws: Aws, service: str, key: str, header: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    name = f"headers-{uuid.uuid4().hex[:8]}"
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("s3").put_object(Bucket=name, Key="k", Body=b"")
    function = aws.function("def handler(event, context):\n    return 1\n")
    calls: dict[str, tuple[str, dict[str, str]]] = {
        "sqs": ("list_queues", {}),
        "s3": ("get_object", {"Bucket": name, "Key": "k"}),
        "lambda": ("invoke", {"FunctionName": function}),
    }
    operation, given = calls[service]
    actions = ["sqs:ListQueues", "s3:GetObject", "lambda:InvokeFunction"]
    caller = Caller(aws, allow(actions, Condition={"StringLike": {key: "Ours/*"}}))
    for value, is_allowed in (("Ours/1", True), ("Theirs/1", False)):
        client = caller.client(service)
        client.meta.events.register(
            "before-send", lambda request, value=value, **_: _send(request, header, value)
        )
        call = getattr(client, operation)
        if is_allowed:
            assert call(**given)
        else:
            denied(call, **given)


def _send(request: Any, header: str, value: str) -> None:
    request.headers[header] = value


def test_the_tagging_api_has_actions_of_its_own_and_needs_those_of_the_resources(aws: Aws) -> None:
    """https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_TagResources.html"""
    topic = aws.client("sns").create_topic(Name=f"t-{uuid.uuid4().hex[:8]}")["TopicArn"]
    reader = Caller(aws, allow("tag:GetResources")).client("resourcegroupstaggingapi")
    assert "ResourceTagMappingList" in reader.get_resources()
    given = {"ResourceARNList": [topic], "Tags": {"a": "b"}}
    assert "tag:TagResources" in denied(reader.tag_resources, **given)["Message"]
    tagger = Caller(aws, allow("tag:TagResources")).client("resourcegroupstaggingapi")
    assert "SNS:TagResource" in denied(tagger.tag_resources, **given)["Message"]
    both = Caller(aws, allow(["tag:TagResources", "sns:TagResource"], "*"))
    assert both.client("resourcegroupstaggingapi").tag_resources(**given)


def test_conditions_on_tags_of_objects_count(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html"""
    s3, bucket = aws.client("s3"), unique("tagged")
    s3.create_bucket(Bucket=bucket)
    for key, tagging in (("secret", "class=secret"), ("open", "class=open"), ("bare", "")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=tagging)
    existing = {"StringEquals": {"s3:ExistingObjectTag/class": "secret"}}
    reader = Caller(aws, allow("s3:*"), DENY | {"Condition": existing}).client("s3")
    reader.get_object(Bucket=bucket, Key="open")
    reader.get_object(Bucket=bucket, Key="bare")
    denied(reader.get_object, Bucket=bucket, Key="secret")
    denied(reader.copy_object, Bucket=bucket, Key="copy", CopySource=f"{bucket}/secret")
    denied(reader.put_object_tagging, Bucket=bucket, Key="secret", Tagging={"TagSet": []})
    given = {"StringEquals": {"s3:RequestObjectTag/class": "open"}}
    writer = Caller(aws, allow("s3:PutObject*", Condition=given)).client("s3")
    new = {"Bucket": bucket, "Key": "new"}
    writer.put_object(**new, Body=b"", Tagging="class=open")
    denied(writer.put_object, **new, Body=b"", Tagging="class=secret")
    denied(writer.put_object, **new, Body=b"")
    for value, may in (("open", True), ("secret", False)):
        tags = {"TagSet": [{"Key": "class", "Value": value}]}
        if may:
            writer.put_object_tagging(**new, Tagging=tags)
        else:
            denied(writer.put_object_tagging, **new, Tagging=tags)


@pytest.mark.parametrize(
    ("condition", "presigned", "refused"),
    [
        ({"StringNotEquals": {"s3:authType": "REST-HEADER"}}, True, True),
        ({"StringNotEquals": {"s3:authType": "REST-HEADER"}}, False, False),
        ({"StringNotEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}, False, False),
        ({"NumericGreaterThan": {"s3:signatureAge": "3600000"}}, True, False),
        ({"NumericGreaterThan": {"s3:signatureAge": "-1"}}, True, True),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, False, False),
        ({"StringEquals": {"s3:ResourceAccount": ACCOUNT}}, False, True),
    ],
)
def test_conditions_on_how_a_request_is_signed_count(
    aws: Aws, condition: dict[str, Any], presigned: bool, refused: bool
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html"""
    bucket = unique("signed")
    aws.client("s3").create_bucket(Bucket=bucket)
    asked = {"Bucket": bucket, "Key": "k"}
    aws.client("s3").put_object(**asked, Body=b"x")
    s3 = Caller(aws, allow("s3:*"), DENY | {"Condition": condition}).client("s3")
    if not presigned:
        if refused:
            denied(s3.get_object, **asked)
        else:
            assert s3.get_object(**asked)["Body"].read() == b"x"
        return
    s3.meta.events.register("choose-signer.s3.*", lambda **_: "s3v4-query")
    url = urlsplit(s3.generate_presigned_url("get_object", Params=asked))
    connection = http.client.HTTPConnection(url.netloc, timeout=20)
    connection.request("GET", f"{url.path}?{url.query}")
    assert connection.getresponse().status == (403 if refused else 200)
    connection.close()


def test_a_condition_on_the_policy_that_is_attached_counts(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html"""
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    own = {"ArnEquals": {"iam:PolicyARN": administrator}}
    iam, victim = Caller(aws, allow("iam:*"), DENY | {"Condition": own}).client("iam"), Caller(aws)
    denied(iam.attach_role_policy, RoleName=victim.name, PolicyArn=administrator)
    other = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    iam.attach_role_policy(RoleName=victim.name, PolicyArn=other)


def test_a_condition_on_the_context_of_an_encryption_counts(aws: Aws) -> None:
    """https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"""
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    of_a, of_b = {"team": "a"}, {"team": "b"}
    texts = [
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        for context in (of_a, of_b)
    ]
    own = {"StringEquals": {"kms:EncryptionContext:team": "a"}}
    decrypt = Caller(aws, allow("kms:Decrypt", Condition=own)).client("kms").decrypt
    assert decrypt(CiphertextBlob=texts[0], EncryptionContext=of_a)["Plaintext"] == b"x"
    denied(decrypt, CiphertextBlob=texts[1], EncryptionContext=of_b)


def test_sessions_of_before_a_time_are_revoked(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html"""
    caller = Caller(aws, allow("s3:ListAllMyBuckets"))
    early = caller.client("s3")
    early.list_buckets()
    for until, refused in (("2020-01-01T00:00:00Z", False), ("2999-01-01T00:00:00Z", True)):
        revoked = {"DateLessThan": {"aws:TokenIssueTime": until}}
        aws.client("iam").put_role_policy(
            RoleName=caller.name,
            PolicyName="revoked",
            PolicyDocument=policy(DENY | {"Condition": revoked}),
        )
        if refused:
            denied(early.list_buckets)
        else:
            early.list_buckets()


def test_items_are_known_by_the_partition_key_that_a_condition_asks_for(aws: Aws) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html"""
    _, _, of_table = table(aws, unique("items"), {"Key": "a", "Value": "b"})
    name, alice, bob = of_table["TableName"], {"k": {"S": "alice"}}, {"k": {"S": "bob"}}
    for item in (alice, bob):
        aws.client("dynamodb").put_item(TableName=name, Item=item)
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["alice"]}}
    client = Caller(aws, allow("dynamodb:*", Condition=own)).client("dynamodb")
    assert client.get_item(TableName=name, Key=alice)["Item"] == alice
    denied(client.get_item, TableName=name, Key=bob)
    client.put_item(TableName=name, Item=alice)
    denied(client.put_item, TableName=name, Item=bob)
    denied(client.batch_get_item, RequestItems={name: {"Keys": [alice, bob]}})
    assert client.batch_get_item(RequestItems={name: {"Keys": [alice]}})["Responses"][name]
    denied(client.batch_write_item, RequestItems={name: [{"DeleteRequest": {"Key": bob}}]})
    denied(client.transact_write_items, TransactItems=[{"Delete": {"TableName": name, "Key": bob}}])
    asked: dict[str, Any] = {"TableName": name, "KeyConditionExpression": "#k = :v"}
    asked["ExpressionAttributeNames"] = {"#k": "k"}
    found = client.query(**asked, ExpressionAttributeValues={":v": {"S": "alice"}})
    assert found["Items"] == [alice]
    denied(client.query, **asked, ExpressionAttributeValues={":v": {"S": "bob"}})
    denied(client.scan, TableName=name)


@pytest.mark.parametrize(
    "condition",
    [
        {"ForAllValues:StringEquals": {"dynamodb:Attributes": ["k"]}},
        {"StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}},
        {"StringNotEquals": {"dynamodb:Select": "ALL_ATTRIBUTES"}},
        {"Null": {"dynamodb:Attributes": "true"}},
    ],
)
def test_a_key_without_a_value_here_allows_nobody_and_denies(
    aws: Aws, condition: dict[str, Any]
) -> None:
    """An operator that holds without a value would let in whom AWS refuses."""
    table = unique("table")
    aws.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ask = {"TableName": table, "Key": {"k": {"S": "bob"}}}
    conditioned = Caller(aws, allow("dynamodb:*", Condition=condition)).client("dynamodb")
    assert "dynamodb:" in denied(conditioned.get_item, **ask)["Message"].partition("(")[2]
    never = DENY | {"Action": "dynamodb:GetItem", "Condition": condition}
    caller = Caller(aws, allow("dynamodb:*"), never).client("dynamodb")
    assert "no value for dynamodb:" in denied(caller.get_item, **ask)["Message"]
    caller.scan(TableName=table)
