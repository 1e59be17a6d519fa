import pytest

from local_aws.autoscaling.policies import (
    cooldown_seconds,
    step_capacity,
    tracked_capacity,
    tracking_alarms,
)

VARIANT = "endpoint/e/variant/v"
# The steps of the user guide's own example, on a threshold of 50.
STEPS = {
    "AdjustmentType": "PercentChangeInCapacity",
    "StepAdjustments": [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 0},
        {"MetricIntervalLowerBound": 10, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 10},
        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 30},
        {"MetricIntervalUpperBound": -20, "ScalingAdjustment": -30},
    ],
}


@pytest.mark.parametrize(
    ("metric", "current", "expected"),
    [(55, 10, 10), (60, 10, 11), (69, 10, 11), (70, 10, 13), (30, 10, 7), (31, 10, 10)],
)
def test_a_step_is_chosen_by_the_distance_from_the_threshold(
    metric: int, current: int, expected: int
) -> None:
    assert step_capacity(STEPS, current, metric - 50) == expected


@pytest.mark.parametrize(
    ("kind", "adjustment", "expected"),
    [("ChangeInCapacity", 2, 6), ("ChangeInCapacity", -1, 3), ("ExactCapacity", 1, 1)],
)
def test_an_adjustment_is_of_its_type(kind: str, adjustment: int, expected: int) -> None:
    step = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": adjustment}
    assert step_capacity({"AdjustmentType": kind, "StepAdjustments": [step]}, 4, 0) == expected


@pytest.mark.parametrize(
    ("values", "scale_in", "expected"),
    [
        ([10, 250], False, 5),
        ([250, 10], False, 2),
        ([10, 40], True, 1),
        ([10, 60], True, 2),
        ([0, 0], True, 1),
        ([], False, 2),
    ],
)
def test_tracking_brings_the_metric_to_its_target(
    values: list[int], scale_in: bool, expected: int
) -> None:
    assert tracked_capacity({"TargetValue": 100}, 2, values, scale_in=scale_in) == expected


def test_scaling_in_can_be_left_out() -> None:
    policy = {"TargetValue": 100, "DisableScaleIn": True}
    assert tracked_capacity(policy, 2, [0], scale_in=True) == 2


def test_cooldowns_have_a_default_and_may_be_none() -> None:
    assert cooldown_seconds({}, scale_in=True) == 300
    assert cooldown_seconds({"ScaleOutCooldown": 0}, scale_in=False) == 0
    assert cooldown_seconds({"Cooldown": 60}, scale_in=False) == 60


def test_a_tracking_policy_has_a_high_and_a_low_alarm() -> None:
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    policy = {"TargetValue": 100, "PredefinedMetricSpecification": metric}
    high, low = tracking_alarms(policy, VARIANT)
    assert (high["threshold"], high["evaluation_periods"]) == (100, 3)
    assert (low["threshold"], low["evaluation_periods"]) == (90, 15)
    assert high["dimensions"][0] == {"Name": "EndpointName", "Value": "e"}


def test_an_unknown_metric_cannot_be_tracked() -> None:
    metric = {"PredefinedMetricType": "SageMakerInferenceComponentInvocationsPerCopy"}
    with pytest.raises(ValueError, match="InvocationsPerCopy"):
        tracking_alarms({"TargetValue": 1, "PredefinedMetricSpecification": metric}, VARIANT)


@pytest.mark.parametrize("target", [0, -1, float("nan"), float("inf"), 1e200])
def test_a_target_that_no_capacity_reaches_is_refused(target: float) -> None:
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    with pytest.raises(ValueError, match="TargetValue must be from"):
        tracking_alarms({"TargetValue": target, "PredefinedMetricSpecification": metric}, VARIANT)
