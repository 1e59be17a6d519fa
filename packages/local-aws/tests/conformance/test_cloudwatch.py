import datetime
import gzip
import http.client
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local_aws.testing.aws import ACCOUNT, REGION, Aws, eventually, new_client, policy, unique
from local_aws.testing.clock import Clock
from local_aws.testing.refusals import error_code

MINUTE = datetime.timedelta(minutes=1)


class Topic:
    """A topic that alarms may publish to, and what it got."""

    def __init__(self, aws: Aws) -> None:
        self.sqs = aws.client("sqs")
        self.arn, self.url = aws.topic()

    def messages(self) -> list[tuple[str, dict[str, Any]]]:
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        envelopes = [json.loads(message["Body"]) for message in found.get("Messages", [])]
        return [(envelope["Subject"], json.loads(envelope["Message"])) for envelope in envelopes]


@pytest.fixture
def topic(aws: Aws) -> Topic:
    return Topic(aws)


def call_in_json(
    aws: Aws, service: str, target: str, parameters: dict[str, Any]
) -> tuple[int, str]:
    """Call an action with parameters that boto3 does not send; return the status and the body."""
    url, body = aws.local.endpoint_url, json.dumps(parameters).encode()
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", url, headers, body)
    SigV4Auth(Credentials("test", "test"), service, REGION).add_auth(request)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    connection.request("POST", "/", body, dict(request.headers))
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def put(
    aws: Aws,
    namespace: str,
    name: str,
    *values: float,
    at: datetime.datetime | None = None,
    **dimensions: str,
) -> None:
    data: dict[str, Any] = {
        "MetricName": name,
        "Values": list(values),
        "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
    }
    if at is not None:
        data["Timestamp"] = at
    aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[data])


KINDS = ("MetricAlarms", "CompositeAlarms")


def alarm(aws: Aws, topic: Topic | None = None, **more: Any) -> tuple[str, str]:
    """Put an alarm with the settings of this project's alarms on counts; return its name."""
    name = unique("alarm")
    actions = [] if topic is None else [topic.arn]
    settings = {
        "AlarmName": name,
        "Namespace": unique("Space"),
        "MetricName": "Errors",
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "Period": 300,
        "EvaluationPeriods": 1,
        "TreatMissingData": "notBreaching",
        "AlarmActions": actions,
        "OKActions": actions,
        **more,
    }
    aws.client("cloudwatch").put_metric_alarm(**settings)
    return name, settings["Namespace"]


def described(aws: Aws, name: str) -> dict[str, Any]:
    found = aws.client("cloudwatch").describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    alarm: dict[str, Any] = (found["MetricAlarms"] + found["CompositeAlarms"])[0]
    return alarm


def state(aws: Aws, name: str) -> str:
    value: str = described(aws, name)["StateValue"]
    return value


def test_alarms_are_listed_where_every_filter_holds(aws: Aws) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""
    cloudwatch, prefix = aws.client("cloudwatch"), unique("many")
    names = [f"{prefix}-{end}" for end in ("raised", "quiet")]
    for name in names:
        alarm(aws, AlarmName=name)
    other, _ = alarm(aws)
    cloudwatch.put_composite_alarm(AlarmName=f"{prefix}-both", AlarmRule=f"ALARM({names[0]})")
    for name in (names[0], other):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")

    def listed(**filters: Any) -> list[str]:
        found = cloudwatch.describe_alarms(AlarmNamePrefix=prefix, **filters)
        return sorted(each["AlarmName"] for key in KINDS for each in found.get(key, []))

    assert listed() == sorted(names)
    assert listed(StateValue="ALARM") == names[:1]
    assert listed(AlarmTypes=["CompositeAlarm"]) == [f"{prefix}-both"]


def test_an_alarm_goes_through_its_states_and_notifies_its_topic(
    aws: Aws, clock: Clock, topic: Topic
) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html"""
    name, space = alarm(aws, topic)
    assert state(aws, name) == "INSUFFICIENT_DATA"
    clock.advance(60)
    assert state(aws, name) == "OK"
    put(aws, space, "Errors", 1, 2)
    clock.advance(60)
    assert state(aws, name) == "ALARM"
    reason = described(aws, name)["StateReason"]
    assert reason.startswith("Threshold Crossed: 1 out of the last 1 datapoint [3.0 (")
    clock.advance(1200)
    assert state(aws, name) == "OK"
    published = topic.messages()
    assert [message["NewStateValue"] for _, message in published] == ["OK", "ALARM", "OK"]
    subject, message = published[1]
    assert subject == f'ALARM: "{name}" in US East (N. Virginia)'
    assert message["OldStateValue"] == "OK"
    assert message["Trigger"]["MetricName"] == "Errors"


def test_disabled_actions_are_not_taken(aws: Aws, clock: Clock, topic: Topic) -> None:
    """botocore service-2.json: cloudwatch/DisableAlarmActions"""
    name, space = alarm(aws, topic, ActionsEnabled=False)
    put(aws, space, "Errors", 1)
    clock.advance(120)
    assert state(aws, name) == "ALARM"
    assert topic.messages() == []


def test_the_history_has_changes_and_actions(aws: Aws, clock: Clock, topic: Topic) -> None:
    """botocore service-2.json: cloudwatch/DescribeAlarmHistory"""
    name, space = alarm(aws, topic)
    put(aws, space, "Errors", 1)
    clock.advance(60)
    items = aws.client("cloudwatch").describe_alarm_history(
        AlarmName=name, ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    assert [(item["HistoryItemType"], item["HistorySummary"]) for item in items] == [
        ("ConfigurationUpdate", f'Alarm "{name}" created'),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
        ("Action", f"Successfully executed action {topic.arn}"),
    ]
    data = json.loads(items[1]["HistoryData"])
    assert data["newState"]["stateReasonData"]["recentDatapoints"] == [1.0]


def test_a_topic_whose_policy_names_another_service_gets_nothing(
    aws: Aws, clock: Clock, topic: Topic
) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html"""
    allows = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic.arn,
    }
    aws.client("sns").set_topic_attributes(
        TopicArn=topic.arn, AttributeName="Policy", AttributeValue=policy(allows)
    )
    name, space = alarm(aws, topic)
    put(aws, space, "Errors", 1)
    clock.advance(60)
    assert state(aws, name) == "ALARM"
    assert topic.messages() == []
    items = aws.client("cloudwatch").describe_alarm_history(
        AlarmName=name, HistoryItemType="Action"
    )["AlarmHistoryItems"]
    assert "not authorized to perform: sns:Publish" in items[0]["HistorySummary"]


def test_an_encrypted_topic_needs_a_key_that_cloudwatch_may_use(
    aws: Aws, clock: Clock, topic: Topic
) -> None:
    """docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"""
    kms = aws.client("kms")
    account = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
    }
    key = kms.create_key(Policy=policy(account))["KeyMetadata"]["KeyId"]
    aws.client("sns").set_topic_attributes(
        TopicArn=topic.arn, AttributeName="KmsMasterKeyId", AttributeValue=key
    )
    name, space = alarm(aws, topic)
    put(aws, space, "Errors", 1)
    clock.advance(60)
    assert state(aws, name) == "ALARM"
    assert topic.messages() == []
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(account, service))
    clock.advance(1200)
    assert [message["NewStateValue"] for _, message in topic.messages()] == ["OK"]


def test_an_alarm_runs_a_function_that_lets_it(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html"""
    source = "def handler(event, context):\n    print('ALARM', event['alarmData']['alarmName'])\n"
    function = aws.function(source)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
        SourceAccount=ACCOUNT,
    )
    name, space = alarm(aws, AlarmActions=[arn])
    put(aws, space, "Errors", 1)
    clock.advance(60)
    logs, group = aws.client("logs"), f"/aws/lambda/{function}"

    def said() -> list[dict[str, Any]] | None:
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return None
        found = logs.filter_log_events(logGroupName=group)["events"]
        return [one for one in found if one["message"].startswith("ALARM")] or None

    assert eventually(said)[0]["message"] == f"ALARM {name}"


def test_setting_a_state_takes_its_actions_until_the_next_look(
    aws: Aws, clock: Clock, topic: Topic
) -> None:
    """botocore service-2.json: cloudwatch/SetAlarmState"""
    name, _ = alarm(aws, topic)
    aws.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="a test"
    )
    assert topic.messages()[0][1]["NewStateReason"] == "a test"
    clock.advance(60)
    assert state(aws, name) == "OK"


def test_an_update_keeps_the_state(aws: Aws, clock: Clock) -> None:
    """botocore service-2.json: cloudwatch/PutMetricAlarm"""
    name, space = alarm(aws)
    put(aws, space, "Errors", 1)
    clock.advance(60)
    alarm(aws, AlarmName=name, Namespace=space, Threshold=100)
    assert state(aws, name) == "ALARM"
    clock.advance(60)
    assert state(aws, name) == "OK"


def test_a_percentile_of_latency_raises_an_alarm(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html"""
    more = {"Statistic": None, "ExtendedStatistic": "p90", "Threshold": 900_000, "Period": 60}
    cloudwatch = aws.client("cloudwatch")
    name, space = unique("alarm"), unique("Space")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=space,
        MetricName="ModelLatency",
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        **{key: value for key, value in more.items() if value is not None},
    )
    put(aws, space, "ModelLatency", *([1000.0] * 95 + [1e6] * 5))
    clock.advance(60)
    assert state(aws, name) == "OK"
    put(aws, space, "ModelLatency", *([1000.0] * 80 + [1e6] * 20))
    clock.advance(60)
    assert state(aws, name) == "ALARM"


def test_two_of_three_periods_are_enough_where_two_are_asked_for(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html"""
    name, space = alarm(
        aws, Period=60, EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="missing"
    )
    seen = []
    for value in (1, 0, 1, 0, 0):
        put(aws, space, "Errors", value)
        clock.advance(60)
        seen.append(state(aws, name))
    assert seen == ["OK", "OK", "ALARM", "OK", "OK"]


def test_the_share_of_images_in_review_is_an_alarm_on_metric_math(
    aws: Aws, clock: Clock, topic: Topic
) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html"""
    name, space = unique("alarm"), unique("Space")
    metrics = [
        {
            "Id": metric.lower(),
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": space, "MetricName": metric},
                "Period": 3600,
                "Stat": "Sum",
            },
        }
        for metric in ("Accepted", "Review")
    ]
    count = "(FILL(accepted, 0) + FILL(review, 0))"
    expression = f"IF({count} >= 20, 100 * FILL(review, 0) / {count}, 0)"
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=30,
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        AlarmActions=[topic.arn],
        Metrics=[{"Id": "share", "Expression": expression}, *metrics],
    )
    put(aws, space, "Review", *[1] * 10)
    clock.advance(60)
    assert state(aws, name) == "OK"
    put(aws, space, "Accepted", *[1] * 15)
    clock.advance(60)
    assert state(aws, name) == "ALARM"
    assert "40.0" in described(aws, name)["StateReason"]
    assert topic.messages()[-1][1]["Trigger"]["Metrics"][0]["Expression"] == expression


def test_an_alarm_that_cannot_be_evaluated_does_not_stop_the_others(aws: Aws, clock: Clock) -> None:
    space = unique("Space")
    stat = {"Metric": {"Namespace": space, "MetricName": "M"}, "Period": 60, "Stat": "Sum"}
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=(broken := unique("alarm")),
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1,
        EvaluationPeriods=1,
        Metrics=[
            {"Id": "m", "MetricStat": stat, "ReturnData": False},
            {"Id": "e", "Expression": "CEIL(m * 1e308 * 10)", "ReturnData": True},
        ],
    )
    name, space_of_good = alarm(aws)
    put(aws, space, "M", 1)
    put(aws, space_of_good, "Errors", 1)
    clock.advance(60)
    aws.client("cloudwatch").delete_alarms(AlarmNames=[broken])
    assert state(aws, name) == "ALARM"


@pytest.mark.parametrize(
    "broken",
    [
        {"Period": 60, "Threshold": "many"},
        {"Period": "often"},
        {"Dimensions": [{"Name": "only"}]},
        {"Metrics": [{"Id": "m", "MetricStat": {"Stat": "Sum"}, "ReturnData": True}]},
        {"Metrics": [{"Id": "m", "Expression": "(" * 1000, "ReturnData": True}]},
        {"Metrics": [{"Id": "m", "ReturnData": True}]},
    ],
    ids=["a threshold", "a period", "a dimension", "a metric", "an expression", "neither"],
)
def test_an_alarm_that_is_refused_is_not_kept_and_holds_up_no_other(
    aws: Aws, clock: Clock, broken: dict[str, Any]
) -> None:
    settings = {
        "Namespace": "N",
        "MetricName": "M",
        "Period": 60,
        "Statistic": "Sum",
        "Threshold": 1,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    name, space = alarm(aws)
    refused = {"AlarmName": unique("alarm"), **settings, **broken}
    if "Metrics" in broken:
        for field in ("Namespace", "MetricName", "Period", "Statistic"):
            del refused[field]
    answer = call_in_json(
        aws, "cloudwatch", "GraniteServiceVersion20100801.PutMetricAlarm", refused
    )
    assert answer[0] == 400 and "EmbeddedAwsFailure" not in answer[1]
    put(aws, space, "Errors", 1)
    clock.advance(60)
    assert state(aws, name) == "ALARM"
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=[refused["AlarmName"]])
    assert found["MetricAlarms"] == []


def test_a_rule_with_a_target_that_cannot_be_reached_keeps_no_alarm_from_acting(
    aws: Aws, clock: Clock, topic: Topic
) -> None:
    events, rule = aws.client("events"), unique("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    events.put_targets(
        Rule=rule,
        Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:moon-1:{ACCOUNT}:{unique('queue')}"}],
    )
    name, space = alarm(aws, topic)
    put(aws, space, "Errors", 1)
    clock.advance(60)
    events.remove_targets(Rule=rule, Ids=["1"])
    events.delete_rule(Name=rule)
    assert [message["AlarmName"] for _, message in topic.messages()] == [name]


def test_a_composite_alarm_follows_its_alarms(aws: Aws, clock: Clock, topic: Topic) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html"""
    (one, space), (other, _) = alarm(aws), alarm(aws)
    name = unique("both")
    aws.client("cloudwatch").put_composite_alarm(
        AlarmName=name,
        AlarmRule=f'ALARM("{one}") AND NOT ALARM("{other}")',
        AlarmActions=[topic.arn],
    )
    clock.advance(60)
    assert state(aws, name) == "OK"
    put(aws, space, "Errors", 1)
    clock.advance(60)
    assert state(aws, name) == "ALARM"
    assert [message["AlarmName"] for _, message in topic.messages()] == [name]


@pytest.mark.parametrize(
    ("expression", "said"),
    [("m1 +", "the end is not expected"), ("ANOMALY_DETECTION_BAND(m1)", "is not known here")],
)
def test_an_expression_that_cannot_be_evaluated_is_refused(
    aws: Aws, expression: str, said: str
) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    with pytest.raises(ClientError, match=said):
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName=unique("alarm"),
            ComparisonOperator="GreaterThanThreshold",
            Threshold=1,
            EvaluationPeriods=1,
            Metrics=[{"Id": "e", "Expression": expression, "ReturnData": True}],
        )


@pytest.mark.parametrize(("period", "periods"), [(60, 10**9), (45, 1)])
def test_a_time_that_no_alarm_is_evaluated_over_is_refused(
    aws: Aws, period: int, periods: int
) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    metric = {"Namespace": "Any", "MetricName": "Any"}
    stat = {"Metric": metric, "Period": period, "Stat": "Sum"}
    with pytest.raises(ClientError, match=r"at most a day|multiple of 60"):
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName=unique("alarm"),
            ComparisonOperator="GreaterThanThreshold",
            Threshold=1,
            EvaluationPeriods=periods,
            Metrics=[
                {"Id": "m", "MetricStat": stat, "ReturnData": False},
                {"Id": "e", "Expression": "m * 2", "ReturnData": True},
            ],
        )


def test_metric_data_have_percentiles_and_math(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
    space, now = unique("Space"), clock.now().replace(second=0, microsecond=0)
    put(aws, space, "Time", *range(1, 11), at=now - 2 * MINUTE, Function="f")
    put(aws, space, "Time", 100, at=now - MINUTE, Function="f")
    metric = {
        "Namespace": space,
        "MetricName": "Time",
        "Dimensions": [{"Name": "Function", "Value": "f"}],
    }
    queries = [
        {"Id": stat.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
        for stat in ("p90", "Sum")
    ]
    queries.append({"Id": "double", "Expression": "sum * 2", "Label": "twice"})
    found = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries,
        StartTime=now - 5 * MINUTE,
        EndTime=now,
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    assert [(result["Id"], result["Values"]) for result in found] == [
        ("p90", [9.0, 100.0]),
        ("sum", [55.0, 100.0]),
        ("double", [110.0, 200.0]),
    ]
    assert found[2]["Label"] == "twice"
    assert found[0]["Timestamps"][0] == now - 2 * MINUTE


def test_statistics_are_by_whole_periods_and_exact_dimensions(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html"""
    space, now = unique("Space"), clock.now().replace(second=0, microsecond=0)
    put(aws, space, "Time", 1, 3, at=now - 10 * MINUTE, Function="f")
    put(aws, space, "Time", 50, at=now - 10 * MINUTE, Function="f", Version="1")
    (point,) = aws.client("cloudwatch").get_metric_statistics(
        Namespace=space,
        MetricName="Time",
        Dimensions=[{"Name": "Function", "Value": "f"}],
        StartTime=now - 15 * MINUTE,
        EndTime=now,
        Period=300,
        Statistics=["Average", "SampleCount"],
        ExtendedStatistics=["p50"],
    )["Datapoints"]
    assert (point["Average"], point["SampleCount"]) == (2.0, 2.0)
    assert point["ExtendedStatistics"] == {"p50": 1.0}
    assert point["Timestamp"] == now - 10 * MINUTE


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (gzip.compress, None),
        (lambda body: gzip.compress(body + b" " * (100 << 20)), "unpacks to over"),
        (lambda body: gzip.compress(body)[:-9], "cannot be unpacked"),
    ],
    ids=["whole", "large", "damaged"],
)
def test_a_compressed_request_is_unpacked_within_bounds(
    aws: Aws, pack: Callable[[bytes], bytes], said: str | None
) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""
    cloudwatch = new_client(aws.local.endpoint_url, "cloudwatch")

    def packed(request: AWSPreparedRequest, **_: Any) -> None:
        assert isinstance(request.body, bytes)
        body = pack(request.body)
        request.body = body
        request.headers["Content-Encoding"] = "gzip"
        request.headers["Content-Length"] = str(len(body))

    cloudwatch.meta.events.register("before-send", packed)
    given = {"Namespace": unique("Space"), "MetricData": [{"MetricName": "M", "Value": 1}]}
    if said is None:
        cloudwatch.put_metric_data(**given)
    else:
        with pytest.raises(ClientError, match=said):
            cloudwatch.put_metric_data(**given)


def test_a_time_that_is_hours_ahead_is_refused(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""
    with pytest.raises(ClientError, match="two hours"):
        put(aws, unique("Space"), "M", 1, at=clock.now() + 180 * MINUTE)
    put(aws, unique("Space"), "M", 1, at=clock.now() + 60 * MINUTE)


def test_metrics_are_listed_once_each(aws: Aws) -> None:
    """botocore service-2.json: cloudwatch/ListMetrics"""
    space = unique("Space")
    for _ in range(3):
        put(aws, space, "Time", 1, Function="f")
    found = aws.client("cloudwatch").list_metrics(Namespace=space)["Metrics"]
    assert found == [
        {
            "Namespace": space,
            "MetricName": "Time",
            "Dimensions": [{"Name": "Function", "Value": "f"}],
        }
    ]


def total(
    aws: Aws, clock: Clock, namespace: str, name: str, stat: str = "Sum", **dimensions: str
) -> Any:
    now = clock.now()
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
        StartTime=now - 30 * MINUTE,
        EndTime=now + MINUTE,
        Period=3600,
        Statistics=[stat],
    )["Datapoints"]
    return sum(point[stat] for point in points) if points else None


def log(aws: Aws, *messages: str) -> tuple[str, Callable[..., None]]:
    """Put log events in a new group; return it and a function that puts more."""
    logs, group = aws.client("logs"), f"/test/{unique('group')}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")

    def write(*lines: str) -> None:
        at = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
        events = [{"timestamp": at, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    return group, write


def test_a_metric_filter_makes_a_metric_of_log_lines(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringPolicyExamples.html"""
    space = unique("Space")
    group, write = log(aws)
    for name, value in (("Errors", "1"), ("Milliseconds", "$.ms")):
        aws.client("logs").put_metric_filter(
            logGroupName=group,
            filterName=name,
            filterPattern='{ $.level = "ERROR" }',
            metricTransformations=[
                {"metricNamespace": space, "metricName": name, "metricValue": value}
            ],
        )
    write('{"level": "ERROR", "ms": 7}', '{"level": "INFO", "ms": 5}', "ERROR but no JSON")
    assert total(aws, clock, space, "Errors") == 1
    assert total(aws, clock, space, "Milliseconds") == 7


def transformed(aws: Aws, group: str, pattern: str, **transformation: Any) -> str:
    """Put a metric filter with one metric `M`; return the metric's namespace."""
    space = unique("Space")
    given = {"metricName": "M", "metricNamespace": space, **transformation}
    aws.client("logs").put_metric_filter(
        logGroupName=group,
        filterName=unique("filter"),
        filterPattern=pattern,
        metricTransformations=[given],
    )
    return space


def test_a_metric_filter_has_the_value_of_a_column(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html"""
    group, write = log(aws)
    space = transformed(aws, group, "[ip, ..., size]", metricValue="$size")
    by = transformed(aws, group, "[ip, size]", metricValue="1", dimensions={"Ip": "$ip"})
    write("10.0.0.1 - me 512", "10.0.0.2 8", "no-number -")
    assert total(aws, clock, space, "M") == 520
    assert total(aws, clock, by, "M", Ip="10.0.0.2") == 1


@pytest.mark.parametrize(
    "transformation",
    [
        {"metricValue": "$"},
        {"metricValue": "$a.b"},
        {"metricValue": "$.a["},
        {"metricValue": "many"},
        {"metricValue": "nan"},
        {"metricValue": "1", "dimensions": {"D": "a"}},
    ],
)
def test_a_metric_filter_that_selects_nothing_is_refused(
    aws: Aws, transformation: dict[str, Any]
) -> None:
    group, write = log(aws)
    with pytest.raises(ClientError, match="Invalid metric transformation"):
        transformed(aws, group, "", **transformation)
    write("a line")


def test_a_metric_filter_has_dimensions_and_a_default(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html"""
    space = unique("Space")
    group, write = log(aws)
    common = {"metricNamespace": space, "metricValue": "1"}
    filters = {
        "ByCode": {**common, "metricName": "ByCode", "dimensions": {"Code": "$.code"}},
        "Zero": {**common, "metricName": "Zero", "defaultValue": 0.0},
    }
    for name, transformation in filters.items():
        aws.client("logs").put_metric_filter(
            logGroupName=group,
            filterName=name,
            filterPattern="{ $.code = 5* }",
            metricTransformations=[transformation],
        )
    write('{"code": "500"}', '{"code": "503"}', '{"code": "200"}')
    assert total(aws, clock, space, "ByCode", Code="500") == 1
    assert total(aws, clock, space, "ByCode", Code="503") == 1
    assert total(aws, clock, space, "Zero", stat="SampleCount") == 3
    assert total(aws, clock, space, "Zero") == 2


def test_a_filter_pattern_that_cannot_be_read_is_refused(aws: Aws) -> None:
    """botocore service-2.json: logs/PutMetricFilter"""
    group, _ = log(aws)
    with pytest.raises(ClientError, match="Invalid metric filter pattern"):
        aws.client("logs").put_metric_filter(
            logGroupName=group,
            filterName="f",
            filterPattern="{ level = 1 }",
            metricTransformations=[{"metricNamespace": "N", "metricName": "M", "metricValue": "1"}],
        )


def test_a_pattern_can_be_tried(aws: Aws) -> None:
    """botocore service-2.json: logs/TestMetricFilter"""
    found = aws.client("logs").test_metric_filter(
        filterPattern="?ERROR ?WARN", logEventMessages=["INFO", "WARN a", "ERROR b"]
    )["matches"]
    assert [match["eventNumber"] for match in found] == [2, 3]


EMBEDDED = """
import json, time

def handler(event, context):
    directive = {
        "Namespace": event["space"],
        "Dimensions": [["Label"]],
        "Metrics": [{"Name": "Confidence", "Unit": "None"}],
    }
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": about, "Label": "bicycle", "Confidence": event["value"]}))
"""


def test_metrics_in_a_functions_log_lines_are_metrics(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    name, space = aws.function(EMBEDDED), unique("Space")
    for value in (0.5, 0.9):
        aws.invoke(name, {"space": space, "value": value})
    assert total(aws, clock, space, "Confidence", "Maximum", Label="bicycle") == 0.9
    assert total(aws, clock, space, "Confidence", "SampleCount", Label="bicycle") == 2


FAILING = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no")
    return 1
"""


def test_invocations_are_metrics_of_the_function_and_the_version(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    name, lambdas = aws.function(FAILING), aws.client("lambda")
    version = lambdas.publish_version(FunctionName=name)["Version"]
    lambdas.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    aws.invoke(name, {})
    aws.invoke(name, {"fail": True})
    aws.invoke(name, {}, Qualifier="live")

    def found(metric: str, stat: str = "Sum", **more: str) -> Any:
        return total(aws, clock, "AWS/Lambda", metric, stat, FunctionName=name, **more)

    assert (found("Invocations"), found("Errors"), found("Throttles")) == (3, 1, 0)
    assert found("Invocations", Resource=f"{name}:live") == 1
    assert found("ConcurrentExecutions", "Maximum") == 1
    assert found("Duration", "Average") > 0


def test_a_throttled_invocation_is_a_metric(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    name = aws.function(FAILING)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Rate Exceeded"):
        aws.invoke(name, {})
    assert total(aws, clock, "AWS/Lambda", "Throttles", FunctionName=name) == 1
    assert total(aws, clock, "AWS/Lambda", "Invocations", FunctionName=name) is None


def test_an_execution_with_failing_functions_raises_the_alarms_of_the_workflow(
    aws: Aws, clock: Clock, topic: Topic
) -> None:
    """docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html

    The alarms are those of terraform/modules/monitoring.
    """
    name = aws.function(FAILING)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    machine = aws.state_machine(
        {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": arn, "End": True}}}
    )
    by_function = {"Dimensions": [{"Name": "FunctionName", "Value": name}]}
    by_machine = {"Dimensions": [{"Name": "StateMachineArn", "Value": machine}]}
    errors, _ = alarm(aws, topic, Namespace="AWS/Lambda", **by_function)
    failed, _ = alarm(
        aws, topic, Namespace="AWS/States", MetricName="ExecutionsFailed", **by_machine
    )
    clock.advance(60)
    assert {state(aws, errors), state(aws, failed)} == {"OK"}
    assert aws.run(machine, {"fail": True})["status"] == "FAILED"

    def alarmed() -> bool | None:
        clock.advance(60)
        return {state(aws, errors), state(aws, failed)} == {"ALARM"} or None

    eventually(alarmed)
    published = [message for _, message in topic.messages() if message["NewStateValue"] == "ALARM"]
    assert {message["AlarmName"] for message in published} == {errors, failed}


def test_a_message_in_a_queue_of_dead_letters_raises_an_alarm(aws: Aws, clock: Clock) -> None:
    """docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""
    sqs, queue = aws.client("sqs"), unique("dead")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    name, _ = alarm(
        aws,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Statistic="Maximum",
        Dimensions=[{"Name": "QueueName", "Value": queue}],
    )
    clock.advance(60)
    assert state(aws, name) == "OK"
    sqs.send_message(QueueUrl=url, MessageBody="lost")
    clock.advance(60)
    assert state(aws, name) == "ALARM"


def test_queues_that_have_had_messages_have_metrics_once_an_alarm_asks_for_any(
    aws: Aws, clock: Clock
) -> None:
    """docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html"""
    sqs, watch = aws.client("sqs"), aws.client("cloudwatch")
    asked, used, idle = (unique("queue") for _ in range(3))
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in (asked, used, idle)}
    metric: dict[str, Any] = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
    }
    alarm(aws, **metric, Dimensions=[{"Name": "QueueName", "Value": asked}])
    sqs.send_message(QueueUrl=urls[used], MessageBody="m")
    clock.advance(60)
    sqs.purge_queue(QueueUrl=urls[used])
    clock.advance(60)

    def values(name: str) -> list[float]:
        now = clock.now()
        found = watch.get_metric_statistics(
            **metric,
            Dimensions=[{"Name": "QueueName", "Value": name}],
            StartTime=now - datetime.timedelta(minutes=10),
            EndTime=now + datetime.timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return [point["Maximum"] for point in sorted(found, key=lambda point: point["Timestamp"])]

    assert (values(asked)[-2:], values(used)[-2:], values(idle)) == ([0, 0], [1, 0], [])


def test_statistics_have_whole_periods_and_1440_points_at_most(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html"""
    now = aws.local.now()
    asked = {"Namespace": unique("N"), "MetricName": "m", "EndTime": now, "Statistics": ["Sum"]}
    hour, days = now - datetime.timedelta(hours=1), now - datetime.timedelta(days=2)
    call = aws.client("cloudwatch").get_metric_statistics
    wrong = "InvalidParameterCombination"
    assert error_code(call, **asked, StartTime=hour, Period=45) == wrong
    assert error_code(call, **asked, StartTime=days, Period=60) == wrong
    assert error_code(call, **asked, StartTime=days, Period=300) is None


def test_a_datum_is_at_most_two_weeks_old(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""
    put, now = aws.client("cloudwatch").put_metric_data, aws.local.now()
    for days, expected in ((13, None), (15, "InvalidParameterValue")):
        datum = {"MetricName": "m", "Value": 1, "Timestamp": now - datetime.timedelta(days=days)}
        assert error_code(put, Namespace=unique("N"), MetricData=[datum]) == expected
