"""CreateEndpointConfig: what moto drops of it, and what AWS refuses in it.

Serverless: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html (feature
exclusions). Shadows: https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-exclusions.html
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import botocore.session
from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import patch

Variant = Mapping[str, Any]
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
_MAX_VARIANTS = 10
# What a model or configuration with a serverless variant must not have, and AWS's name for it.
_OF_INSTANCES = ("InstanceType", "InitialInstanceCount", "AcceleratorType")
_NOT_SERVERLESS = (
    ("DataCaptureConfig", "Data capture"),
    ("ShadowProductionVariants", "Shadow variants"),
    ("AsyncInferenceConfig", "Asynchronous inference"),
)


@patch(
    "moto.sagemaker.models.FakeEndpointConfig.__init__",
    why="its ARN is a tuple; shadow variants are dropped",
)
def init_fake_endpoint_config(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Make a record with every attribute that is set later."""
    original(self, *args, **kwargs)
    self.arn = self.endpoint_config_arn
    self.shadow_production_variants = None


@patch(
    "moto.sagemaker.models.FakeEndpointConfig.validate_instance_type",
    why="knows the types of years ago only",
)
def validate_instance_type(original: Any, self: Any, instance_type: str) -> None:
    """Return what moto's FakeEndpointConfig.validate_instance_type should."""
    del original, self
    if instance_type not in _instance_types():
        raise AWSValidationException(
            f"1 validation error detected: Value '{instance_type}' at 'instanceType' failed "
            "to satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(_instance_types())}]"
        )


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_endpoint_config",
    why="replaces an existing configuration; takes what AWS refuses",
)
def create_endpoint_config(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateEndpointConfig."""
    backend, name = self.sagemaker_backend, self._get_param("EndpointConfigName")
    if name in backend.endpoint_configs:
        arn = backend.endpoint_configs[name].endpoint_config_arn
        raise AWSValidationException(
            f'Cannot create already existing endpoint configuration "{arn}".'
        )
    given = {key: self._get_param(key) for key, _ in _NOT_SERVERLESS}
    variants = self._get_param("ProductionVariants") or []
    shadows = given["ShadowProductionVariants"]
    backend.validate_production_variants([*variants, *(shadows or ())])
    _check_names(variants)
    _check_serverless(backend, variants, given)
    _check_shadows(variants, shadows or (), given)
    result: ActionResult = original(self)
    record: Any = backend.endpoint_configs[name]
    record.shadow_production_variants = shadows
    return result


# Not at the record itself: moto's own CreateEndpoint reads the empty field from it.
@patch(
    "moto.sagemaker.responses.SageMakerResponse.describe_endpoint_config",
    why="returns empty configurations",
)
def describe_endpoint_config(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer DescribeEndpointConfig."""
    found: dict[str, Any] = original(self).result
    empty = ("DataCaptureConfig", "AsyncInferenceConfig")
    return ActionResult({k: v for k, v in found.items() if v or k not in empty})


def _check_names(variants: Sequence[Variant]) -> None:
    names = [str(variant["VariantName"]) for variant in variants]
    if len(names) > _MAX_VARIANTS:
        raise AWSValidationException(
            "1 validation error detected: Value at 'productionVariants' failed to satisfy "
            f"constraint: Member must have length less than or equal to {_MAX_VARIANTS}"
        )
    for name in names:
        if names.count(name) > 1:
            raise AWSValidationException(
                f'The variant name "{name}" was non-unique within the request.'
            )


def _check_serverless(
    backend: SageMakerModelBackend, variants: Sequence[Variant], given: Mapping[str, Any]
) -> None:
    serverless = [v for v in variants if v.get("ServerlessConfig")]
    if not serverless:
        return
    for key, feature in _NOT_SERVERLESS:
        if given[key]:
            raise AWSValidationException(f"{feature} is not supported for serverless endpoints.")
    for name in _OF_INSTANCES:
        if serverless[0].get(name):
            raise AWSValidationException(
                f"{name} cannot be given for a production variant with a ServerlessConfig."
            )
    if len(variants) > 1:
        raise AWSValidationException("Serverless endpoints take a single production variant.")
    config, model = (
        serverless[0]["ServerlessConfig"],
        backend.describe_model(serverless[0]["ModelName"]),
    )
    if model.enable_network_isolation or model.vpc_config:
        raise AWSValidationException(
            "Network isolation and VPC configuration are not supported for serverless endpoints."
        )
    maximum = config["MaxConcurrency"]
    if not 1 <= maximum <= 200:
        raise AWSValidationException(
            f"1 validation error detected: Value '{maximum}' at 'maxConcurrency' failed to satisfy "
            "constraint: Member must have value between 1 and 200"
        )
    if (config.get("ProvisionedConcurrency") or 0) > maximum:
        raise AWSValidationException("ProvisionedConcurrency must not exceed MaxConcurrency.")


def _check_shadows(
    variants: Sequence[Variant], shadows: Sequence[Variant], given: Mapping[str, Any]
) -> None:
    if not shadows:
        return
    if len(variants) != 1 or len(shadows) != 1:
        raise AWSValidationException(
            "With ShadowProductionVariants, one variant can be given for ProductionVariants and "
            "one for ShadowProductionVariants."
        )
    if variants[0]["VariantName"] == shadows[0]["VariantName"]:
        raise AWSValidationException("The names of production and shadow variant must differ.")
    if given["AsyncInferenceConfig"] or shadows[0].get("ServerlessConfig"):
        raise AWSValidationException(
            "Shadow variants are not supported for asynchronous and serverless endpoints."
        )


@functools.cache
def _instance_types() -> tuple[str, ...]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    return tuple(model.shape_for("ProductionVariantInstanceType").enum)  # type: ignore[attr-defined]
