"""What a deployment does to moto's record of an endpoint.

The record is described while it changes, so that lists are replaced as a whole and the status,
which waiters look at, is set last.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from moto.core.utils import utcnow
from moto.sagemaker.models import FakeEndpointConfig

from local_aws.sagemaker.endpoints.fleets import Fleet
from local_aws.sagemaker.endpoints.plans import shadow_variants, weight_of
from local_aws.sagemaker.state_events import endpoint_changed
from local_aws.state.stores import outcome

# A FakeEndpoint, with the attributes that moto's lacks.
EndpointRecord = Any
_MAX_REASON_CHARACTERS = 1024


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
    told = [{"Status": status, "StatusMessage": message, "StartTime": utcnow()}]
    variants = [{**variant, "VariantStatus": told} for variant in summary["ProductionVariants"]]
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
    """Put an endpoint's record into a status, and tell of it."""
    endpoint.last_modified_time = utcnow()
    with outcome():
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
    told = {"Status": "Creating", "StartTime": utcnow()}
    return [
        {
            "VariantName": variant["VariantName"],
            "DesiredWeight": weight_of(variant),
            "VariantStatus": [told],
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
