"""What an endpoint's deployment does to moto's record of it, and to the programs behind it."""

import os
import threading
from collections.abc import Mapping
from typing import Any

from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend

from scones_core.errors import LocalAwsError, SconesError
from scones_local.sagemaker.capture import CaptureSettings
from scones_local.sagemaker.capture_writer import CaptureWriter
from scones_local.sagemaker.fleet_builder import (
    STARTUP_SECONDS,
    FleetBuilder,
    FleetPlan,
    VariantPlan,
)
from scones_local.sagemaker.fleets import Fleet, Fleets
from scones_local.sagemaker.names import require_resource_name
from scones_local.sagemaker.platform import Platform

CAPTURE_SECONDS_VARIABLE = "SCONES_CAPTURE_SECONDS"
CAPTURE_SECONDS = 2.0
# A FakeEndpoint, with the attributes that moto's lacks.
EndpointRecord = Any


class Endpoints:
    """The endpoints that run, and what happens to moto's record of each."""

    def __init__(self, platform: Platform) -> None:
        context = platform.context
        self.fleets = Fleets()
        self.captures = CaptureWriter(platform.put_object, _capture_seconds())
        self._platform = platform
        self._builder = FleetBuilder(
            folder=context.folder("endpoints"),
            images_path=context.images_path,
            children=context.children,
            s3=platform.s3,
            log_stream=platform.log_stream,
        )

    def deploy(
        self, backend: SageMakerModelBackend, endpoint: EndpointRecord, config: FakeEndpointConfig
    ) -> None:
        """Have the endpoint serve the configuration; returns at once, the record follows.

        All traffic moves in one step once the new variants answer: a canary's and a
        termination's waits are kept in the record, and not waited for.
        Raises AWSValidationException where the records do not make an endpoint.
        """
        try:
            plan = self._plan(backend, endpoint.endpoint_name, config)
        except (SconesError, KeyError) as error:
            raise AWSValidationException(str(error)) from error
        mark = self.fleets.begin(endpoint.arn)
        name = f"deploy-{endpoint.endpoint_name}"
        arguments = (endpoint, config, plan, mark)
        threading.Thread(target=self._deploy, args=arguments, name=name, daemon=True).start()

    def delete(self, endpoint: EndpointRecord) -> None:
        """Stop the endpoint's programs once their requests have ended; returns at once."""
        fleet = self.fleets.remove(endpoint.arn)
        if fleet is not None:
            threading.Thread(target=self._retire, args=(endpoint, fleet), daemon=True).start()

    def close(self) -> None:
        """Stop all programs, then write what is still buffered of the captures."""
        self.fleets.close()
        self.captures.close()

    def _deploy(
        self, endpoint: EndpointRecord, config: FakeEndpointConfig, plan: FleetPlan, mark: object
    ) -> None:
        try:
            fleet = self._builder.build(plan)
            fleet.start()
            self._check_alarms(endpoint, fleet)
        except LocalAwsError as error:
            self._fail(endpoint, str(error))
            return
        except Exception as error:  # the record must say how a deployment ended, whatever it was
            self._fail(endpoint, f"InternalFailure: {type(error).__name__}: {error}")
            return
        serves, old = self.fleets.switch(endpoint.arn, mark, fleet)
        if not serves:
            fleet.stop()
            return
        record_deployment(endpoint, config)
        if old is not None:
            self._retire(endpoint, old)

    def _retire(self, endpoint: EndpointRecord, fleet: Fleet) -> None:
        fleet.drain()
        self.captures.flush(endpoint.endpoint_name)

    def _check_alarms(self, endpoint: EndpointRecord, fleet: Fleet) -> None:
        """Stop the new fleet of an update when an alarm of its automatic rollback is on."""
        if self.fleets.serving(endpoint.arn) is None:
            return
        rollback = (endpoint.last_deployment_config or {}).get("AutoRollbackConfiguration") or {}
        names = [alarm["AlarmName"] for alarm in rollback.get("Alarms") or ()]
        if on := self._platform.alarms_in_alarm(names):
            fleet.stop()
            raise LocalAwsError(f"The deployment was rolled back: {', '.join(on)} in ALARM.")

    def _fail(self, endpoint: EndpointRecord, reason: str) -> None:
        """Record a failed deployment: the old fleet, if there is one, serves on."""
        endpoint.failure_reason = reason[:1024]
        endpoint.last_modified_time = utcnow()
        served = self.fleets.serving(endpoint.arn) is not None
        endpoint.endpoint_status = "InService" if served else "Failed"

    def _plan(
        self, backend: SageMakerModelBackend, endpoint: str, config: FakeEndpointConfig
    ) -> FleetPlan:
        require_resource_name("endpointName", endpoint)
        first = backend.describe_model(config.production_variants[0]["ModelName"])
        role_arn = str(first.execution_role_arn)
        return FleetPlan(
            endpoint=endpoint,
            config_name=config.endpoint_config_name,
            variants=[self._variant(backend, variant) for variant in config.production_variants],
            capture=CaptureSettings.parse(config.data_capture_config, role_arn),
        )

    def _variant(self, backend: SageMakerModelBackend, variant: Mapping[str, Any]) -> VariantPlan:
        require_resource_name("variantName", variant["VariantName"])
        model = backend.describe_model(variant["ModelName"])
        container = model.primary_container or next(iter(model.containers), {})
        if not container.get("Image"):
            raise LocalAwsError(f"The model {model.model_name} has no container with an image.")
        return VariantPlan(
            name=variant["VariantName"],
            image=container["Image"],
            model_data=container.get("ModelDataUrl") or "",
            container_environment=container.get("Environment") or {},
            base_environment=self._platform.role_environment(model.execution_role_arn, model.arn),
            weight=float(variant.get("InitialVariantWeight", 1.0)),
            startup_seconds=float(
                variant.get("ContainerStartupHealthCheckTimeoutInSeconds") or STARTUP_SECONDS
            ),
        )


def record_deployment(endpoint: EndpointRecord, config: FakeEndpointConfig) -> None:
    """Put an endpoint's record into service with a configuration; the status comes last."""
    endpoint.endpoint_config_name = config.endpoint_config_name
    variants = endpoint._process_production_variants(config.production_variants)
    for variant, asked in zip(variants, config.production_variants, strict=True):
        weight = float(asked.get("InitialVariantWeight", 1.0))
        variant.update(CurrentWeight=weight, DesiredWeight=weight)
    endpoint.production_variants = variants
    endpoint.data_capture_config = capture_summary(config.data_capture_config)
    endpoint.failure_reason = None
    endpoint.last_modified_time = utcnow()
    endpoint.endpoint_status = "InService"


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


def _capture_seconds() -> float:
    text = os.environ.get(CAPTURE_SECONDS_VARIABLE, str(CAPTURE_SECONDS))
    try:
        return max(0.0, float(text))
    except ValueError as error:
        raise LocalAwsError(
            f"{CAPTURE_SECONDS_VARIABLE} must be a number of seconds, not {text!r}."
        ) from error
