"""A `DeploymentConfig` as the steps of one update.

https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html and
deployment-guardrails-rolling.html: after each step of the traffic the alarms are watched for
`WaitIntervalInSeconds`; the old fleet is kept for `TerminationWaitInSeconds` more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.errors import LocalAwsError

LONGEST_SECONDS = 28_800.0


class InvalidRollout(LocalAwsError):
    """A deployment configuration cannot be carried out; the message is for the caller."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """An update's steps: the new fleet's share of the traffic in each, ending with 1."""

    shares: tuple[float, ...] = (1.0,)
    bake_seconds: float = 0.0
    termination_seconds: float = 0.0
    timeout_seconds: float = LONGEST_SECONDS
    alarms: tuple[str, ...] = ()


def parse_rollout(config: Mapping[str, Any] | None, instance_counts: Sequence[int]) -> Rollout:
    """Return the steps of a `DeploymentConfig`; None moves all at once and waits for nothing.

    `instance_counts` are those of the new variants. Raises InvalidRollout.
    """
    config = config or {}
    rollback = config.get("AutoRollbackConfiguration") or {}
    alarms = tuple(alarm["AlarmName"] for alarm in rollback.get("Alarms") or ())
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise InvalidRollout(
            "BlueGreenUpdatePolicy and RollingUpdatePolicy cannot be given together."
        )
    if rolling:
        return _rolling(rolling, instance_counts, alarms)
    return (
        _blue_green(blue_green, instance_counts, alarms) if blue_green else Rollout(alarms=alarms)
    )


def _blue_green(
    policy: Mapping[str, Any], counts: Sequence[int], alarms: tuple[str, ...]
) -> Rollout:
    routing = policy["TrafficRoutingConfiguration"]
    return Rollout(
        shares=_shares(routing, counts),
        bake_seconds=_between("WaitIntervalInSeconds", routing, 0, 3600),
        termination_seconds=_between("TerminationWaitInSeconds", policy, 0, 3600),
        timeout_seconds=_between("MaximumExecutionTimeoutInSeconds", policy, 600, LONGEST_SECONDS),
        alarms=alarms,
    )


def _rolling(policy: Mapping[str, Any], counts: Sequence[int], alarms: tuple[str, ...]) -> Rollout:
    return Rollout(
        shares=_steps(_part("MaximumBatchSize", policy, counts, 0.05)),
        bake_seconds=_between("WaitIntervalInSeconds", policy, 0, 3600),
        timeout_seconds=_between("MaximumExecutionTimeoutInSeconds", policy, 600, LONGEST_SECONDS),
        alarms=alarms,
    )


def _shares(routing: Mapping[str, Any], counts: Sequence[int]) -> tuple[float, ...]:
    kind = routing["Type"]
    if kind == "CANARY":
        return (_part("CanarySize", routing, counts, 0.0), 1.0)
    if kind == "LINEAR":
        return _steps(_part("LinearStepSize", routing, counts, 0.1))
    return (1.0,)


def _steps(part: float) -> tuple[float, ...]:
    number = math.ceil(round(1 / part, 6))
    return (*(part * step for step in range(1, number)), 1.0)


def _part(name: str, source: Mapping[str, Any], counts: Sequence[int], least: float) -> float:
    """Return a CapacitySize as a fraction, which must be between `least` and one half."""
    size = source.get(name)
    if not size:
        raise InvalidRollout(f"{name} is required for this deployment.")
    smallest = min(counts, default=1)
    if size["Type"] == "INSTANCE_COUNT":
        part = float(size["Value"]) / max(1, smallest)
    else:
        part = float(size["Value"]) / 100
    # One instance has no half that could be moved first.
    if not least <= part <= 0.5 or smallest < 2:
        raise InvalidRollout(
            f"{name} of {size['Value']} ({size['Type']}) must be between {least:.0%} and 50% of "
            f"the variant's total instance count, which is {smallest}."
        )
    return part


def _between(name: str, source: Mapping[str, Any], least: float, most: float) -> float:
    value = source.get(name)
    if value is None:
        return 0.0 if least == 0 else most
    if not least <= value <= most:
        raise InvalidRollout(
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy "
            f"constraint: Member must have value between {least:.0f} and {most:.0f}"
        )
    return float(value)
