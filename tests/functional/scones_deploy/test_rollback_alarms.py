from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from moto import mock_aws

from scones_core.errors import DeployError
from scones_deploy.rollback_alarms import require_quiet_alarms
from scones_deploy.terraform.plan import Plan, ResourceChange
from scones_deploy.terraform.state import AppliedResource

MODULE = 'module.endpoint["realtime"].'
ENDPOINT = ResourceChange(
    f'{MODULE}aws_sagemaker_endpoint.this["live"]', "aws_sagemaker_endpoint", ("update",)
)
ALARM = ResourceChange(
    f"{MODULE}aws_cloudwatch_metric_alarm.low_confidence",
    "aws_cloudwatch_metric_alarm",
    ("delete",),
)
APPLIED = (
    AppliedResource(
        ENDPOINT.address,
        ENDPOINT.type,
        "live",
        {
            "deployment_config": [
                {"auto_rollback_configuration": [{"alarms": [{"alarm_name": "unsure"}]}]}
            ]
        },
    ),
    AppliedResource(ALARM.address, ALARM.type, "", {"alarm_name": "unsure"}),
)


def check(
    state: Literal["ALARM", "INSUFFICIENT_DATA", "OK"],
    *changes: ResourceChange,
    planned: tuple[AppliedResource, ...] = APPLIED,
) -> None:
    """Look at an alarm in this state before a plan with these changes."""
    with mock_aws():
        cloudwatch = boto3.client("cloudwatch", "us-east-1")
        cloudwatch.put_metric_alarm(
            AlarmName="unsure",
            Namespace="Scones",
            MetricName="Review",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName="unsure", StateValue=state, StateReason="a test")
        plan = Plan(Path("p"), changes, has_changes=True)
        require_quiet_alarms(plan, planned, cloudwatch)


def test_an_update_that_a_raised_alarm_would_take_back_is_not_begun() -> None:
    with pytest.raises(DeployError, match=r"raised unsure.*--ignore-raised-alarms.*failed-rollout"):
        check("ALARM", ENDPOINT)


def test_an_alarm_that_is_quiet_lets_an_update_pass() -> None:
    check("OK", ENDPOINT)
    check("INSUFFICIENT_DATA", ENDPOINT)


def test_a_raised_alarm_that_takes_nothing_back_this_time_lets_an_update_pass() -> None:
    """Whatever watches the endpoint now: an update is given the alarms that roll it back."""
    without: dict[str, Any] = {
        "deployment_config": [{"auto_rollback_configuration": [{"alarms": []}]}]
    }
    check("ALARM", ENDPOINT, planned=(replace(APPLIED[0], values=without), APPLIED[1]))


def test_a_raised_alarm_that_the_plan_removes_lets_an_update_pass() -> None:
    check("ALARM", ENDPOINT, ALARM)


@pytest.mark.parametrize("actions", [("create",), ("delete",), ("delete", "create")])
def test_a_raised_alarm_lets_pass_what_updates_no_endpoint(actions: tuple[str, ...]) -> None:
    check("ALARM")
    check("ALARM", ResourceChange(ENDPOINT.address, ENDPOINT.type, actions))
