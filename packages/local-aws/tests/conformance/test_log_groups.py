"""Encrypted log groups, and those with subscription filters, against AWS's pages.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

import base64
import gzip
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import ACCOUNT, REGION, Aws, policy, unique
from local_aws.testing.refusals import error_code

ACCOUNT_MANAGES = {
    "Sid": "Account",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def for_groups(prefix: str) -> dict[str, Any]:
    """Return the page's statement for the log groups of a prefix."""
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{prefix}*"
    return {
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
        "Action": [
            "kms:Encrypt*",
            "kms:Decrypt*",
            "kms:ReEncrypt*",
            "kms:GenerateDataKey*",
            "kms:Describe*",
        ],
        "Resource": "*",
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn}},
    }


def key(aws: Aws, *statements: dict[str, Any]) -> str:
    made = aws.client("kms").create_key(Policy=policy(ACCOUNT_MANAGES, *statements))
    arn: str = made["KeyMetadata"]["Arn"]
    return arn


def key_of(aws: Aws, name: str) -> str | None:
    (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    arn: str | None = group.get("kmsKeyId")
    return arn


def test_a_group_is_made_with_a_key_that_lets_its_logs_use_it(aws: Aws) -> None:
    name = unique("own")
    arn = key(aws, for_groups("own"))
    aws.client("logs").create_log_group(logGroupName=name, kmsKeyId=arn)
    assert key_of(aws, name) == arn


def test_a_key_that_does_not_let_the_groups_logs_use_it_is_refused(aws: Aws) -> None:
    logs, name = aws.client("logs"), unique("own")
    missing = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    for arn in (key(aws), key(aws, for_groups("other")), missing):
        with pytest.raises(ClientError, match="is not allowed to be used with") as refused:
            logs.create_log_group(logGroupName=name, kmsKeyId=arn)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        assert f"log-group:{name}'" in str(refused.value)
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []


def test_a_group_gets_another_key_and_loses_it(aws: Aws) -> None:
    logs, name = aws.client("logs"), unique("own")
    logs.create_log_group(logGroupName=name)
    with pytest.raises(ClientError, match="is not allowed to be used with"):
        logs.associate_kms_key(logGroupName=name, kmsKeyId=key(aws))
    assert key_of(aws, name) is None
    arn = key(aws, for_groups("own"))
    logs.associate_kms_key(logGroupName=name, kmsKeyId=arn)
    assert key_of(aws, name) == arn
    logs.disassociate_kms_key(logGroupName=name)
    assert key_of(aws, name) is None
    with pytest.raises(ClientError, match="does not exist"):
        logs.associate_kms_key(logGroupName="absent", kmsKeyId=arn)


def test_events_are_kept_for_one_of_the_times_that_there_are(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
    logs, group = aws.client("logs"), unique("g")
    logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=3)
    with pytest.raises(ClientError, match="retentionInDays"):
        logs.put_retention_policy(logGroupName=group, retentionInDays=4)


def test_a_pattern_that_is_not_closed_makes_no_filter(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"""
    logs, group = aws.client("logs"), unique("g")
    logs.create_log_group(logGroupName=group)
    made = [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]
    for pattern in ("{ $.level = ", "[first, second"):
        with pytest.raises(ClientError, match="no closing bracket"):
            logs.put_metric_filter(
                logGroupName=group,
                filterName="f",
                filterPattern=pattern,
                metricTransformations=made,
            )


KEEPS = """
import os, boto3
def handler(event, context):
    url = os.environ["QUEUE"]
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody=event["awslogs"]["data"])
"""


def written(aws: Aws, group: str, *messages: str) -> None:
    """Write events to a group's stream `s`."""
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": message} for message in messages]
    aws.client("logs").put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def log_group(aws: Aws) -> str:
    name = unique("/group")
    aws.client("logs").create_log_group(logGroupName=name)
    aws.client("logs").create_log_stream(logGroupName=name, logStreamName="s")
    return name


def permit(aws: Aws, function: str, group: str) -> None:
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*",
    )


def test_events_that_match_reach_a_function_that_lets_them(aws: Aws) -> None:
    url, _ = aws.queue()
    function, group = aws.function(KEEPS, Environment={"Variables": {"QUEUE": url}}), log_group(aws)
    permit(aws, function, group)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    aws.client("logs").put_subscription_filter(
        logGroupName=group, filterName="f", filterPattern="ERROR", destinationArn=arn
    )
    written(aws, group, "all is well", "ERROR one")
    body = json.loads(gzip.decompress(base64.b64decode(aws.message(url)["Body"])))
    assert (body["logGroup"], body["logStream"]) == (group, "s")
    assert [event["message"] for event in body["logEvents"]] == ["ERROR one"]
    aws.client("lambda").delete_function(FunctionName=function)
    written(aws, group, "ERROR two")


def test_a_function_that_lets_no_logs_invoke_it_gets_no_filter(aws: Aws) -> None:
    function, group = aws.function("def handler(event, context): pass"), log_group(aws)
    permit(aws, function, "/another")
    logs, arn = aws.client("logs"), f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    asked = {"logGroupName": group, "filterName": "f", "filterPattern": ""}
    with pytest.raises(ClientError, match="given CloudWatch Logs permission"):
        logs.put_subscription_filter(**asked, destinationArn=arn)
    own = f"/aws/lambda/{function}"
    logs.create_log_group(logGroupName=own)
    with pytest.raises(ClientError, match="reserved for the function logs of the destination"):
        logs.put_subscription_filter(**{**asked, "logGroupName": own}, destinationArn=arn)


def test_a_log_group_is_no_destination_of_log_events(aws: Aws) -> None:
    group = log_group(aws)
    with pytest.raises(ClientError, match="not that of a function or a destination"):
        aws.client("logs").put_subscription_filter(
            logGroupName=group,
            filterName="f",
            filterPattern="",
            destinationArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
        )


def test_events_are_exported_only_to_a_bucket_that_takes_them(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/S3ExportTasks.html"""
    group, bucket, s3 = log_group(aws), unique("exports"), aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    written(aws, group, "one")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"},
        },
    }
    acl = {**statement, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}"}
    put = {**statement, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/own/*"}
    export = {"logGroupName": group, "fromTime": 0, "to": 2**41, "destination": bucket}
    create = aws.client("logs").create_export_task
    with pytest.raises(ClientError, match="GetBucketAcl call on the given bucket failed"):
        create(**export)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(acl, put))
    with pytest.raises(ClientError, match="PutObject call on the given bucket failed"):
        create(**export, destinationPrefix="others")
    create(**export, destinationPrefix="own")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert [key for key in keys if key.startswith("own/")]


def test_a_pattern_for_any_value_and_for_the_values_of_an_array(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"""
    group = log_group(aws)
    messages = ('{"a": 1, "l": [{"b": 1}, {"b": 2}]}', '{"a": null, "l": [{"b": 3}]}', '{"l": 2}')
    written(aws, group, *messages)
    find = aws.client("logs").filter_log_events

    def found(pattern: str) -> list[int]:
        events = find(logGroupName=group, filterPattern=pattern)["events"]
        return [messages.index(one["message"]) for one in events]

    assert found("{ $.a = * }") == [0]
    assert found('{ $.a = "*" }') == [0]
    assert found("{ $.l[*].b = 2 }") == [0]
    assert found("{ $.l[*].b > 1 }") == [0, 1]
    assert error_code(find, logGroupName=group, filterPattern="{ $.l[*].m[*].b = 1 }") == (
        "InvalidParameterException"
    )


def test_events_are_read_up_to_the_end_and_filtered_including_it(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html"""
    logs, group = aws.client("logs"), log_group(aws)
    logs.create_log_stream(logGroupName=group, logStreamName="times")
    at = int(aws.local.now().timestamp() * 1000)
    events = [{"timestamp": at + number, "message": str(number)} for number in range(4)]
    logs.put_log_events(logGroupName=group, logStreamName="times", logEvents=events)
    span = {"logGroupName": group, "startTime": at + 1, "endTime": at + 3}
    read = logs.get_log_events(**span, logStreamName="times", startFromHead=True)["events"]
    assert [one["message"] for one in read] == ["1", "2"]
    filtered = logs.filter_log_events(**span)["events"]
    assert [one["message"] for one in filtered] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fields @message | sort @timestamp desc | limit 2", None),
        ("fields @message | filter @message like /a|b/ | limit 2", "NotImplemented"),
        ("stats count(*) by bin(5m)", "NotImplemented"),
        ("fields @message | select *", "MalformedQueryException"),
        ("fields @message |", "MalformedQueryException"),
    ],
)
def test_a_query_whose_commands_are_not_done_gives_no_result(
    aws: Aws, query: str, expected: str | None
) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html"""
    asked = {"logGroupName": log_group(aws), "startTime": 0, "endTime": 1, "queryString": query}
    assert error_code(aws.client("logs").start_query, **asked) == expected


def test_a_query_names_its_groups_in_one_of_three_ways(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html"""
    logs, name = aws.client("logs"), log_group(aws)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
    asked = {"startTime": 0, "endTime": 1, "queryString": "fields @message"}
    for given in ({"logGroupName": name}, {"logGroupNames": [name]}):
        assert logs.start_query(**asked, **given)["queryId"]
    for group in (name, arn):
        query = logs.start_query(**asked, logGroupIdentifiers=[group])["queryId"]
        assert logs.get_query_results(queryId=query)["results"] == []
    assert error_code(logs.start_query, **asked) == "InvalidParameterException"
    both = {"logGroupName": name, "logGroupIdentifiers": [arn]}
    assert error_code(logs.start_query, **asked, **both) == "InvalidParameterException"
