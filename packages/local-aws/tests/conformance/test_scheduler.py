import datetime
import itertools
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import ACCOUNT, REGION, Aws, eventually, policy, unique
from local_aws.testing.clock import Clock
from local_aws.testing.hosting import Hosting, variant

SCHEDULES = f"arn:aws:scheduler:{REGION}:{ACCOUNT}"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def queue(aws: Aws) -> tuple[str, str]:
    url = aws.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rsplit('/', 1)[-1]}"


@pytest.fixture
def role(aws: Aws) -> str:
    return aws.role_with(
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}, services=["scheduler"]
    )


def schedule(aws: Aws, expression: str, target: dict[str, Any], **more: Any) -> str:
    name = more.pop("Name", None) or unique("schedule")
    aws.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        Target=target,
        FlexibleTimeWindow={"Mode": "OFF"},
        **more,
    )
    return name


def messages(aws: Aws, url: str) -> list[dict[str, Any]]:
    """Take up to ten messages out of a queue: what is only received comes back as time passes."""
    sqs = aws.client("sqs")
    found: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def bodies(aws: Aws, url: str) -> list[dict[str, Any]]:
    return [json.loads(message["Body"]) for message in messages(aws, url)]


def stop(aws: Aws, name: str) -> None:
    """Delete a schedule, so that later tests that move the clock do not fire it."""
    aws.client("scheduler").delete_schedule(Name=name)


def test_a_rate_fires_by_the_clock(
    aws: Aws, clock: Clock, queue: tuple[str, str], role: str
) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based"""
    url, arn = queue
    text = '{"at": "<aws.scheduler.scheduled-time>", "by": "<aws.scheduler.schedule-arn>"}'
    name = schedule(aws, "rate(5 minutes)", {"Arn": arn, "RoleArn": role, "Input": text})
    clock.advance(16 * 60)
    found = bodies(aws, url)
    assert len(found) == 4
    times = sorted(datetime.datetime.fromisoformat(body["at"]) for body in found)
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {
        datetime.timedelta(minutes=5)
    }
    assert found[0]["by"] == f"{SCHEDULES}:schedule/default/{name}"
    aws.client("scheduler").update_schedule(
        Name=name,
        ScheduleExpression="rate(5 minutes)",
        State="DISABLED",
        Target={"Arn": arn, "RoleArn": role},
        FlexibleTimeWindow={"Mode": "OFF"},
    )
    clock.advance(3600)
    assert bodies(aws, url) == []


def test_a_rate_has_its_first_time_at_its_start(
    aws: Aws, clock: Clock, queue: tuple[str, str], role: str
) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based"""
    url, arn = queue
    text = '{"at": "<aws.scheduler.scheduled-time>"}'
    start = (clock.now() + 2 * HOUR).replace(microsecond=0)
    target = {"Arn": arn, "RoleArn": role, "Input": text}
    name = schedule(aws, "rate(3 hours)", target, StartDate=start)
    clock.advance(6 * 3600)
    stop(aws, name)
    times = sorted(datetime.datetime.fromisoformat(body["at"]) for body in bodies(aws, url))
    assert times == [start, start + 3 * HOUR]


def test_a_cron_fires_at_its_local_time(
    aws: Aws, clock: Clock, queue: tuple[str, str], role: str
) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based"""
    url, arn = queue
    text = '{"at": "<aws.scheduler.scheduled-time>"}'
    name = schedule(
        aws,
        "cron(30 7 ? * * *)",
        {"Arn": arn, "RoleArn": role, "Input": text},
        ScheduleExpressionTimezone="Asia/Kolkata",
    )
    clock.advance(24 * 3600)
    (body,) = bodies(aws, url)
    stop(aws, name)
    assert body["at"].endswith("T02:00:00Z")


def test_a_single_schedule_fires_once_and_is_deleted(
    aws: Aws, clock: Clock, queue: tuple[str, str], role: str
) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html"""
    url, arn = queue
    at = clock.now() + HOUR
    name = schedule(
        aws,
        f"at({at:%Y-%m-%dT%H:%M:%S})",
        {"Arn": arn, "RoleArn": role},
        ActionAfterCompletion="DELETE",
    )
    clock.advance(1800)
    assert bodies(aws, url) == []
    clock.advance(1800)
    (event,) = bodies(aws, url)
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    with pytest.raises(ClientError, match="does not exist"):
        aws.client("scheduler").get_schedule(Name=name)


def test_the_end_date_ends_a_schedule(
    aws: Aws, clock: Clock, queue: tuple[str, str], role: str
) -> None:
    """botocore service-2.json: scheduler/CreateSchedule"""
    url, arn = queue
    name = schedule(
        aws, "rate(10 minutes)", {"Arn": arn, "RoleArn": role}, EndDate=clock.now() + HOUR / 2
    )
    clock.advance(2 * 3600)
    assert len(bodies(aws, url)) in (2, 3)
    stop(aws, name)


ECHO = "def handler(event, context):\n    print('EVENT', event)\n"


def test_functions_state_machines_topics_and_buses_are_targets(
    aws: Aws, clock: Clock, queue: tuple[str, str]
) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html"""
    url, queue_arn = queue
    anyone = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": queue_arn}
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(anyone)})
    role = aws.role_with(
        *(
            {"Effect": "Allow", "Action": action, "Resource": "*"}
            for action in (
                "lambda:InvokeFunction",
                "states:StartExecution",
                "sns:Publish",
                "events:PutEvents",
            )
        ),
        services=["scheduler"],
    )
    function, source = aws.function(ECHO), unique("shop")
    machine = aws.state_machine({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    topic = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    events = aws.client("events")
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": queue_arn}])
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    asked = {"DetailType": "Tick", "Source": source}
    names = [
        schedule(aws, "rate(1 hour)", {"RoleArn": role, "Input": '{"n": 1}', **target})
        for target in (
            {"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"},
            {"Arn": machine},
            {"Arn": topic},
            {"Arn": bus, "EventBridgeParameters": asked},
        )
    ]
    clock.advance(60)
    for name in names:
        stop(aws, name)
    found = bodies(aws, url)
    assert [body["Message"] for body in found if "Message" in body] == ['{"n": 1}']
    assert [body["detail"] for body in found if "detail" in body] == [{"n": 1}]
    states = aws.client("stepfunctions")
    (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
    assert json.loads(aws.wait(execution["executionArn"])["input"]) == {"n": 1}
    lines = eventually(lambda: said_by(aws, function) or None)
    assert lines == ["EVENT {'n': 1}"]


def said_by(aws: Aws, function: str) -> list[str]:
    logs, group = aws.client("logs"), f"/aws/lambda/{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    found = logs.filter_log_events(logGroupName=group)["events"]
    return [one["message"] for one in found if one["message"].startswith("EVENT")]


def test_an_operation_of_any_service_is_a_target(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html"""
    role = aws.role_with(
        {"Effect": "Allow", "Action": "application-autoscaling:*", "Resource": "*"},
        services=["scheduler"],
    )
    target = f"endpoint/{unique('e')}/variant/v"
    given = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": target,
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1,
        "MaxCapacity": 2,
    }
    operation = "arn:aws:scheduler:::aws-sdk:applicationautoscaling:registerScalableTarget"
    wanted = {"Arn": operation, "RoleArn": role, "Input": json.dumps(given)}
    name = schedule(aws, "rate(1 hour)", wanted)
    clock.advance(3600)
    stop(aws, name)
    (found,) = aws.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[target]
    )["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 2)


def test_an_endpoint_is_deleted_at_night_and_created_in_the_morning(
    aws: Aws, clock: Clock, hosting: Hosting
) -> None:
    """docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html"""
    sagemaker = aws.client("sagemaker")
    endpoint = hosting.endpoint(hosting.configuration(variant(hosting.model())))
    hosting.settled(endpoint)
    config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    role = aws.role_with(
        {
            "Effect": "Allow",
            "Action": ["sagemaker:DeleteEndpoint", "sagemaker:CreateEndpoint"],
            "Resource": "*",
        },
        services=["scheduler"],
    )
    inputs = {
        "deleteEndpoint": {"EndpointName": endpoint},
        "createEndpoint": {"EndpointName": endpoint, "EndpointConfigName": config},
    }
    names, now = [], clock.now()
    for hours, (operation, given) in enumerate(inputs.items(), 1):
        target = {
            "Arn": f"arn:aws:scheduler:::aws-sdk:sagemaker:{operation}",
            "RoleArn": role,
            "Input": json.dumps(given),
        }
        at = now + hours * HOUR
        names.append(schedule(aws, f"at({at:%Y-%m-%dT%H:%M:%S})", target))
    clock.advance(3600)

    def status() -> str:
        found = sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"]
        return found[0]["EndpointStatus"] if found else "none"

    eventually(lambda: status() == "none" or None)
    clock.advance(3600)
    eventually(lambda: status() == "InService" or None)
    for name in names:
        stop(aws, name)
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_what_the_role_may_not_do_goes_to_the_dead_letters(
    aws: Aws, clock: Clock, queue: tuple[str, str]
) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html"""
    url, arn = queue
    role = aws.role_with(
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}, services=["scheduler"]
    )
    wanted = {
        "Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint",
        "RoleArn": role,
        "Input": '{"EndpointName": "e"}',
        "DeadLetterConfig": {"Arn": arn},
        "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
    }
    name = schedule(aws, "rate(1 hour)", wanted)
    clock.advance(60)
    stop(aws, name)
    (message,) = messages(aws, url)
    about = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"]) == {"EndpointName": "e"}
    assert about["ERROR_CODE"] == "NO_PERMISSIONS"
    assert "sagemaker:DeleteEndpoint" in about["ERROR_MESSAGE"]
    assert about["SCHEDULE_ARN"] == f"{SCHEDULES}:schedule/default/{name}"
    assert about["TARGET_ARN"] == wanted["Arn"]


def test_a_group_bounds_the_trust_of_the_role(aws: Aws, queue: tuple[str, str]) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html"""
    _, arn = queue
    group, iam, name = unique("group"), aws.client("iam"), unique("r")
    aws.client("scheduler").create_schedule_group(Name=group)
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnEquals": {"aws:SourceArn": f"{SCHEDULES}:schedule-group/{group}"}},
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    target = {"Arn": arn, "RoleArn": role}
    stop_in = {"GroupName": group}
    made = schedule(aws, "rate(1 day)", target, **stop_in)
    aws.client("scheduler").delete_schedule(Name=made, GroupName=group)
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume"):
        schedule(aws, "rate(1 day)", target)


def test_whoever_makes_a_schedule_must_be_allowed_to_pass_its_role(aws: Aws, role: str) -> None:
    """docs.aws.amazon.com/scheduler/latest/UserGuide/security_iam_id-based-policies.html"""
    iam, name = aws.client("iam"), unique("r")
    account = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Effect": "Allow", "Principal": account, "Action": "sts:AssumeRole"}
    caller = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]
    makes = {"Effect": "Allow", "Action": "scheduler:*", "Resource": "*"}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(makes))
    keys = aws.client("sts").assume_role(RoleArn=caller["Arn"], RoleSessionName="maker")[
        "Credentials"
    ]
    scheduler = boto3.client(
        "scheduler",
        endpoint_url=aws.local.endpoint_url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {role}"):
        scheduler.create_schedule(
            Name=unique("schedule"),
            ScheduleExpression="rate(1 day)",
            Target={"Arn": QUEUE, "RoleArn": role},
            FlexibleTimeWindow={"Mode": "OFF"},
        )


@pytest.mark.parametrize(
    ("expression", "arn", "said"),
    [
        ("cron(0 9 * * *)", QUEUE, "Invalid Schedule Expression"),
        ("rate(1 minutes)", QUEUE, "Invalid Schedule Expression"),
        ("rate(1 day)", "arn:aws:scheduler:::aws-sdk:sagemaker:describeEndpoint", "not a valid"),
        ("rate(1 day)", "arn:aws:scheduler:::aws-sdk:nothing:doIt", "no AWS service"),
        ("rate(1 day)", f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c", "does not implement"),
    ],
)
def test_a_schedule_that_can_never_fire_is_refused(
    aws: Aws, role: str, expression: str, arn: str, said: str
) -> None:
    """docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html"""
    with pytest.raises(ClientError, match=said) as refusal:
        schedule(aws, expression, {"Arn": arn, "RoleArn": role})
    assert refusal.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    "expression",
    [
        "cron(INVALID)",
        "cron()",
        "cron(71 8 1 * ? *)",
        "rate()",
        "rate(10)",
        "rate(10 seconds)",
        "rate(10 years)",
        "rate(-10 minutes)",
        "rate( 10 minutes )",
        " rate(10 minutes)",
        "at(2021-12-31)",
        "at(2021-12-31T23:59:59Z)",
    ],
)
def test_the_expression_is_checked_before_the_role(aws: Aws, expression: str) -> None:
    """Recorded on AWS: a role that nobody may take is not what the answer is about."""
    nobody = f"arn:aws:iam::{ACCOUNT}:role/none"
    with pytest.raises(ClientError) as refusal:
        schedule(aws, expression, {"Arn": QUEUE, "RoleArn": nobody})
    found = refusal.value.response["Error"]
    assert found["Code"] == "ValidationException"
    assert found["Message"] == f"Invalid Schedule Expression {expression}."


def test_names_are_checked_before_the_role_and_the_group_must_be_there(aws: Aws) -> None:
    nobody = {"Arn": QUEUE, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}
    with pytest.raises(ClientError, match="'no name!' at 'name' failed to satisfy"):
        schedule(aws, "rate(1 day)", nobody, Name="no name!")
    with pytest.raises(ClientError, match="Schedule group none does not exist") as refusal:
        schedule(aws, "rate(1 day)", nobody, GroupName="none")
    assert refusal.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume"):
        schedule(aws, "rate(1 day)", nobody)


def test_a_rule_with_a_schedule_sends_its_event(
    aws: Aws, clock: Clock, queue: tuple[str, str]
) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html"""
    url, arn = queue
    allows = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(allows)})
    events, name = aws.client("events"), unique("rule")
    rule = events.put_rule(Name=name, ScheduleExpression="rate(10 minutes)")["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}"}])
    clock.advance(25 * 60)
    events.disable_rule(Name=name)
    found = bodies(aws, url)
    assert [event["detail-type"] for event in found] == ["Scheduled Event"] * 2
    assert found[0]["resources"] == [rule]
    assert (found[0]["source"], found[0]["detail"]) == ("aws.events", {})
