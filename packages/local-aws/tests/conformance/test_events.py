import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import ACCOUNT, REGION, Aws, eventually, policy, unique
from local_aws.testing.clock import Clock
from local_aws.testing.hosting import IMAGE, Hosting, variant

RULE = "arn:aws:events:us-east-1:123456789012:rule/"
ECHO = "def handler(event, context):\n    print('EVENT', event)\n    return event\n"


def allowing(service: str, action: str | list[str], resource: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
    }


class Queue:
    """A queue that a service may send to, and what it got."""

    def __init__(self, aws: Aws, service: str = "events") -> None:
        self.sqs = aws.client("sqs")
        self.url = self.sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = found["Attributes"]["QueueArn"]
        if service:
            document = policy(allowing(service, "sqs:SendMessage", self.arn))
            self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": document})

    def messages(self) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        messages: list[dict[str, Any]] = found.get("Messages", [])
        return messages

    def bodies(self) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages()]


def rule(
    aws: Aws,
    pattern: dict[str, Any],
    *targets: dict[str, Any],
    bus: str = "default",
    **more: Any,
) -> str:
    events, name = aws.client("events"), unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), EventBusName=bus, **more)
    listed = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    events.put_targets(Rule=name, EventBusName=bus, Targets=listed)
    return name


def put(aws: Aws, source: str, detail: dict[str, Any], bus: str = "default") -> str:
    entry = {
        "Source": source,
        "DetailType": "Shipped",
        "Detail": json.dumps(detail),
        "EventBusName": bus,
    }
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0
    event_id: str = answer["Entries"][0]["EventId"]
    return event_id


@pytest.mark.parametrize(
    ("pattern", "detail", "expected"),
    [
        ({"a": ["x", "y"]}, {"a": "x"}, True),
        ({"a": ["x"]}, {"a": ["w", "x"]}, True),
        ({"a": ["x"], "b": [1]}, {"a": "x"}, False),
        ({"a": [{"prefix": "img/"}]}, {"a": "img/1.png"}, True),
        ({"a": [{"suffix": ".png"}]}, {"a": "img/1.jpg"}, False),
        ({"a": [{"prefix": {"equals-ignore-case": "IMG/"}}]}, {"a": "img/1.png"}, True),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "z"}, True),
        ({"a": [{"anything-but": "x"}]}, {"a": "x"}, False),
        ({"a": [{"anything-but": {"prefix": "img/"}}]}, {"a": "img/1"}, False),
        ({"a": [{"anything-but": {"suffix": [".png", ".jpg"]}}]}, {"a": "1.gif"}, True),
        ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
        ({"a": [{"numeric": ["=", 3]}]}, {"a": 4}, False),
        ({"a": [{"exists": True}]}, {"b": 1}, False),
        ({"a": [{"exists": False}]}, {"b": 1}, True),
        ({"a": [{"wildcard": "*/img/*.png"}]}, {"a": "x/img/1.png"}, True),
        ({"a": [{"equals-ignore-case": "ALICE"}]}, {"a": "Alice"}, True),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.7"}, True),
        ({"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 5]}]}]}, {"b": 6}, True),
        ({"a": {"b": ["x"]}}, {"a": {"b": "x"}}, True),
        ({"a": {"b": ["x"]}}, {"a": [{"b": "w"}, {"b": "x"}]}, True),
        ({"a": [None]}, {"a": None}, True),
    ],
)
def test_a_pattern_matches_as_its_filters_say(
    aws: Aws, pattern: dict[str, Any], detail: dict[str, Any], expected: bool
) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html"""
    event = {
        "id": "1",
        "account": ACCOUNT,
        "source": "shop",
        "time": "2026-11-21T00:00:00Z",
        "region": REGION,
        "resources": [],
        "detail-type": "t",
        "detail": detail,
    }
    answer = aws.client("events").test_event_pattern(
        EventPattern=json.dumps({"detail": pattern}), Event=json.dumps(event)
    )
    assert answer["Result"] is expected


def test_an_event_reaches_a_queue_whole(aws: Aws) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html"""
    queue, source = Queue(aws), unique("shop")
    rule(aws, {"source": [source]}, {"Arn": queue.arn})
    identity = put(aws, source, {"count": 2})
    (event,) = queue.bodies()
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": identity,
        "detail-type": "Shipped",
        "source": source,
        "account": ACCOUNT,
        "region": REGION,
        "resources": [],
        "detail": {"count": 2},
    }


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"InputPath": "$.detail.item"}, {"name": "bike", "count": 2}),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.item.name", "item": "$.detail.item"},
                    "InputTemplate": '{"name": <n>, "said": "a <n>: <item>", "item": <item>}',
                }
            },
            {
                "name": "bike",
                "said": "a bike: {name:bike,count:2}",
                "item": {"name": "bike", "count": 2},
            },
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.item.name"},
                    "InputTemplate": '"A <n> by <aws.events.rule-name>."',
                }
            },
            "A bike by {rule}.",
        ),
    ],
)
def test_a_target_gets_what_its_input_says(
    aws: Aws, shape: dict[str, Any], expected: str | dict[str, Any]
) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html"""
    queue, source = Queue(aws), unique("shop")
    name = rule(aws, {"source": [source]}, {"Arn": queue.arn, **shape})
    put(aws, source, {"item": {"name": "bike", "count": 2}})
    (body,) = queue.bodies()
    if isinstance(expected, str):
        expected = expected.replace("{rule}", name)
    assert body == expected


def test_an_event_starts_an_execution_with_the_targets_role(aws: Aws) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html"""
    machine = aws.state_machine({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    start = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": machine}
    role = aws.role_with(start, services=["events"])
    source = unique("shop")
    target = {"Arn": machine, "RoleArn": role, "InputPath": "$.detail"}
    rule(aws, {"source": [source]}, target)
    put(aws, source, {"key": "1.png"})
    states = aws.client("stepfunctions")
    (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
    assert json.loads(aws.wait(execution["executionArn"])["input"]) == {"key": "1.png"}


@pytest.mark.parametrize(
    ("statement", "services", "code"),
    [
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, ["events"], "NO_PERMISSIONS"),
        (
            {"Effect": "Allow", "Action": "states:*", "Resource": "*"},
            ["scheduler"],
            "FAILED_TO_ASSUME_ROLE",
        ),
    ],
)
def test_a_role_that_may_not_sends_the_event_to_the_dead_letters(
    aws: Aws, statement: dict[str, str], services: list[str], code: str
) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""
    machine = aws.state_machine({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    role, dead, source = aws.role_with(statement, services=services), Queue(aws), unique("shop")
    target = {"Arn": machine, "RoleArn": role, "DeadLetterConfig": {"Arn": dead.arn}}
    name = rule(aws, {"source": [source]}, target)
    put(aws, source, {"n": 1})
    (message,) = dead.messages()
    about = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    assert (about["RULE_ARN"], about["TARGET_ARN"]) == (f"{RULE}{name}", machine)
    assert about["ERROR_CODE"] == code
    assert about["RETRY_ATTEMPTS"] == "0"
    assert about["ERROR_MESSAGE"]
    assert aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"] == []


def ran_with(aws: Aws, function: str) -> list[str]:
    """Return the log lines of a function's invocations."""
    logs = aws.client("logs")
    group = f"/aws/lambda/{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    found = logs.filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in found if event["message"].startswith("EVENT")]


def test_a_function_runs_once_its_policy_names_the_rule(aws: Aws) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"""
    name, dead, source = aws.function(ECHO), Queue(aws), unique("shop")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    target = {"Arn": arn, "InputPath": "$.detail", "DeadLetterConfig": {"Arn": dead.arn}}
    made = rule(aws, {"source": [source]}, target)
    put(aws, source, {"n": 1})
    (message,) = dead.messages()
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    aws.client("lambda").add_permission(
        FunctionName=name,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"{RULE}{made}",
    )
    put(aws, source, {"n": 2})
    lines = eventually(lambda: ran_with(aws, name) or None)
    assert lines == ["EVENT {'n': 2}"]


def test_a_queue_that_does_not_name_eventbridge_gets_nothing(aws: Aws) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"""
    closed, dead, source = Queue(aws, service=""), Queue(aws), unique("shop")
    target = {"Arn": closed.arn, "DeadLetterConfig": {"Arn": dead.arn}}
    rule(aws, {"source": [source]}, target)
    put(aws, source, {"n": 1})
    assert closed.messages() == []
    assert len(dead.messages()) == 1


def test_a_topic_passes_an_event_on(aws: Aws) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html"""
    sns, queue, source = aws.client("sns"), Queue(aws, "sns"), unique("shop")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    rule(aws, {"source": [source]}, {"Arn": topic, "InputPath": "$.detail"})
    put(aws, source, {"n": 1})
    assert json.loads(queue.bodies()[0]["Message"]) == {"n": 1}


def test_a_bus_passes_an_event_on_and_a_log_group_keeps_it(aws: Aws) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html"""
    events, logs, source = aws.client("events"), aws.client("logs"), unique("shop")
    bus, group = unique("bus"), f"/aws/events/{unique('group')}"
    bus_arn = events.create_event_bus(Name=bus)["EventBusArn"]
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    writes = allowing("events", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{arn}:*")
    logs.put_resource_policy(policyName=unique("events"), policyDocument=policy(writes))
    role = aws.role_with(
        {"Effect": "Allow", "Action": "events:PutEvents", "Resource": bus_arn}, services=["events"]
    )
    rule(aws, {"source": [source]}, {"Arn": bus_arn, "RoleArn": role})
    rule(aws, {"source": [source]}, {"Arn": arn}, bus=bus)
    put(aws, source, {"n": 1})
    (line,) = logs.filter_log_events(logGroupName=group)["events"]
    assert json.loads(line["message"])["detail"] == {"n": 1}


def test_an_event_from_another_bus_goes_to_no_third_one(aws: Aws) -> None:
    """docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html"""
    events, queue, source = aws.client("events"), Queue(aws), unique("shop")
    bus = unique("bus")
    bus_arn = events.create_event_bus(Name=bus)["EventBusArn"]
    own_arn = events.describe_event_bus()["Arn"]
    puts = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": [bus_arn, own_arn]}
    role = aws.role_with(puts, services=["events"])
    back = {"Arn": own_arn, "RoleArn": role}
    # A rule whose target is its own bus, and two buses that send to each other.
    rule(aws, {"source": [source]}, back, {"Arn": bus_arn, "RoleArn": role}, {"Arn": queue.arn})
    rule(aws, {"source": [source]}, back, {"Arn": queue.arn}, bus=bus)
    put(aws, source, {"n": 1})
    assert len(queue.messages()) == 3


def test_a_disabled_rule_sends_nothing(aws: Aws) -> None:
    """botocore service-2.json: events/DisableRule"""
    queue, source = Queue(aws), unique("shop")
    name = rule(aws, {"source": [source]}, {"Arn": queue.arn})
    aws.client("events").disable_rule(Name=name)
    put(aws, source, {})
    assert queue.messages() == []


def test_a_target_that_cannot_be_reached_here_is_refused(aws: Aws) -> None:
    """botocore service-2.json: events/PutTargets"""
    with pytest.raises(ClientError, match="does not implement"):
        rule(aws, {"source": ["s"]}, {"Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c"})


def bucket(aws: Aws, configuration: dict[str, Any]) -> str:
    s3, name = aws.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
    return name


def test_s3_tells_eventbridge_of_objects(aws: Aws) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
    queue, s3 = Queue(aws), aws.client("s3")
    name = bucket(aws, {"EventBridgeConfiguration": {}})
    rule(aws, {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}, {"Arn": queue.arn})
    etag = s3.put_object(Bucket=name, Key="a b/1.png", Body=b"image")["ETag"].strip('"')
    s3.delete_object(Bucket=name, Key="a b/1.png")
    created, deleted = queue.bodies()
    assert created["detail-type"] == "Object Created"
    assert created["resources"] == [f"arn:aws:s3:::{name}"]
    detail = created["detail"]
    assert (detail["version"], detail["bucket"], detail["reason"]) == (
        "0",
        {"name": name},
        "PutObject",
    )
    sequencer = detail["object"].pop("sequencer")
    assert detail["object"] == {"key": "a b/1.png", "size": 5, "etag": etag}
    assert deleted["detail-type"] == "Object Deleted"
    assert deleted["detail"]["deletion-type"] == "Permanently Deleted"
    assert deleted["detail"]["object"]["sequencer"] > sequencer


def test_every_way_to_make_an_object_is_one_event(aws: Aws) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html"""
    queue, s3 = Queue(aws), aws.client("s3")
    name = bucket(aws, {"EventBridgeConfiguration": {}})
    rule(aws, {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}, {"Arn": queue.arn})
    s3.put_object(Bucket=name, Key="put", Body=b"1", Tagging="a=b")
    s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "put"})
    upload = {"Bucket": name, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"]}
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    s3.put_object_tagging(Bucket=name, Key="put", Tagging={"TagSet": [{"Key": "a", "Value": "c"}]})
    found = [
        (event["detail-type"], event["detail"]["object"]["key"], event["detail"].get("reason"))
        for event in queue.bodies()
    ]
    assert found == [
        ("Object Created", "put", "PutObject"),
        ("Object Created", "copy", "CopyObject"),
        ("Object Created", "parts", "CompleteMultipartUpload"),
        ("Object Tags Added", "put", None),
    ]


def test_an_object_starts_an_execution_with_its_key(aws: Aws) -> None:
    """docs.aws.amazon.com/step-functions/latest/dg/tutorial-cloudwatch-events-s3.html"""
    machine = aws.state_machine({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    role = aws.role_with(
        {"Effect": "Allow", "Action": "states:StartExecution", "Resource": machine},
        services=["events"],
    )
    name = bucket(aws, {"EventBridgeConfiguration": {}})
    template = '{"images": [{"bucket": <bucket>, "key": <key>}]}'
    target = {
        "Arn": machine,
        "RoleArn": role,
        "InputTransformer": {
            "InputPathsMap": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
            "InputTemplate": template,
        },
    }
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [name]},
            "object": {"key": [{"prefix": "inbox/"}]},
        },
    }
    rule(aws, pattern, target)
    for key in ("inbox/1.png", "other/2.png"):
        aws.client("s3").put_object(Bucket=name, Key=key, Body=b"image")
    states = aws.client("stepfunctions")
    (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
    found = states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(found["input"]) == {"images": [{"bucket": name, "key": "inbox/1.png"}]}


def test_s3_tells_a_queue_in_its_own_layout(aws: Aws) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""
    queue = Queue(aws, "s3")
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".png"}]
    configuration = {
        "Id": "images",
        "QueueArn": queue.arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    name = bucket(aws, {"QueueConfigurations": [configuration]})
    for key in ("in/a b.png", "in/1.jpg", "out/1.png"):
        aws.client("s3").put_object(Bucket=name, Key=key, Body=b"image")
    bodies = [body for body in queue.bodies() if "Records" in body]
    (record,) = bodies[0]["Records"]
    assert len(bodies) == 1
    assert (record["eventName"], record["eventVersion"]) == ("ObjectCreated:Put", "2.1")
    assert record["s3"]["object"]["key"] == "in/a+b.png"
    assert record["s3"]["configurationId"] == "images"
    assert record["s3"]["bucket"]["ownerIdentity"] == {"principalId": ACCOUNT}


def test_s3_runs_a_function_only_with_its_permission(aws: Aws) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html"""
    name = aws.function(ECHO)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    events = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:Put"]}
    made = unique("bucket")
    aws.client("s3").create_bucket(Bucket=made)
    aws.client("s3").put_bucket_notification_configuration(
        Bucket=made,
        NotificationConfiguration={"LambdaFunctionConfigurations": [events]},
        SkipDestinationValidation=True,
    )
    aws.client("s3").put_object(Bucket=made, Key="denied.png", Body=b"image")
    aws.client("lambda").add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{made}",
        SourceAccount=ACCOUNT,
    )
    aws.client("s3").put_object(Bucket=made, Key="allowed.png", Body=b"image")
    lines = eventually(lambda: ran_with(aws, name) or None)
    assert len(lines) == 1
    assert "'key': 'allowed.png'" in lines[0]


def test_an_alarms_change_is_an_event(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
    queue, cloudwatch, name = Queue(aws), aws.client("cloudwatch"), unique("alarm")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name]}}
    rule(aws, pattern, {"Arn": queue.arn})
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="N",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    clock.advance(60)
    (event,) = queue.bodies()
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["resources"] == [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"]
    assert event["detail"]["state"]["value"] == "OK"
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    (metric,) = event["detail"]["configuration"]["metrics"]
    assert metric["metricStat"]["metric"]["name"] == name


def details(queue: Queue, count: int, **wanted: str) -> list[dict[str, Any]]:
    """Return that many event details of a queue, those that have the wanted fields."""
    found = []

    def enough() -> list[dict[str, Any]] | None:
        for event in queue.bodies():
            if all(event["detail"].get(name) == value for name, value in wanted.items()):
                found.append(event)
        return found if len(found) >= count else None

    return eventually(enough)


def test_an_executions_status_is_an_event(aws: Aws) -> None:
    """docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    queue = Queue(aws)
    machine = aws.state_machine({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    rule(
        aws,
        {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}},
        {"Arn": queue.arn},
    )
    execution = aws.run(machine, {"n": 1})["executionArn"]
    started, ended = details(queue, 2, executionArn=execution)
    assert started["detail-type"] == "Step Functions Execution Status Change"
    assert started["resources"] == [execution]
    assert (started["detail"]["status"], ended["detail"]["status"]) == ("RUNNING", "SUCCEEDED")
    assert json.loads(ended["detail"]["input"]) == {"n": 1}
    assert json.loads(ended["detail"]["output"]) == {"n": 1}
    assert started["detail"]["stopDate"] is None
    assert ended["detail"]["stopDate"] >= ended["detail"]["startDate"]


def test_an_endpoints_status_is_an_event(aws: Aws, hosting: Hosting) -> None:
    """docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html"""
    queue = Queue(aws)
    rule(
        aws,
        {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Endpoint State Change"]},
        {"Arn": queue.arn},
    )
    endpoint = hosting.endpoint(hosting.configuration(variant(hosting.model())))
    found = details(queue, 2, EndpointName=endpoint)
    assert [event["detail"]["EndpointStatus"] for event in found] == ["CREATING", "IN_SERVICE"]
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{endpoint}"
    assert found[0]["resources"] == [arn]
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)


def test_a_training_jobs_status_is_an_event(aws: Aws, hosting: Hosting) -> None:
    """docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html"""
    queue, job = Queue(aws), unique("job")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {"TrainingJobName": [job], "TrainingJobStatus": ["Completed", "Failed"]},
    }
    rule(aws, pattern, {"Arn": queue.arn})
    aws.client("sagemaker").create_training_job(
        TrainingJobName=job,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=aws.role,
        OutputDataConfig={"S3OutputPath": f"s3://{hosting.bucket}/models"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    (event,) = details(queue, 1)
    assert event["detail"]["TrainingJobStatus"] == "Completed"
    assert event["detail"]["SecondaryStatus"] == "Completed"
    assert event["resources"] == [f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{job}"]


def test_the_approval_of_a_model_package_is_an_event(aws: Aws) -> None:
    """docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html"""
    queue, group, sagemaker = Queue(aws), unique("group"), aws.client("sagemaker")
    pattern = {
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved"]},
    }
    rule(aws, pattern, {"Arn": queue.arn})
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    package = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}],
            "SupportedContentTypes": ["image/png"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )["ModelPackageArn"]
    assert queue.messages() == []
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    (event,) = queue.bodies()
    assert event["source"] == "aws.sagemaker"
    assert event["resources"] == [package]
    assert event["detail"]["ModelPackageVersion"] == 1
