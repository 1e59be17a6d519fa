import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from local_aws.control import LocalAws
from local_aws.testing.aws import ACCOUNT, REGION, Aws
from local_aws.testing.clock import Clock
from local_aws.testing.faults import Faults


def test_what_is_scheduled_and_measured_goes_on_after_a_restart(tmp_path: Path) -> None:
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        url = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
        aws.client("scheduler").create_schedule(
            Name="s",
            ScheduleExpression="rate(2 hours)",
            StartDate=local.now() + timedelta(hours=2),
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


def test_what_targets_refused_before_a_kill_is_delivered_after_it(tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html"""
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws.of(local)
        succeed = {"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}
        machine = aws.state_machine(succeed)
        target = {"Arn": machine, "RoleArn": aws.role}
        events = aws.client("events")
        events.put_rule(Name="r", EventPattern=json.dumps({"source": ["s"]}))
        events.put_targets(Rule="r", Targets=[{"Id": "1", **target, "InputPath": "$.detail"}])
        text = json.dumps({"attempt": "<aws.scheduler.attempt-number>"})
        aws.client("scheduler").create_schedule(
            Name="s",
            ScheduleExpression="rate(1 hour)",
            StartDate=local.now() + timedelta(hours=1),
            Target={**target, "Input": text},
            FlexibleTimeWindow={"Mode": "OFF"},
        )
        faults = Faults(local.endpoint_url)
        refusal = {"code": "ThrottlingException", "status": 400, "times": 1000}
        faults.add("states", operation="StartExecution", **refusal)
        events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": '{"n": 1}'}])
        aws.advance(3601)
        aws.client("s3").create_bucket(Bucket="saved")
        os.kill(local.record.pid, signal.SIGKILL)
        local.stop()
    with LocalAws.start(tmp_path, 0, {}) as local:
        aws = Aws(local, "")
        states = aws.client("stepfunctions")

        def inputs() -> dict[str, Any] | None:
            aws.advance(600)
            found = states.list_executions(stateMachineArn=machine)["executions"]
            arns = [one["executionArn"] for one in found]
            texts = [states.describe_execution(executionArn=arn)["input"] for arn in arns]
            values: dict[str, Any] = {}
            for each in texts:
                values |= json.loads(each)
            return values if len(texts) == 2 else None

        found = aws.eventually(inputs)
        assert found["n"] == 1 and int(found["attempt"]) > 1


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
