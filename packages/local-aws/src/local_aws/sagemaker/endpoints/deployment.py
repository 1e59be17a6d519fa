"""Deployment of an endpoint: what UpdateEndpoint rolls out, step by step, and rolls back.

https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html and
deployment-guardrails-rolling.html: after each step of the traffic the alarms are watched for
`WaitIntervalInSeconds`; the old fleet is kept for `TerminationWaitInSeconds` more.
"""

import datetime
import logging
import math
import os
import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend, sagemaker_backends

from local_aws.core import clock
from local_aws.core.stores import durable_transition
from local_aws.errors import LocalAwsError
from local_aws.iam.access_decisions import AccessDenied
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints.data_capture import CaptureWriter
from local_aws.sagemaker.endpoints.fleet_builder import FleetBuilder
from local_aws.sagemaker.endpoints.fleet_plans import (
    FleetPlan,
    fleet_plan,
    shadow_variants,
    weight_of,
)
from local_aws.sagemaker.endpoints.traffic import Traffic
from local_aws.sagemaker.endpoints.weighted_variants import Fleet
from local_aws.sagemaker.state_events import endpoint_changed

LONGEST_SECONDS = 28_800.0


_MAX_REASON_CHARACTERS = 1024


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
    # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
    if len(counts) > 1:
        raise InvalidRollout(
            "A rolling deployment is not supported for several production variants."
        )
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


def _part(name: str, source: Mapping[str, Any], counts: Sequence[int], minimum: float) -> float:
    """Return a CapacitySize as a fraction, which must be between `minimum` and one half."""
    size = source.get(name)
    if not size:
        raise InvalidRollout(f"{name} is required for this deployment.")
    smallest = min(counts, default=1)
    if size["Type"] == "INSTANCE_COUNT":
        part = float(size["Value"]) / max(1, smallest)
    else:
        part = float(size["Value"]) / 100
    # One instance has no half that could be moved first.
    if not minimum <= part <= 0.5 or smallest < 2:
        raise InvalidRollout(
            f"{name} of {size['Value']} ({size['Type']}) must be between {minimum:.0%} and 50% of "
            f"the variant's total instance count, which is {smallest}."
        )
    return part


def _between(name: str, source: Mapping[str, Any], minimum: float, maximum: float) -> float:
    value = source.get(name)
    if value is None:
        return 0.0 if minimum == 0 else maximum
    if not minimum <= value <= maximum:
        raise InvalidRollout(
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy "
            f"constraint: Member must have value between {minimum:.0f} and {maximum:.0f}"
        )
    return float(value)


# A FakeEndpoint, with the attributes that moto's lacks.
EndpointRecord = Any


def enter_deployment(endpoint: EndpointRecord, status: str, config: FakeEndpointConfig) -> None:
    """Record that a configuration is being deployed; the one that serves stays the endpoint's."""
    endpoint.pending_deployment_summary = {
        "EndpointConfigName": config.endpoint_config_name,
        "StartTime": utcnow(),
        "ProductionVariants": _pending(config.production_variants),
    }
    endpoint.failure_reason = None
    enter_status(endpoint, status)


def enter_variant_status(endpoint: EndpointRecord, status: str, message: str) -> None:
    """Record how far the deployment is: Creating, ActivatingTraffic, Baking, Deleting."""
    summary = endpoint.pending_deployment_summary
    if summary is None:
        return
    described = [{"Status": status, "StatusMessage": message, "StartTime": utcnow()}]
    variants = [
        {**variant, "VariantStatus": described} for variant in summary["ProductionVariants"]
    ]
    endpoint.pending_deployment_summary = {**summary, "ProductionVariants": variants}


def record_deployment(endpoint: EndpointRecord, config: FakeEndpointConfig, fleet: Fleet) -> None:
    """Put an endpoint's record into service with a configuration."""
    endpoint.endpoint_config_name = config.endpoint_config_name
    endpoint.production_variants = _summaries(config.production_variants, fleet)
    shadows = shadow_variants(config)
    endpoint.shadow_production_variants = _summaries(shadows, fleet) if shadows else None
    endpoint.data_capture_config = capture_summary(config.data_capture_config)
    endpoint.async_inference_config = config.async_inference_config
    end_deployment(endpoint, "")


def end_deployment(endpoint: EndpointRecord, reason: str, status: str = "InService") -> None:
    """Put an endpoint's record into its state after a deployment, with why it failed if it did."""
    endpoint.pending_deployment_summary = None
    endpoint.failure_reason = reason[:_MAX_REASON_CHARACTERS] or None
    enter_status(endpoint, status)


def enter_status(endpoint: EndpointRecord, status: str) -> None:
    """Put an endpoint's record into a status, and publish the event."""
    endpoint.last_modified_time = utcnow()
    with durable_transition():
        endpoint.endpoint_status = status
        endpoint_changed(endpoint)


def retained_properties(
    endpoint: EndpointRecord, excluded: Container[str] = ()
) -> dict[str, dict[str, Any]]:
    """Return the properties of each variant that an update keeps, as a configuration has them."""
    names = {
        "DesiredWeight": "InitialVariantWeight",
        "DesiredInstanceCount": "InitialInstanceCount",
    }
    return {
        variant["VariantName"]: {
            configured: variant[kept]
            for kept, configured in names.items()
            if kept in variant and kept not in excluded
        }
        for variant in endpoint.production_variants or ()
    }


def capture_summary(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return DescribeEndpoint's `DataCaptureConfig` for an endpoint configuration's."""
    if not config:
        return None
    enabled = bool(config.get("EnableCapture", False))
    summary = {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId"),
    }
    return {name: value for name, value in summary.items() if value is not None}


def _pending(variants: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    described = {"Status": "Creating", "StartTime": utcnow()}
    return [
        {
            "VariantName": variant["VariantName"],
            "DesiredWeight": weight_of(variant),
            "VariantStatus": [described],
            **_capacity(variant, 0),
        }
        for variant in variants
    ]


def _summaries(variants: Sequence[Mapping[str, Any]], fleet: Fleet) -> list[dict[str, Any]]:
    found = []
    for variant in variants:
        name = variant["VariantName"]
        running = fleet.variants.get(name) or fleet.shadow
        weight = fleet.weights.get(name, weight_of(variant))
        count = running.count if running is not None else 1
        found.append(
            {
                "VariantName": name,
                "CurrentWeight": weight,
                "DesiredWeight": weight,
                **_capacity({**variant, "InitialInstanceCount": count}, count),
            }
        )
    return found


def _capacity(variant: Mapping[str, Any], current: int) -> dict[str, Any]:
    serverless = variant.get("ServerlessConfig")
    if serverless:
        return {"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
    desired = int(variant.get("InitialInstanceCount") or 1)
    return {"CurrentInstanceCount": current, "DesiredInstanceCount": desired}


CAPTURE_SECONDS_VARIABLE = "LOCAL_AWS_CAPTURE_SECONDS"

CAPTURE_SECONDS = 2.0

# How often the alarms are looked at while a step of the traffic bakes.
_WATCH_SECONDS = 0.25


class RolledBack(LocalAwsError):
    """An update is taken back; the message is the endpoint's FailureReason."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of one endpoint. `started` is a time of the embedded AWS's clock."""

    endpoint: EndpointRecord
    config: FakeEndpointConfig
    plan: FleetPlan
    rollout: Rollout
    mark: object
    started: datetime.datetime


class Endpoints:
    """The endpoints that run, and what happens to moto's record of each."""

    def __init__(self, services: AwsServices) -> None:
        context = services.context
        self.traffic = Traffic()
        self.captures = CaptureWriter(services.put_object, _capture_seconds())
        self._services = services
        self._closing = threading.Event()
        self._builder = FleetBuilder(
            folder=context.folder("endpoints"),
            images_path=context.images_path,
            children=context.children,
            s3=services.s3,
            log_stream=services.log_stream,
            require_image=services.require_image,
        )

    def deploy(
        self,
        backend: SageMakerModelBackend,
        endpoint: EndpointRecord,
        config: FakeEndpointConfig,
        retained: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Have the endpoint serve the configuration; returns at once, the record follows.

        `retained` has the weights and counts that an update keeps, by variant. Raises
        AWSValidationException, with nothing changed, where the records do not make an endpoint.
        """
        try:
            plan = fleet_plan(
                self._services, backend, endpoint.endpoint_name, config, retained or {}
            )
            counts = [variant.count for variant in plan.variants]
            rollout = parse_rollout(endpoint.last_deployment_config, counts)
            _require_common_variant(endpoint, plan)
        except (LocalAwsError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        updating = self.traffic.serving(endpoint.arn) is not None
        enter_deployment(endpoint, "Updating" if updating else "Creating", config)
        mark = self.traffic.begin(endpoint.arn)
        deployment = Deployment(endpoint, config, plan, rollout, mark, clock.now())
        name = f"deploy-{endpoint.endpoint_name}"
        threading.Thread(target=self._deploy, args=(deployment,), name=name, daemon=True).start()

    def delete(self, endpoint: EndpointRecord) -> None:
        """Stop the endpoint's programs once their requests have ended; returns at once."""
        for fleet in self.traffic.remove(endpoint.arn):
            threading.Thread(target=self._retire, args=(endpoint, fleet), daemon=True).start()

    def close(self) -> None:
        """Stop all programs, then write what is still buffered of the captures."""
        self._closing.set()
        self.traffic.close()
        self.captures.close()

    def _deploy(self, deployment: Deployment) -> None:
        endpoint, fleet = deployment.endpoint, None
        try:
            fleet = self._builder.build(deployment.plan)
            fleet.start()
            self._move(deployment, fleet)
        except LocalAwsError as error:
            self._roll_back(deployment, fleet, str(error))
        except Exception as error:  # the record must say how a deployment ended, whatever it was
            reason = f"InternalFailure: {type(error).__name__}: {error}"
            self._roll_back(deployment, fleet, reason)
        else:
            old = self.traffic.finish(endpoint.arn, deployment.mark)
            record_deployment(endpoint, deployment.config, fleet)
            if old is not None:
                self._retire(endpoint, old)

    def _move(self, deployment: Deployment, fleet: Fleet) -> None:
        """Bring the traffic to the new fleet, in one step where there is no old one."""
        endpoint, rollout = deployment.endpoint, deployment.rollout
        updating = self.traffic.serving(endpoint.arn) is not None
        due = clock.now()
        for share in rollout.shares if updating else (1.0,):
            enter_variant_status(
                endpoint, "ActivatingTraffic", f"Moving {share:.0%} of the traffic"
            )
            if not self.traffic.shift(endpoint.arn, deployment.mark, fleet, share):
                raise RolledBack("The endpoint was deleted.")
            if updating:
                enter_variant_status(endpoint, "Baking", f"With {share:.0%} of the traffic")
                # From one due time to the next, so that a driven clock may pass several.
                due += datetime.timedelta(seconds=rollout.bake_seconds)
                self._watch(deployment, due, rollout.alarms)
        if updating:
            enter_variant_status(endpoint, "Deleting", "The old fleet ends after its last wait")
            self._watch(
                deployment, due + datetime.timedelta(seconds=rollout.termination_seconds), ()
            )

    def _watch(self, deployment: Deployment, due: datetime.datetime, alarms: Sequence[str]) -> None:
        """Wait until then; raises RolledBack when an alarm is on, or the time is up."""
        seconds = deployment.rollout.timeout_seconds
        last = deployment.started + datetime.timedelta(seconds=seconds)
        while True:
            if on := self._alarms_on(deployment, alarms):
                raise RolledBack(f"The deployment was rolled back: {', '.join(on)} in state ALARM.")
            now = clock.now()
            if now > last and due > last:
                raise RolledBack(
                    f"The deployment did not end within its maximum of {seconds:.0f} s."
                )
            if now >= due:
                return
            left = (min(due, last) - now).total_seconds()
            if clock.wait(min(max(left, 0.01), _WATCH_SECONDS), self._closing):
                raise RolledBack("The embedded AWS is stopping.")

    def _alarms_on(self, deployment: Deployment, alarms: Sequence[str]) -> list[str]:
        try:
            return self._services.alarms_in_alarm(alarms, deployment.plan.role_arn)
        except AccessDenied as error:
            raise RolledBack(str(error)) from error

    def _roll_back(self, deployment: Deployment, fleet: Fleet | None, reason: str) -> None:
        """Record a failed deployment: the old fleet, if there is one, serves on."""
        endpoint = deployment.endpoint
        served = self.traffic.serving(endpoint.arn) is not None
        if served:
            enter_status(endpoint, "RollingBack")
        self.traffic.roll_back(endpoint.arn, deployment.mark)
        if fleet is not None:
            self._retire(endpoint, fleet)
        end_deployment(endpoint, reason, "InService" if served else "Failed")

    def _retire(self, endpoint: EndpointRecord, fleet: Fleet) -> None:
        fleet.drain()
        self.captures.flush(endpoint.endpoint_name)


def _require_common_variant(endpoint: EndpointRecord, plan: FleetPlan) -> None:
    """Raise InvalidRollout where a policy shifts traffic between variants of other names only.

    https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html: the new
    configuration must have the same variant name as the old one.
    """
    config = endpoint.last_deployment_config or {}
    before = {variant["VariantName"] for variant in endpoint.production_variants or ()}
    guarded = config.get("BlueGreenUpdatePolicy") or config.get("RollingUpdatePolicy")
    if guarded and before and before.isdisjoint(variant.name for variant in plan.variants):
        raise InvalidRollout(
            f"The new configuration must have the same variant name as the old one, "
            f"{', '.join(sorted(before))}, for a deployment with an update policy."
        )


def _capture_seconds() -> float:
    text = os.environ.get(CAPTURE_SECONDS_VARIABLE, str(CAPTURE_SECONDS))
    try:
        return max(0.0, float(text))
    except ValueError as error:
        raise LocalAwsError(
            f"{CAPTURE_SECONDS_VARIABLE} must be a number of seconds, not {text!r}."
        ) from error


# Why a deployment has failed that was under way when the server was stopped.
STOPPING = "The embedded AWS is stopping"

LOG = logging.getLogger(__name__)


def start_endpoints(endpoints: Endpoints) -> None:
    """Have every endpoint serve again what it served, with its weights and instance counts.

    Returns at once: an endpoint is Creating until its programs answer. One that was being
    updated serves its old configuration.
    """
    backends: list[Any] = [found for _, _, found in sagemaker_backends.iter_backends()]
    for backend in backends:
        for endpoint in list(backend.endpoints.values()):
            if endpoint.endpoint_status != "Failed" or STOPPING in endpoint.failure_reason:
                _start_again(endpoints, backend, endpoint)


def _start_again(
    endpoints: Endpoints, backend: SageMakerModelBackend, endpoint: EndpointRecord
) -> None:
    config = backend.endpoint_configs.get(endpoint.endpoint_config_name)
    try:
        if config is None:
            raise LocalAwsError(
                f"Its configuration {endpoint.endpoint_config_name} is not there any more."
            )
        endpoints.deploy(backend, endpoint, config, retained_properties(endpoint))
    except Exception as error:  # one endpoint's fault must not keep the others down
        LOG.error("The endpoint %s is not started again: %s", endpoint.endpoint_name, error)
        end_deployment(endpoint, str(error), "Failed")
