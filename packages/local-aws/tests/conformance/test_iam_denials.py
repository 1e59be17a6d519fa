"""What a denial says: the action and the resource that the request needs, as AWS writes it."""

from typing import Any

import pytest

from local_aws.testing.aws import ACCOUNT, REGION, Aws, new_client, package, policy, unique
from local_aws.testing.callers import IAM_ARN, Caller, allow, denied

US = "us-east-1:123456789012"
CALLS: list[tuple[str, str, dict[str, Any], str, str, str]] = [
    (
        "lambda",
        "invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        "AccessDeniedException",
        "lambda:InvokeFunction",
        f"arn:aws:lambda:{US}:function:f:live",
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "e", "Body": b"\xff"},
        "AccessDeniedException",
        "sagemaker:InvokeEndpoint",
        f"arn:aws:sagemaker:{US}:endpoint/e",
    ),
    (
        "sns",
        "publish",
        {"TopicArn": f"arn:aws:sns:{US}:t", "Message": "m"},
        "AuthorizationError",
        "SNS:Publish",
        f"arn:aws:sns:{US}:t",
    ),
    (
        "cloudwatch",
        "put_metric_data",
        {"Namespace": "n", "MetricData": []},
        "AccessDenied",
        "cloudwatch:PutMetricData",
        "*",
    ),
    (
        "logs",
        "create_log_stream",
        {"logGroupName": "g", "logStreamName": "s"},
        "AccessDeniedException",
        "logs:CreateLogStream",
        f"arn:aws:logs:{US}:log-group:g:log-stream:s",
    ),
    (
        "iam",
        "get_role",
        {"RoleName": "test"},
        "AccessDenied",
        "iam:GetRole",
        f"{IAM_ARN}:role/test",
    ),
    (
        "dynamodb",
        "get_item",
        {"TableName": "t", "Key": {"id": {"S": "1"}}},
        "AccessDeniedException",
        "dynamodb:GetItem",
        f"arn:aws:dynamodb:{US}:table/t",
    ),
    (
        "stepfunctions",
        "start_execution",
        {"stateMachineArn": f"arn:aws:states:{US}:stateMachine:m"},
        "AccessDeniedException",
        "states:StartExecution",
        f"arn:aws:states:{US}:stateMachine:m",
    ),
    (
        "stepfunctions",
        "create_state_machine_alias",
        {
            "name": "live",
            "routingConfiguration": [
                {"stateMachineVersionArn": f"arn:aws:states:{US}:stateMachine:m:1", "weight": 100}
            ],
        },
        "AccessDeniedException",
        "states:CreateStateMachineAlias",
        f"arn:aws:states:{US}:stateMachine:m",
    ),
    (
        "cloudwatch",
        "put_dashboard",
        {"DashboardName": "d", "DashboardBody": "{}"},
        "AccessDenied",
        "cloudwatch:PutDashboard",
        "arn:aws:cloudwatch::123456789012:dashboard/d",
    ),
    (
        "scheduler",
        "create_schedule",
        {
            "Name": "s",
            "GroupName": "g",
            "ScheduleExpression": "rate(1 day)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": "arn:aws:sqs:us-east-1:123456789012:q",
                "RoleArn": f"{IAM_ARN}:role/r",
            },
        },
        "AccessDeniedException",
        "scheduler:CreateSchedule",
        f"arn:aws:scheduler:{US}:schedule/g/s",
    ),
    (
        "scheduler",
        "create_schedule_group",
        {"Name": "g"},
        "AccessDeniedException",
        "scheduler:CreateScheduleGroup",
        f"arn:aws:scheduler:{US}:schedule-group/g",
    ),
    (
        "budgets",
        "create_budget",
        {
            "AccountId": "123456789012",
            "Budget": {"BudgetName": "b", "TimeUnit": "MONTHLY", "BudgetType": "COST"},
        },
        "AccessDeniedException",
        "budgets:ModifyBudget",
        "arn:aws:budgets::123456789012:budget/b",
    ),
    (
        "kms",
        "create_alias",
        {"AliasName": "alias/a", "TargetKeyId": "k"},
        "AccessDeniedException",
        "kms:CreateAlias",
        f"arn:aws:kms:{US}:alias/a",
    ),
    (
        "sns",
        "set_subscription_attributes",
        {"SubscriptionArn": f"arn:aws:sns:{US}:t:1", "AttributeName": "RawMessageDelivery"},
        "AuthorizationError",
        "SNS:SetSubscriptionAttributes",
        f"arn:aws:sns:{US}:t",
    ),
    (
        "logs",
        "list_tags_for_resource",
        {"resourceArn": f"arn:aws:logs:{US}:log-group:g"},
        "AccessDeniedException",
        "logs:ListTagsForResource",
        f"arn:aws:logs:{US}:log-group:g",
    ),
]


@pytest.mark.parametrize("case", CALLS, ids=lambda case: f"{case[0]}.{case[1]}")
def test_each_protocol_words_a_denial_as_its_service_does(
    aws: Aws, case: tuple[str, str, dict[str, Any], str, str, str]
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    service, operation, arguments, code, action, resource = case
    caller = Caller(aws)
    error = denied(getattr(caller.client(service), operation), **arguments)
    assert error["Code"] == code
    assert error["Message"] == (
        f"User: arn:aws:sts::123456789012:assumed-role/{caller.name}/one is not authorized to "
        f"perform: {action} on resource: {resource} because no identity-based policy allows the "
        f"{action} action"
    )


def test_a_denial_of_one_resource_holds_where_everything_else_is_allowed(aws: Aws) -> None:
    """Operations that policies were asked about `*` for passed every denial of one resource."""
    logs, events, iam, functions = (aws.client(n) for n in ("logs", "events", "iam", "lambda"))
    name = unique("kept")
    logs.create_log_group(logGroupName=name)
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    events.create_archive(ArchiveName=name, EventSourceArn=bus)
    content = {"ZipFile": package({"python/a.py": "SECRET = 1"})}
    version = functions.publish_layer_version(LayerName=name, Content=content)
    provider = iam.create_open_id_connect_provider(Url=f"https://{name}.test", ClientIDList=["a"])
    provider_arn = provider["OpenIDConnectProviderArn"]
    kept = [
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*",
        f"arn:aws:events:{REGION}:{ACCOUNT}:archive/{name}",
        f"{version['LayerArn']}*",
        provider_arn,
    ]
    caller = Caller(aws, allow("*"), {"Effect": "Deny", "Action": "*", "Resource": kept})
    query = {"startTime": 0, "endTime": 1, "queryString": "fields @message"}
    denied(caller.client("logs").start_query, logGroupNames=["other", name], **query)
    denied(caller.client("events").delete_archive, ArchiveName=name)
    client = caller.client("lambda")
    denied(client.get_layer_version, LayerName=name, VersionNumber=version["Version"])
    denied(client.get_layer_version_by_arn, Arn=version["LayerVersionArn"])
    denied(client.delete_layer_version, LayerName=name, VersionNumber=version["Version"])
    made = {"Runtime": "python3.12", "Handler": "a.b", "Role": caller.arn, "Code": content}
    layered = {"FunctionName": name, "Layers": [version["LayerVersionArn"]]}
    assert "GetLayerVersion" in denied(client.create_function, **made, **layered)["Message"]
    delete = caller.client("iam").delete_open_id_connect_provider
    denied(delete, OpenIDConnectProviderArn=provider_arn)


def test_the_policy_of_a_repository_and_of_a_bus_denies(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html"""
    ecr, events, name = aws.client("ecr"), aws.client("events"), unique("closed")
    ecr.create_repository(repositoryName=name)
    nobody = {"Effect": "Deny", "Principal": "*"}
    closed = policy(nobody | {"Action": ["ecr:BatchGetImage", "ecr:ListImages"]})
    ecr.set_repository_policy(repositoryName=name, policyText=closed)
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    own = {"Sid": "own", "Action": "events:PutEvents", "Resource": bus}
    events.put_permission(EventBusName=name, Policy=policy(nobody | own))
    caller = Caller(aws, allow("*"))
    denied(caller.client("ecr").list_images, repositoryName=name)
    caller.client("ecr").describe_repositories(repositoryNames=[name])
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}
    put = caller.client("events").put_events
    assert "resource-based" in denied(put, Entries=[{**entry, "EventBusName": name}])["Message"]
    put(Entries=[entry])


def test_the_policy_of_a_repository_allows_whom_it_names(aws: Aws) -> None:
    ecr, name, caller = aws.client("ecr"), unique("open"), Caller(aws)
    ecr.create_repository(repositoryName=name)
    named = {"Effect": "Allow", "Principal": {"AWS": caller.arn}, "Action": "ecr:ListImages"}
    ecr.set_repository_policy(repositoryName=name, policyText=policy(named))
    assert caller.client("ecr").list_images(repositoryName=name)["imageIds"] == []
    denied(caller.client("ecr").describe_images, repositoryName=name)


def test_a_user_is_denied_by_the_path_that_its_arn_has(aws: Aws) -> None:
    """Nor is another one given a name that a denial is about."""
    iam, name = aws.client("iam"), unique("user")
    iam.create_user(UserName=name, Path="/team/")
    iam.create_user(UserName=f"{name}-other")
    iam.create_group(GroupName=name, Path="/team/")
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    kept = [f"{IAM_ARN}:user/team/*", f"{IAM_ARN}:group/team/*"]
    caller = Caller(aws, allow("*"), {"Effect": "Deny", "Action": "iam:*", "Resource": kept})
    client = caller.client("iam")
    denied(client.get_user, UserName=name)
    denied(client.get_access_key_last_used, AccessKeyId=key)
    denied(client.delete_group, GroupName=name)
    denied(client.update_user, UserName=f"{name}-other", NewUserName="n", NewPath="/team/")
    client.get_user(UserName=f"{name}-other")


def test_what_does_not_name_its_resource_is_denied_by_what_denies_any(aws: Aws) -> None:
    ask = {"DeletionTaskId": "task/aws-service-role/a/b/c"}
    one = {"Effect": "Deny", "Action": "iam:*", "Resource": f"{IAM_ARN}:role/one"}
    excepted = {"Effect": "Deny", "Action": "iam:*", "NotResource": f"{IAM_ARN}:role/one"}
    others = {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::bucket"}
    for denying in (one, excepted):
        client = Caller(aws, allow("iam:*"), denying).client("iam")
        denied(client.get_service_linked_role_deletion_status, **ask)
    only = Caller(aws, allow("iam:*", f"{IAM_ARN}:role/*")).client("iam")
    denied(only.get_service_linked_role_deletion_status, **ask)
    bounded = Caller(aws, allow("iam:*"), others).client("iam")
    assert bounded.get_service_linked_role_deletion_status(**ask)["Status"]


def test_a_user_who_names_nobody_asks_about_itself(aws: Aws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html"""
    iam, name = aws.client("iam"), unique("user")
    iam.create_user(UserName=name)
    own = allow("iam:ListAccessKeys", f"{IAM_ARN}:user/${{aws:username}}")
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(own))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client = new_client(
        aws.local.endpoint_url,
        "iam",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    (found,) = client.list_access_keys()["AccessKeyMetadata"]
    assert found["UserName"] == name
