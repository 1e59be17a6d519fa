import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, unique
from local_aws.testing.clock import Clock
from local_aws.testing.hosting import Hosting, variant

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
NAMED = {"ServiceNamespace": "sagemaker", "ScalableDimension": DIMENSION}


class Scaled:
    """A variant that is a scalable target, and what scales it."""

    def __init__(self, aws: Aws, hosting: Hosting, least: int = 1, most: int = 3) -> None:
        configuration = hosting.configuration(variant(hosting.model(), "live"))
        self.aws, self.hosting, self.endpoint = aws, hosting, hosting.endpoint(configuration)
        self.scaling = aws.client("application-autoscaling")
        self.named = {**NAMED, "ResourceId": f"endpoint/{self.endpoint}/variant/live"}
        self.scaling.register_scalable_target(**self.named, MinCapacity=least, MaxCapacity=most)

    def count(self) -> int:
        found = self.hosting.settled(self.endpoint)
        count: int = found["ProductionVariants"][0]["CurrentInstanceCount"]
        return count

    def load(self, value: int) -> None:
        """Put a minute's invocations by instance, as the endpoint would."""
        dimensions = {"EndpointName": self.endpoint, "VariantName": "live"}
        listed = [{"Name": name, "Value": text} for name, text in dimensions.items()]
        datum = {"MetricName": "InvocationsPerInstance", "Value": value, "Dimensions": listed}
        self.aws.client("cloudwatch").put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])

    def track(self, target: int, **more: int) -> dict[str, Any]:
        metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        tracked: dict[str, Any] = self.scaling.put_scaling_policy(
            **self.named,
            PolicyName="load",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": target,
                "PredefinedMetricSpecification": metric,
                **more,
            },
        )
        return tracked

    def activities(self) -> list[tuple[str, str]]:
        found = self.scaling.describe_scaling_activities(**self.named)["ScalingActivities"]
        return [(one["Description"], one["StatusCode"]) for one in reversed(found)]

    def end(self) -> None:
        self.scaling.deregister_scalable_target(**self.named)
        self.aws.client("sagemaker").delete_endpoint(EndpointName=self.endpoint)


@pytest.fixture
def scaled(aws: Aws, hosting: Hosting) -> Iterator[Scaled]:
    made = Scaled(aws, hosting)
    yield made
    made.end()


def test_a_busy_variant_gets_instances_and_a_quiet_one_gives_them_back(
    scaled: Scaled, clock: Clock
) -> None:
    """docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-policy.html"""
    alarms = scaled.track(100, ScaleOutCooldown=0, ScaleInCooldown=0)["Alarms"]
    assert len(alarms) == 2
    for _ in range(3):
        scaled.load(250)
        clock.advance(60)
    assert scaled.count() == 3
    for _ in range(15):
        scaled.load(20)
        clock.advance(60)
    assert scaled.count() == 1
    assert scaled.activities() == [
        ("Setting desired instance count to 3.", "Successful"),
        ("Setting desired instance count to 1.", "Successful"),
    ]


def test_a_cooldown_holds_the_next_change_back(scaled: Scaled, clock: Clock) -> None:
    """docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html"""
    scaled.track(100, ScaleOutCooldown=600)
    for _ in range(3):
        scaled.load(150)
        clock.advance(60)
    assert scaled.count() == 2
    for _ in range(4):
        scaled.load(150)
        clock.advance(60)
    assert scaled.count() == 2
    for _ in range(7):
        scaled.load(150)
        clock.advance(60)
    assert scaled.count() == 3


def test_a_suspended_target_stays(scaled: Scaled, clock: Clock) -> None:
    """docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-suspend-resume-scaling.html"""
    scaled.track(100, ScaleOutCooldown=0)
    scaled.scaling.register_scalable_target(
        **scaled.named, SuspendedState={"DynamicScalingOutSuspended": True}
    )
    for _ in range(4):
        scaled.load(500)
        clock.advance(60)
    assert scaled.count() == 1


def test_an_alarm_takes_the_steps_of_its_policy(aws: Aws, scaled: Scaled, clock: Clock) -> None:
    """docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-step-scaling-policies.html"""
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 2},
    ]
    policy = scaled.scaling.put_scaling_policy(
        **scaled.named,
        PolicyName="steps",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": steps,
            "Cooldown": 3600,
        },
    )["PolicyARN"]
    cloudwatch, space = aws.client("cloudwatch"), unique("Space")
    cloudwatch.put_metric_alarm(
        AlarmName=unique("backlog"),
        Namespace=space,
        MetricName="Backlog",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[policy],
    )
    cloudwatch.put_metric_data(Namespace=space, MetricData=[{"MetricName": "Backlog", "Value": 16}])
    clock.advance(60)
    assert scaled.count() == 3


def test_a_scheduled_action_sets_the_bounds_and_the_count_within(
    scaled: Scaled, clock: Clock
) -> None:
    """docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scheduled-scaling.html"""
    now = clock.now()
    for name, minutes, bounds in (("up", 30, (2, 3)), ("down", 60, (1, 1))):
        at = now + datetime.timedelta(minutes=minutes)
        scaled.scaling.put_scheduled_action(
            **scaled.named,
            ScheduledActionName=name,
            Schedule=f"at({at:%Y-%m-%dT%H:%M:%S})",
            ScalableTargetAction=dict(zip(("MinCapacity", "MaxCapacity"), bounds, strict=True)),
        )
    clock.advance(1800)
    assert scaled.count() == 2
    clock.advance(1800)
    assert scaled.count() == 1
    (target,) = scaled.scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[scaled.named["ResourceId"]]
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 1)


def test_a_new_scheduled_action_needs_a_schedule(scaled: Scaled) -> None:
    """docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html"""
    action = {**scaled.named, "ScheduledActionName": "night"}
    with pytest.raises(ClientError, match="Schedule is required"):
        scaled.scaling.put_scheduled_action(**action)
    scaled.scaling.put_scheduled_action(**action, Schedule="rate(1 day)")
    scaled.scaling.put_scheduled_action(**action, ScalableTargetAction={"MinCapacity": 1})


def test_invocations_are_counted_by_instance(
    aws: Aws, hosting: Hosting, scaled: Scaled, clock: Clock
) -> None:
    """docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html"""
    for _ in range(4):
        hosting.invoke(scaled.endpoint)

    def total() -> bool | None:
        now = clock.now()
        dimensions = {"EndpointName": scaled.endpoint, "VariantName": "live"}
        points = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="InvocationsPerInstance",
            Dimensions=[{"Name": name, "Value": text} for name, text in dimensions.items()],
            StartTime=now - datetime.timedelta(minutes=10),
            EndTime=now + datetime.timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return True if points and points[0]["Sum"] == 4 else None

    aws.eventually(total)


def test_an_update_keeps_the_policys_arn_and_an_end_takes_its_alarms(
    aws: Aws, scaled: Scaled
) -> None:
    """botocore service-2.json: application-autoscaling/PutScalingPolicy"""
    first, second = scaled.track(100), scaled.track(50)
    assert first["PolicyARN"] == second["PolicyARN"]
    names = [alarm["AlarmName"] for alarm in first["Alarms"] + second["Alarms"]]
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in found} == {a["AlarmName"] for a in second["Alarms"]}
    scaled.scaling.delete_scaling_policy(**scaled.named, PolicyName="load")
    assert aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] == []


@pytest.mark.parametrize(
    ("call", "given", "said"),
    [
        (
            "register_scalable_target",
            {
                "ServiceNamespace": "lambda",
                "ResourceId": "function:f:live",
                "ScalableDimension": "lambda:function:ProvisionedConcurrency",
                "MinCapacity": 1,
                "MaxCapacity": 2,
            },
            "does not implement scaling of lambda",
        ),
        (
            "put_scaling_policy",
            {
                **NAMED,
                "ResourceId": "endpoint/none/variant/live",
                "PolicyName": "p",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1},
            },
            "No scalable target registered",
        ),
        *(
            ("register_scalable_target", {**NAMED, "ResourceId": target, **bounds}, said)
            for target, bounds, said in (
                ("endpoint/e/variant/v", {"MinCapacity": 3, "MaxCapacity": 1}, "Maximum capacity"),
                ("endpoint/e/variant/v", {"MinCapacity": -1, "MaxCapacity": 1}, "Maximum capacity"),
                ("endpoint/e/variant", {"MinCapacity": 1, "MaxCapacity": 1}, "Unsupported"),
            )
        ),
    ],
)
def test_what_can_never_scale_is_refused(
    aws: Aws, call: str, given: dict[str, Any], said: str
) -> None:
    """docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html"""
    with pytest.raises(ClientError, match=said):
        getattr(aws.client("application-autoscaling"), call)(**given)
