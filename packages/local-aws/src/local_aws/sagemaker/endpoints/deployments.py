"""An endpoint's deployment: the new programs, the traffic that moves to them, and the way back."""

import datetime
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend

from local_aws.core import clock
from local_aws.errors import LocalAwsError
from local_aws.iam.authorization import AccessDenied
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints.capture_buffer import CaptureWriter
from local_aws.sagemaker.endpoints.deployment_policy import Rollout, parse_rollout
from local_aws.sagemaker.endpoints.endpoint_records import (
    EndpointRecord,
    end_deployment,
    enter_deployment,
    enter_status,
    enter_variant_status,
    record_deployment,
)
from local_aws.sagemaker.endpoints.fleet_builder import FleetBuilder, FleetPlan
from local_aws.sagemaker.endpoints.fleets import Fleet
from local_aws.sagemaker.endpoints.plans import fleet_plan
from local_aws.sagemaker.endpoints.traffic import Traffic

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


def _capture_seconds() -> float:
    text = os.environ.get(CAPTURE_SECONDS_VARIABLE, str(CAPTURE_SECONDS))
    try:
        return max(0.0, float(text))
    except ValueError as error:
        raise LocalAwsError(
            f"{CAPTURE_SECONDS_VARIABLE} must be a number of seconds, not {text!r}."
        ) from error
