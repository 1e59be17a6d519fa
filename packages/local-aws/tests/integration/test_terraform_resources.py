import json
from typing import Any

import pytest

from local_aws.testing.aws import Aws, policy

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::gap-policy", "arn:aws:s3:::gap-policy/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::gap-policy/*",
        },
        {
            "Sid": "Closed",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::gap-policy/closed/*",
        },
    ],
}


def test_a_bucket_that_takes_tls_alone_is_open_and_takes_logs(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="gap-policy")
    s3.put_bucket_policy(Bucket="gap-policy", Policy=json.dumps(POLICY))
    s3.put_object(Bucket="gap-policy", Key="a", Body=b"x")
    assert s3.get_object(Bucket="gap-policy", Key="a")["Body"].read() == b"x"
    s3.put_bucket_logging(
        Bucket="gap-policy",
        BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "gap-policy", "TargetPrefix": ""}},
    )


def test_an_unconditional_deny_of_a_bucket_policy_still_denies(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="gap-deny")
    text = json.dumps(POLICY).replace("gap-policy", "gap-deny")
    s3.put_bucket_policy(Bucket="gap-deny", Policy=text)
    s3.put_object(Bucket="gap-deny", Key="closed/a", Body=b"x")
    try:
        s3.get_object(Bucket="gap-deny", Key="closed/a")
    except s3.exceptions.ClientError as refusal:
        assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    else:
        raise AssertionError("the object was given out")


def test_a_rule_for_old_versions_returns_how_many_it_keeps(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html"""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="gap-lifecycle")
    rules = [
        {"ID": "none", "Expiration": {"Days": 1}},
        {"ID": "days", "NoncurrentVersionExpiration": {"NoncurrentDays": 9}},
        {
            "ID": "kept",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 20},
        },
    ]
    rules = [{**rule, "Status": "Enabled", "Filter": {}} for rule in rules]
    s3.put_bucket_lifecycle_configuration(
        Bucket="gap-lifecycle", LifecycleConfiguration={"Rules": rules}
    )
    found = s3.get_bucket_lifecycle_configuration(Bucket="gap-lifecycle")["Rules"]
    assert [rule.get("NoncurrentVersionExpiration") for rule in found] == [
        None,
        {"NoncurrentDays": 9},
        {"NoncurrentDays": 90, "NewerNoncurrentVersions": 20},
    ]


def test_versions_are_listed_with_encoded_keys_where_that_is_asked_for(aws: Aws) -> None:
    """A client that decodes keys would otherwise delete `a b` in the place of `a+b`, for ever."""
    s3, keys = aws.client("s3"), ["x/a b.png", "x/a+b.png", "x/vélo 100%.png"]
    s3.create_bucket(Bucket="gap-encoding")
    s3.put_bucket_versioning(Bucket="gap-encoding", VersioningConfiguration={"Status": "Enabled"})
    for key in keys:
        s3.put_object(Bucket="gap-encoding", Key=key, Body=b"x")
    s3.delete_object(Bucket="gap-encoding", Key="x/a+b.png")
    found = s3.list_object_versions(Bucket="gap-encoding", EncodingType="url", Prefix="x/a+")
    assert found["EncodingType"] == "url"
    assert [one["Key"] for one in found["Versions"]] == ["x/a%2Bb.png"]
    assert [one["Key"] for one in found["DeleteMarkers"]] == ["x/a%2Bb.png"]
    assert found["Prefix"] == "x/a%2B"
    # boto3 asks for encoded keys by itself, and decodes them.
    listed = s3.list_object_versions(Bucket="gap-encoding")["Versions"]
    assert [one["Key"] for one in listed] == keys


def test_a_bucket_returns_that_it_sends_events_to_eventbridge(aws: Aws) -> None:
    s3, sqs = aws.client("s3"), aws.client("sqs")
    s3.create_bucket(Bucket="gap-events")
    only: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="gap-events", NotificationConfiguration=only)
    found = s3.get_bucket_notification_configuration(Bucket="gap-events")
    assert found["EventBridgeConfiguration"] == {}
    arn = "arn:aws:sqs:us-east-1:123456789012:gap-events"
    lets = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    sqs.create_queue(QueueName="gap-events", Attributes={"Policy": policy(lets)})
    queue = {"QueueArn": arn}
    both = {**only, "QueueConfigurations": [{**queue, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="gap-events", NotificationConfiguration=both)
    found = s3.get_bucket_notification_configuration(Bucket="gap-events")
    assert found["EventBridgeConfiguration"] == {} and len(found["QueueConfigurations"]) == 1


def test_a_function_keeps_its_dead_letter_logging_and_tracing_settings(aws: Aws) -> None:
    settings: dict[str, dict[str, Any]] = {
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"},
        "TracingConfig": {"Mode": "Active"},
        "EphemeralStorage": {"Size": 1024},
    }
    name = aws.function("def handler(event, context): ...\n", **settings)
    functions = aws.client("lambda")
    found = functions.get_function_configuration(FunctionName=name)
    for key, value in settings.items():
        assert found[key].items() >= value.items()
    assert found["LoggingConfig"]["LogGroup"] == f"/aws/lambda/{name}"
    changed = {
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "elsewhere"},
        "TracingConfig": {"Mode": "PassThrough"},
        "EphemeralStorage": {"Size": 512},
    }
    functions.update_function_configuration(FunctionName=name, **changed)
    found = functions.get_function_configuration(FunctionName=name)
    assert {key: found[key] for key in changed} == changed
    assert found["DeadLetterConfig"] == settings["DeadLetterConfig"]


def test_a_functions_environment_can_be_taken_away(aws: Aws) -> None:
    name = aws.function(
        "def handler(event, context): ...\n", Environment={"Variables": {"A1": "1"}}
    )
    found = aws.client("lambda").update_function_configuration(FunctionName=name, Environment={})
    assert "Environment" not in found


def test_a_function_logs_to_the_group_that_it_was_given(aws: Aws) -> None:
    name = aws.function(
        "def handler(event, context):\n    print('here')\n",
        LoggingConfig={"LogFormat": "Text", "LogGroup": "/gap/group"},
    )
    aws.invoke(name)
    found = aws.client("logs").filter_log_events(logGroupName="/gap/group", filterPattern="here")
    assert [event["message"] for event in found["events"]] == ["here"]


def test_an_event_source_mapping_returns_the_alias_that_it_was_given(aws: Aws) -> None:
    functions, sqs = aws.client("lambda"), aws.client("sqs")
    sqs.create_queue(QueueName="gap-mapping")
    name = aws.function("def handler(event, context): ...\n")
    functions.publish_version(FunctionName=name)
    alias = functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    made = functions.create_event_source_mapping(
        FunctionName=alias["AliasArn"],
        EventSourceArn="arn:aws:sqs:us-east-1:123456789012:gap-mapping",
    )
    assert made["FunctionArn"] == alias["AliasArn"]


def test_a_redrive_policy_comes_back_without_blanks(aws: Aws) -> None:
    sqs = aws.client("sqs")
    sqs.create_queue(QueueName="gap-dead")
    policy = '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:gap-dead",'
    policy += '"maxReceiveCount":3}'
    url = sqs.create_queue(QueueName="gap-queue", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    assert found["Attributes"]["RedrivePolicy"] == policy


def test_a_queue_says_which_queues_may_send_their_dead_letters_to_it(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="gap-allow")["QueueUrl"]
    allow = '{"redrivePermission":"denyAll"}'
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": allow})
    for names in (["RedriveAllowPolicy"], ["All"]):
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        assert found["RedriveAllowPolicy"] == allow


def test_a_queues_policy_stays_when_another_attribute_is_set(aws: Aws) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="gap-stays", Attributes={"Policy": json.dumps(POLICY)})
    url = url["QueueUrl"]
    for attributes in ({"VisibilityTimeout": "60"}, {"KmsMasterKeyId": "alias/aws/sqs"}):
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(found["Policy"]) == POLICY
    assert (found["VisibilityTimeout"], found["SqsManagedSseEnabled"]) == ("60", "false")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert "Policy" not in found


def test_a_composite_alarm_can_be_put_and_read(aws: Aws) -> None:
    cloudwatch = aws.client("cloudwatch")
    for name in ("a", "b"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="N",
            MetricName="M",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.put_composite_alarm(AlarmName="gap-both", AlarmRule="ALARM(a) AND ALARM(b)")
    found = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [alarm["AlarmRule"] for alarm in found] == ["ALARM(a) AND ALARM(b)"]


def test_a_scalable_target_has_tags(aws: Aws) -> None:
    scaling = aws.client("application-autoscaling")
    arn = scaling.register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId="endpoint/e/variant/v",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
        Tags={"a": "1"},
    )["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}


def test_a_budget_has_tags_and_its_notifications_have_subscribers(aws: Aws) -> None:
    budgets, account = aws.client("budgets"), "123456789012"
    notification = {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": 80.0,
    }
    subscribers = [{"SubscriptionType": "EMAIL", "Address": "a@example.com"}]
    budgets.create_budget(
        AccountId=account,
        Budget={
            "BudgetName": "gap",
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "1", "Unit": "USD"},
        },
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": subscribers}],
        ResourceTags=[{"Key": "a", "Value": "1"}],
    )
    found = budgets.describe_subscribers_for_notification(
        AccountId=account, BudgetName="gap", Notification=notification
    )
    assert found["Subscribers"] == subscribers
    tags = budgets.list_tags_for_resource(ResourceARN=f"arn:aws:budgets::{account}:budget/gap")
    assert tags["ResourceTags"] == [{"Key": "a", "Value": "1"}]


def test_a_budget_can_be_changed_and_keeps_its_notifications(aws: Aws) -> None:
    budgets, account = aws.client("budgets"), "123456789012"
    budget = {
        "BudgetName": "gap-changed",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "1", "Unit": "USD"},
    }
    notification = {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": 80.0,
    }
    subscribers = [{"SubscriptionType": "EMAIL", "Address": "a@example.com"}]
    budgets.create_budget(
        AccountId=account,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": subscribers}],
    )
    limit = {"Amount": "2", "Unit": "USD"}
    budgets.update_budget(AccountId=account, NewBudget={**budget, "BudgetLimit": limit})
    found = budgets.describe_budget(AccountId=account, BudgetName="gap-changed")["Budget"]
    assert found["BudgetLimit"] == limit
    kept = budgets.describe_notifications_for_budget(AccountId=account, BudgetName="gap-changed")
    assert len(kept["Notifications"]) == 1


def test_asynchronous_settings_belong_to_a_qualifier_and_change_one_by_one(aws: Aws) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionEventInvokeConfig.html"""
    functions = aws.client("lambda")
    name = aws.function("def handler(event, context): ...\n")
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    live = {"FunctionName": name, "Qualifier": "live"}
    functions.put_function_event_invoke_config(**live, MaximumRetryAttempts=0)
    functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    functions.update_function_event_invoke_config(**live, MaximumEventAgeInSeconds=60)
    found = functions.get_function_event_invoke_config(**live)
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (0, 60)
    assert found["FunctionArn"].endswith(f":{name}:live")
    listed = functions.list_function_event_invoke_configs(FunctionName=name)
    arns = {one["FunctionArn"].rpartition(":")[2] for one in listed["FunctionEventInvokeConfigs"]}
    assert arns == {"live", "$LATEST"}
    functions.delete_function_event_invoke_config(**live)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function_event_invoke_config(**live)
    latest = functions.get_function_event_invoke_config(FunctionName=name)
    assert latest["MaximumRetryAttempts"] == 1
