"""Which container a model runs: its own, or that of a model package.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html
"""

from collections.abc import Mapping
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import Model, SageMakerModelBackend

from local_aws.errors import LocalAwsError

Container = Mapping[str, Any]


class NoContainer(LocalAwsError):
    """A model has no container that can be run; the message names the model."""


def check_containers(
    backend: SageMakerModelBackend, primary: Container | None, containers: list[Container] | None
) -> None:
    """Raise AWSValidationException for a model that AWS refuses, or that is not run here."""
    given = [*([primary] if primary else []), *(containers or [])]
    if len(given) > 1:
        raise AWSValidationException(
            "The embedded AWS runs one container a model, and no inference pipeline."
        )
    for container in given:
        if container.get("Mode") == "MultiModel":
            raise AWSValidationException("The embedded AWS runs no multi-model endpoints.")
        if container.get("ModelPackageName"):
            _require_approved(backend, str(container["ModelPackageName"]))
        data_url(container)


def container_of(backend: SageMakerModelBackend, model: Model) -> tuple[str, str, dict[str, str]]:
    """Return a model's image, the URL of its data ("" without one), and its environment.

    Raises NoContainer, and AWSValidationException for a package that is not approved any more.
    """
    container: Container = model.primary_container or next(iter(model.containers), {})
    environment = dict(container.get("Environment") or {})
    name = container.get("ModelPackageName")
    if name:
        _require_approved(backend, name)
        packaged = backend.describe_model_package(name).inference_specification["Containers"][0]
        environment = {**(packaged.get("Environment") or {}), **environment}
        container = packaged
    if not container.get("Image"):
        raise NoContainer(f"The model {model.model_name} has no container with an image.")
    return container["Image"], data_url(container), environment


def data_url(container: Container) -> str:
    """Return where a container's artifact is; raises AWSValidationException for other kinds."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if not source:
        return str(container.get("ModelDataUrl") or "")
    if source.get("CompressionType") != "Gzip" or source.get("S3DataType") != "S3Object":
        raise AWSValidationException(
            "The embedded AWS takes ModelDataSource as an S3Object with Gzip compression only."
        )
    return str(source["S3Uri"])


def _require_approved(backend: SageMakerModelBackend, name: str) -> None:
    package = backend.describe_model_package(name)
    status = package.model_approval_status
    if package.model_package_version and status != "Approved":
        raise AWSValidationException(
            f"Model package {package.arn} cannot be deployed: its ModelApprovalStatus is {status}, "
            "not Approved."
        )
    if not (package.inference_specification or {}).get("Containers"):
        raise AWSValidationException(
            f"Model package {package.arn} has no InferenceSpecification to make a model from."
        )
