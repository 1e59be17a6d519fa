"""What an endpoint configuration says is to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend

from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints.data_capture import CaptureSettings
from local_aws.sagemaker.models import container_of
from local_aws.sagemaker.names import require_resource_name

if TYPE_CHECKING:
    pass


from local_aws.sagemaker.endpoints.async_settings import AsyncSettings
from local_aws.sagemaker.endpoints.weighted_variants import FleetSettings

STARTUP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """One variant with its model. `base_environment` has the role's credentials."""

    name: str
    image: str
    model_data: str
    container_environment: Mapping[str, str]
    base_environment: Mapping[str, str]
    weight: float = 1.0
    count: int = 1
    max_concurrency: int = 0
    startup_seconds: float = STARTUP_SECONDS


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What an endpoint is to run. The role is that of its first model."""

    endpoint: str
    role_arn: str
    settings: FleetSettings
    variants: Sequence[VariantPlan]
    shadow: VariantPlan | None = None


# https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html
SERVERLESS_STARTUP_SECONDS = 180.0


def fleet_plan(
    services: AwsServices,
    backend: SageMakerModelBackend,
    endpoint: str,
    config: FakeEndpointConfig,
    retained: Mapping[str, Mapping[str, Any]],
) -> FleetPlan:
    """Return what an endpoint of that name is to run.

    `retained` has the weights and counts, by variant, that an update keeps. Raises
    LocalAwsError, UriError and KeyError where the records do not make an endpoint.
    """
    require_resource_name("endpointName", endpoint)
    configured = config.production_variants
    shadows = shadow_variants(config)
    role_arn = str(backend.describe_model(configured[0]["ModelName"]).execution_role_arn)
    return FleetPlan(
        endpoint=endpoint,
        role_arn=role_arn,
        settings=FleetSettings(
            config_name=config.endpoint_config_name,
            capture=CaptureSettings.parse(config.data_capture_config, role_arn),
            shadow_share=_shadow_share(configured[0], shadows[0]) if shadows else 0.0,
            asynchronous=AsyncSettings.parse(config.async_inference_config, role_arn),
            serverless=any(variant.get("ServerlessConfig") for variant in configured),
        ),
        variants=[
            _variant(services, backend, {**variant, **retained.get(variant["VariantName"], {})})
            for variant in configured
        ],
        shadow=_variant(services, backend, shadows[0]) if shadows else None,
    )


def shadow_variants(config: FakeEndpointConfig) -> list[dict[str, Any]]:
    """Return a configuration's shadow variants, which moto's record does not know by itself."""
    found: list[dict[str, Any]] = getattr(config, "shadow_production_variants", None) or []
    return found


def weight_of(variant: Mapping[str, Any]) -> float:
    """Return a configured variant's weight; 1 where it has none."""
    weight = variant.get("InitialVariantWeight")
    return 1.0 if weight is None else float(weight)


def _shadow_share(production: Mapping[str, Any], shadow: Mapping[str, Any]) -> float:
    """Return which part of the requests the shadow gets: its weight relative to the other's.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-shadow-deployment.html
    """
    weight = weight_of(production)
    return min(1.0, weight_of(shadow) / weight) if weight else 0.0


def _variant(
    services: AwsServices, backend: SageMakerModelBackend, variant: Mapping[str, Any]
) -> VariantPlan:
    require_resource_name("variantName", variant["VariantName"])
    model = backend.describe_model(variant["ModelName"])
    image, data, environment = container_of(backend, model)
    serverless = variant.get("ServerlessConfig")
    startup = variant.get("ContainerStartupHealthCheckTimeoutInSeconds")
    return VariantPlan(
        name=variant["VariantName"],
        image=image,
        model_data=data,
        container_environment=environment,
        base_environment=services.role_environment(model.execution_role_arn, model.arn),
        weight=weight_of(variant),
        count=1 if serverless else int(variant.get("InitialInstanceCount") or 1),
        max_concurrency=int(serverless["MaxConcurrency"]) if serverless else 0,
        startup_seconds=SERVERLESS_STARTUP_SECONDS
        if serverless
        else float(startup or STARTUP_SECONDS),
    )
