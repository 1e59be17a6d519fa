import json
from pathlib import Path

from local_aws.control import LocalAws
from local_aws.testing.aws import ACCOUNT, REGION, Aws
from local_aws.testing.clock import Clock


def test_what_is_scheduled_and_measured_goes_on_after_a_restart(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        url = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
        aws.client("scheduler").create_schedule(
            Name="s",
            ScheduleExpression="rate(2 hours)",
            Target={"Arn": arn, "RoleArn": aws.role, "Input": json.dumps({"n": 1})},
            FlexibleTimeWindow={"Mode": "OFF"},
        )
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName="a",
            Namespace="N",
            MetricName="M",
            Statistic="Sum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )
        Clock(local.endpoint_url).advance(3600)
        aws.client("cloudwatch").put_metric_data(
            Namespace="N", MetricData=[{"MetricName": "M", "Value": 1}]
        )
        Clock(local.endpoint_url).advance(60)
        before = Clock(local.endpoint_url).now()
        assert state(aws) == "ALARM"
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws, clock = Aws(local, ""), Clock(local.endpoint_url)
        assert clock.now() >= before
        assert state(aws) == "ALARM"
        assert messages(aws, url) == []
        clock.advance(3600)
        assert [json.loads(message["Body"]) for message in messages(aws, url)] == [{"n": 1}]
        assert state(aws) == "OK"


def state(aws: Aws) -> str:
    (found,) = aws.client("cloudwatch").describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    value: str = found["StateValue"]
    return value


def messages(aws: Aws, url: str) -> list[dict[str, str]]:
    # The address of a queue is that of the process that made it.
    name = url.rsplit("/", 1)[-1]
    found = aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    received: list[dict[str, str]] = (
        aws.client("sqs").receive_message(QueueUrl=found).get("Messages", [])
    )
    return received
