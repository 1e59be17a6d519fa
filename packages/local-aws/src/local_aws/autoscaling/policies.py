"""Scaling policies: the capacity that steps beyond a threshold or a tracked target ask for.

https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-step-scaling-policies.html
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

DEFAULT_COOLDOWN_SECONDS = 300
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
MIN_TARGET, MAX_TARGET = 8.515920e-109, 1.174271e108
# Target tracking takes away only what leaves the rest a tenth below the target.
LOW_SHARE = 0.9


def step_capacity(policy: Mapping[str, Any], current: int, beyond: float) -> int:
    """Return the capacity that a step policy sets where a metric is `beyond` its threshold."""
    for step in policy.get("StepAdjustments") or []:
        low = float(step.get("MetricIntervalLowerBound", -math.inf))
        high = float(step.get("MetricIntervalUpperBound", math.inf))
        # A bound belongs to the step on the side of the threshold that is nearer to it.
        inside = low <= beyond < high if beyond >= 0 else low < beyond <= high
        if inside:
            return _adjusted(policy, current, int(step["ScalingAdjustment"]))
    return current


def _adjusted(policy: Mapping[str, Any], current: int, adjustment: int) -> int:
    kind = policy.get("AdjustmentType")
    if kind == "ExactCapacity":
        return adjustment
    if kind != "PercentChangeInCapacity":
        return current + adjustment
    if adjustment == 0:
        return current
    change = current * adjustment / 100
    minimum = int(policy.get("MinAdjustmentMagnitude") or 1)
    whole = max(int(abs(change)), minimum)
    return current + (whole if adjustment > 0 else -whole)


def tracked_capacity(
    policy: Mapping[str, Any], current: int, values: Sequence[float], *, scale_in: bool
) -> int:
    """Return the capacity that brings a metric by instance to its target.

    `values` are those of the last periods. Out follows the last one; in follows the highest, as
    AWS gives capacity back slowly. One instance at the least is left to divide by.
    """
    target = float(policy["TargetValue"])
    if not values or current == 0:
        return current
    if scale_in:
        if policy.get("DisableScaleIn"):
            return current
        return max(1, min(current, math.ceil(current * max(values) / target)))
    return max(current, math.ceil(current * values[-1] / target))


def cooldown_seconds(policy: Mapping[str, Any], *, scale_in: bool) -> int:
    """Return how long a policy waits after one change before the next in that direction."""
    name = "ScaleInCooldown" if scale_in else "ScaleOutCooldown"
    given = policy.get(name, policy.get("Cooldown"))
    return DEFAULT_COOLDOWN_SECONDS if given is None else int(given)


def tracking_alarms(policy: Mapping[str, Any], resource_id: str) -> list[dict[str, Any]]:
    """Return the two alarms of a target tracking policy, as moto's CloudWatch takes them.

    Raises ValueError for a target out of its range, or a metric that is not tracked here.
    High for three minutes, low for fifteen: what AWS makes for SageMaker's variants.
    """
    metric = _metric(policy, resource_id)
    target = float(policy["TargetValue"])
    if not MIN_TARGET <= target <= MAX_TARGET:
        raise ValueError(f"TargetValue must be from {MIN_TARGET:.6e} to {MAX_TARGET:.6e}")
    high = {
        "comparison_operator": "GreaterThanThreshold",
        "threshold": target,
        "evaluation_periods": 3,
    }
    low = {
        "comparison_operator": "LessThanThreshold",
        "threshold": target * LOW_SHARE,
        "evaluation_periods": 15,
    }
    bounds = [("AlarmHigh", high)]
    if not policy.get("DisableScaleIn"):
        bounds.append(("AlarmLow", low))
    return [
        {"name": f"TargetTracking-{resource_id}-{name}", "period": 60, **metric, **bound}
        for name, bound in bounds
    ]


def _metric(policy: Mapping[str, Any], resource_id: str) -> dict[str, Any]:
    custom = policy.get("CustomizedMetricSpecification")
    if custom and not custom.get("Metrics"):
        return {
            "namespace": custom["Namespace"],
            "metric_name": custom["MetricName"],
            "dimensions": custom.get("Dimensions") or [],
            "statistic": custom["Statistic"],
            "unit": custom.get("Unit"),
        }
    kind = (policy.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    if kind != "SageMakerVariantInvocationsPerInstance":
        raise ValueError(f"The embedded AWS does not track the metric {kind or custom}")
    _, endpoint, _, variant = resource_id.split("/")
    return {
        "namespace": "AWS/SageMaker",
        "metric_name": "InvocationsPerInstance",
        "dimensions": [
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": variant},
        ],
        "statistic": "Sum",
    }
