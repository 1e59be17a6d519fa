from typing import Any

import pytest

from local_aws.sagemaker.endpoints.deployment import InvalidRollout, parse_rollout


def routed(kind: str, **sizes: int) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 30}
    routing |= {name: {"Type": "CAPACITY_PERCENT", "Value": value} for name, value in sizes.items()}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}


def rolling(kind: str, value: int) -> dict[str, Any]:
    size = {"Type": kind, "Value": value}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0}}


@pytest.mark.parametrize(
    ("config", "counts", "shares"),
    [
        (None, [1], [1.0]),
        (routed("ALL_AT_ONCE"), [1], [1.0]),
        (routed("CANARY", CanarySize=10), [2], [0.1, 1.0]),
        (routed("LINEAR", LinearStepSize=25), [4], [0.25, 0.5, 0.75, 1.0]),
        (routed("LINEAR", LinearStepSize=30), [4], [0.3, 0.6, 0.9, 1.0]),
        (rolling("INSTANCE_COUNT", 1), [3], [1 / 3, 2 / 3, 1.0]),
        (rolling("CAPACITY_PERCENT", 50), [2], [0.5, 1.0]),
    ],
)
def test_the_traffic_moves_in_the_steps_asked_for(
    config: dict[str, Any] | None, counts: list[int], shares: list[float]
) -> None:
    assert parse_rollout(config, counts).shares == pytest.approx(tuple(shares))


def test_the_smallest_variant_bounds_a_step_in_instances() -> None:
    config = routed("CANARY", CanarySize=50)
    assert parse_rollout(config, [4, 8]).shares == (0.5, 1.0)
    with pytest.raises(InvalidRollout, match="which is 1"):
        parse_rollout(config, [1, 8])


def test_several_variants_are_not_updated_in_batches() -> None:
    with pytest.raises(InvalidRollout, match="several production variants"):
        parse_rollout(rolling("INSTANCE_COUNT", 1), [4, 8])


def test_the_two_policies_exclude_each_other() -> None:
    with pytest.raises(InvalidRollout, match="together"):
        parse_rollout({**routed("ALL_AT_ONCE"), **rolling("INSTANCE_COUNT", 1)}, [2])


def test_alarms_are_watched_without_a_policy_too() -> None:
    alarms = {"Alarms": [{"AlarmName": "errors"}, {"AlarmName": "latency"}]}
    found = parse_rollout({"AutoRollbackConfiguration": alarms}, [1])
    assert found.alarms == ("errors", "latency")
