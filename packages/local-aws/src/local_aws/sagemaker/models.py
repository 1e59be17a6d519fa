"""Models: which container one runs, what is refused, and what moto answers otherwise than AWS.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html
Terraform meets each: an empty object that AWS leaves out forces a replacement, a missing
operation breaks a destroy.
"""

from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import Model, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import patch
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


@patch(
    "moto.sagemaker.models.Model.response_object",
    why="empty VpcConfig and PrimaryContainer are returned",
)
def response_object(original: Any, self: Model) -> dict[str, Any]:
    """Return what moto's Model.response_object should."""
    return without_empty(original(self), "VpcConfig", "PrimaryContainer", "Containers")


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_model",
    why="replaces a model; drops the isolation flag",
)
def create_model(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateModel."""
    backend, name = self.sagemaker_backend, self._get_param("ModelName")
    if name in backend._models:
        arn = backend._models[name].arn
        raise AWSValidationException(f'Cannot create already existing model "{arn}".')
    check_containers(backend, self._get_param("PrimaryContainer"), self._get_param("Containers"))
    result: ActionResult = original(self)
    isolated = bool(self._get_param("EnableNetworkIsolation"))
    backend._models[name].enable_network_isolation = isolated
    return result


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.add_tags",
    why="a tag that is set again is there twice",
)
def add_tags(
    original: Any, self: SageMakerModelBackend, arn: str, tags: list[dict[str, str]]
) -> list[dict[str, str]]:
    """Do what moto's SageMakerModelBackend.add_tags should."""
    resource, keys = self._get_resource_from_arn(arn), {tag["Key"] for tag in tags}
    if resource is not None:
        resource.tags = [tag for tag in resource.tags or () if tag["Key"] not in keys]
    added: list[dict[str, str]] = original(self, arn, tags)
    return added


@patch(
    "moto.sagemaker.models.SageMakerModelBackend._get_resource_from_arn",
    why="tags of a model package, or of a resource that is gone, are a 500",
)
def get_resource_from_arn(original: Any, self: SageMakerModelBackend, arn: str) -> Any:
    """Do what moto's SageMakerModelBackend._get_resource_from_arn should."""
    packages = self.model_packages
    found = packages.get(arn) if ":model-package/" in arn else original(self, arn)
    if found is None:
        raise AWSValidationException(f"The resource {arn} does not exist.")
    if found.tags is None:
        found.tags = []
    return found


def without_empty(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the record without those of the named fields that are empty."""
    return {key: value for key, value in record.items() if value or key not in names}


def _refuse(operation: str, instead: str) -> None:
    """Declare that an operation answers with an error: moto would say Completed at once."""

    @patch(
        f"moto.sagemaker.responses.SageMakerResponse.{operation}",
        why="is Completed at once, with nothing done",
    )
    def refuse(original: Any, self: SageMakerResponse) -> Any:
        del original, self
        raise NotImplementedError(instead)


_refuse("create_auto_ml_job_v2", "it runs no AutoML job; use a tuning job")
_refuse("create_compilation_job", "it compiles no model")
_refuse("create_data_quality_job_definition", "Model Monitor is closed to new customers")
_refuse("start_pipeline_execution", "it runs no pipeline; use a state machine")
